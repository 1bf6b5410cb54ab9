"""What the ERP offers as an OpenAPI 3.1 document: the endpoint for events, and what we read."""

from erp.agreement.asyncapi import HEADERS
from erp.agreement.pages import RECORDS
from erp.agreement.policy import Terms
from erp.agreement.schemas import Json, components, own_part
from erp.webhook import MAX_RETRY_AFTER_S

REF = "#/components/schemas/{name}"
# status -> what it means, and what the relay does with it
PAUSES = "sending is paused for all orders; one message a minute tries again"
STATUSES: dict[str, tuple[str, str]] = {
    "200": ("Booked, or booked before: a signed receipt.", "done"),
    "202": (
        "Taken, not booked yet: a signed receipt with a ticket.",
        "asks `GET /postings/{erp_ref}` each minute until it is booked",
    ),
    "400": ("The body is no message of this contract.", "a person decides"),
    "401": (
        "The signature is refused.",
        PAUSES,
    ),
    "403": ("The caller may not do this.", PAUSES),
    "404": ("There is no such path.", "a person decides"),
    "409": ("The key is being worked on.", "tries again after a second"),
    "410": (
        "This endpoint is gone.",
        PAUSES,
    ),
    "413": ("The body is larger than one mebibyte.", "a person decides"),
    "422": ("A business rule says no; the code says which.", "a person decides"),
    "429": ("Too many calls.", f"waits as Retry-After says, at most {MAX_RETRY_AFTER_S} s"),
    "503": ("Not now.", f"waits as Retry-After says, at most {MAX_RETRY_AFTER_S} s"),
}
CODES: dict[str, str] = {
    "key_reused": "The key was used for other bytes: an alarm on both sides.",
    "order_unknown": "No such order.",
    "order_closed": "The order takes no posting.",
    "item_unknown": "No such item.",
    "lot_unknown": "No such lot of the item.",
    "lot_missing": "The item is kept by lot, and the line names none.",
    "unit_wrong": "The item is kept in another unit.",
    "movement_unknown": "No such movement.",
    "period_closed": "The posting date's period is closed.",
    "period_missing": "The posting date lies in no period.",
    "date_in_future": "The posting date is after today.",
    "original_unknown": "A reversal names what was never booked.",
    "already_reversed": "The original was reversed before.",
    "document_unknown": "The document to undo is not in the books.",
    "reversal_differs": "The lines do not undo those of the original.",
}


def openapi(terms: Terms) -> Json:
    """Return the document for one policy."""
    pages = {f"/{name}": _page(name) for name in terms.pulls}
    if "orders" in terms.pulls:
        pages["/orders/{order}"] = {
            "get": {
                "operationId": "order",
                "summary": "One order as it is now.",
                "parameters": [_in("path", "order", "The ERP's number.")],
                "responses": {"200": _json("The order.", "Order"), "404": {"description": "None."}},
            }
        }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"What an ERP offers to plant {terms.plant}",
            "version": "1.0.0",
            "description": f"Made from {terms.title}.",
        },
        "paths": {"/events": {"post": _events(terms)}, **pages, **_books(), **_about()},
        "components": {"schemas": components(REF)},
    }


def _events(terms: Terms) -> Json:
    content = {
        "application/cloudevents+json": {
            "schema": {
                "allOf": [
                    {"$ref": REF.format(name="Message")},
                    {"oneOf": [own_part(kind) for kind in terms.events]},
                ]
            }
        }
    }
    responses: Json = {}
    for status, (says, does) in STATUSES.items():
        answer: Json = {"description": f"{says} The relay: {does}."}
        if status in ("200", "202"):
            answer = {**answer, **_content("ReceiptBody")}
        elif status in ("400", "422"):
            answer = {**answer, **_content("Problem", "application/problem+json")}
        if status in ("429", "503"):
            answer["headers"] = {
                "retry-after": {"schema": {"type": "integer"}, "description": "Seconds."}
            }
        responses[status] = answer
    return {
        "operationId": "take",
        "summary": "Take one message and answer with a signed receipt.",
        "parameters": [_in("header", name, says) for name, says in HEADERS.items()],
        "requestBody": {"required": True, "content": content},
        "responses": responses,
    }


def _page(name: str) -> Json:
    record = REF.format(name=RECORDS[name].__name__)
    schema = {
        "type": "object",
        "required": [name],
        "properties": {name: {"type": "array", "items": {"$ref": record}}},
    }
    return {
        "get": {
            "operationId": name,
            "summary": f"All {name}, with a validator for the next question.",
            "parameters": [
                _in("header", "if-none-match", "The ETag of the page we have.", required=False),
                _in("header", "if-modified-since", "Its Last-Modified.", required=False),
                _in(
                    "query",
                    "changed_since",
                    "Only what changed at or after this instant of your clock; may be ignored.",
                    required=False,
                ),
            ],
            "responses": {
                "200": {
                    "description": "The whole page.",
                    "headers": {"etag": {"schema": {"type": "string"}}},
                    "content": {"application/json": {"schema": schema}},
                },
                "304": {"description": "Nothing has changed."},
            },
        }
    }


def _books() -> Json:
    lines = {"type": "array", "items": {"$ref": REF.format(name="LedgerLine")}}
    page = {
        "type": "object",
        "required": ["lines", "next", "more"],
        "properties": {"lines": lines, "next": {"type": "integer"}, "more": {"type": "boolean"}},
    }
    documents = {"type": "array", "items": {"$ref": REF.format(name="ReceiptDocument")}}
    stock = {"type": "array", "items": {"$ref": REF.format(name="StockLine")}}
    return {
        "/ledger": {
            "get": {
                "operationId": "ledger",
                "summary": "The books, in their own order: stock, general ledger and period.",
                "parameters": [
                    _in("query", "after", "The `seq` read last.", required=False, kind="integer"),
                    _in("query", "order", "Only this order.", required=False),
                ],
                "responses": {"200": {**_schema(page), "description": "Some lines."}},
            }
        },
        "/stock": {
            "get": {
                "operationId": "stock",
                "summary": "What there is of every lot now, to compare with the plant's own.",
                "responses": {
                    "200": {**_schema(stock), "description": "Every lot in every status."},
                    "404": {"description": "This ERP shows no stock; it is not compared."},
                },
            }
        },
        "/postings/{erp_ref}": {
            "get": {
                "operationId": "posting",
                "summary": "The documents that carry a reference.",
                "parameters": [_in("path", "erp_ref", "The 16 characters of a message.")],
                "responses": {
                    "200": {**_schema(documents), "description": "The documents."},
                    "404": {"description": "No document carries it."},
                },
            }
        },
        "/periods/{period}": {
            "get": {
                "operationId": "period",
                "summary": "Whether a month takes postings.",
                "parameters": [_in("path", "period", "yyyy-mm")],
                "responses": {"200": {**_schema(_state()), "description": "Its state."}},
            }
        },
    }


def _about() -> Json:
    """Return what tells of the ERP itself."""
    return {
        "/health": {
            "get": {
                "operationId": "health",
                "summary": "Whether you answer; asked while you are away.",
                "responses": {"200": {"description": "It answers."}},
            }
        },
        "/time": {
            "get": {
                "operationId": "time",
                "summary": "Your own clock, from which `changed_since` is reckoned.",
                "responses": {"200": {**_schema(_clock()), "description": "Its time."}},
            }
        },
    }


def _state() -> Json:
    return {
        "type": "object",
        "required": ["state"],
        "properties": {"state": {"enum": ["open", "closed", "missing"]}},
    }


def _clock() -> Json:
    return {
        "type": "object",
        "required": ["now"],
        "properties": {"now": {"type": "string", "format": "date-time"}},
    }


def _in(where: str, name: str, says: str, *, required: bool = True, kind: str = "string") -> Json:
    return {
        "in": where,
        "name": name,
        "required": required,
        "description": says,
        "schema": {"type": kind},
    }


def _schema(schema: Json) -> Json:
    return {"content": {"application/json": {"schema": schema}}}


def _content(name: str, kind: str = "application/json") -> Json:
    return {"content": {kind: {"schema": {"$ref": REF.format(name=name)}}}}


def _json(says: str, name: str) -> Json:
    return {"description": says, **_content(name)}
