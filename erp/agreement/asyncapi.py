"""The events as an AsyncAPI 3.0 document: one channel, one message a type, the receipt as reply."""

import json
from typing import Any

from erp.agreement.policy import Terms
from erp.agreement.samples import sample
from erp.agreement.schemas import Json, components, own_part
from erp.contract import CONTENT_TYPE, to_bytes
from erp.events import EventKind

REF = "#/components/schemas/{name}"
HEADERS: dict[str, str] = {
    "webhook-id": "The event's id; the same on every attempt.",
    "webhook-timestamp": "Unix seconds of this attempt; refuse more than 300 s to either side.",
    "webhook-signature": "One or more `v1,<base64>`, one for each live secret, spaces between.",
    "idempotency-key": "The event's id in double quotes.",
    "content-digest": "`sha-256=:<base64>:` of the raw body (RFC 9530).",
    "traceparent": "W3C trace context; new on each attempt, and not signed.",
}


def name_of(kind: EventKind) -> str:
    """Return a type's name without the marks around it.

    >>> from erp.events import EVENTS
    >>> name_of(EVENTS[0])
    'work_order_started'
    """
    return kind.type.split(".")[1]


def asyncapi(terms: Terms) -> Json:
    """Return the document for one policy."""
    names = [name_of(kind) for kind in terms.events]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"Batchwright events of plant {terms.plant}",
            "version": "1.0.0",
            "description": f"Made from {terms.title}.",
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {
            "events": {
                "address": "/events",
                "description": "The ERP's endpoint. Messages of one order come one after another.",
                "messages": {
                    name: {"$ref": f"#/components/messages/{name}"} for name in [*names, "receipt"]
                },
            }
        },
        "operations": {
            "tell": {
                "action": "send",
                "channel": {"$ref": "#/channels/events"},
                "summary": "The plant tells a fact and waits for its signed receipt.",
                "messages": [{"$ref": f"#/channels/events/messages/{name}"} for name in names],
                "reply": {
                    "channel": {"$ref": "#/channels/events"},
                    "messages": [{"$ref": "#/channels/events/messages/receipt"}],
                },
            }
        },
        "components": {
            "messages": {
                **{name_of(kind): _message(kind, terms) for kind in terms.events},
                "receipt": _receipt(),
            },
            "schemas": components(REF),
        },
    }


def _message(kind: EventKind, terms: Terms) -> Json:
    body: Any = json.loads(to_bytes(sample(kind, plant=terms.plant)))
    return {
        "name": kind.type,
        "title": kind.title,
        "summary": kind.says,
        "contentType": CONTENT_TYPE,
        "headers": _headers(),
        "payload": {"allOf": [{"$ref": REF.format(name="Message")}, own_part(kind)]},
        "examples": [{"name": name_of(kind), "payload": body}],
    }


def _receipt() -> Json:
    return {
        "name": "receipt",
        "title": "Receipt",
        "summary": "What the ERP has durably booked, signed with the receipts' own secret.",
        "contentType": "application/json",
        "headers": _headers("webhook-id", "webhook-timestamp", "webhook-signature"),
        "payload": {"$ref": REF.format(name="ReceiptBody")},
    }


def _headers(*wanted: str) -> Json:
    names = wanted or tuple(HEADERS)
    return {
        "type": "object",
        "required": list(names),
        "properties": {name: {"type": "string", "description": HEADERS[name]} for name in names},
    }
