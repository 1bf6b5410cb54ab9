"""JSON Schemas of messages and receipts, made from the structs that the code itself uses."""

from typing import Any

import msgspec

from erp.agreement.pages import RECORDS, LedgerLine, StockLine
from erp.contract import Message, schema_of
from erp.events import EventKind
from erp.webhook import Problem, ReceiptBody

DIALECT = "https://json-schema.org/draft/2020-12/schema"
type Json = dict[str, Any]


def components(ref: str) -> dict[str, Json]:
    """Return every shared schema by name; `ref` is where they will stand, with `{name}` in it."""
    kinds = (Message, ReceiptBody, Problem, LedgerLine, StockLine, *RECORDS.values())
    _, found = msgspec.json.schema_components(kinds, ref_template=ref)
    return {name: _open_numbers(schema) for name, schema in found.items()}


def _open_numbers(schema: Json) -> Json:
    """Return a schema without the defaults that a struct needs and a reader takes for rules."""
    properties = schema.get("properties", {})
    return {
        **schema,
        **(
            {"properties": {name: _without_default(one) for name, one in properties.items()}}
            if properties
            else {}
        ),
    }


def _without_default(schema: Json) -> Json:
    return {name: value for name, value in schema.items() if name != "default"}


def own_part(kind: EventKind) -> Json:
    """Return what one type demands beyond the envelope; the same that `events.check` enforces."""
    lines: Json = {"maxItems": 0}
    if kind.movement is not None:
        lines = {"minItems": 1, "items": {"properties": {"movement": {"const": kind.movement}}}}
    elif kind.reverses or kind.undoes:
        lines = {"minItems": 1}
    properties: Json = {"lines": lines}
    for name in kind.needs:
        properties[name] = {"not": {"type": "null"}}
    if not kind.reverses:
        properties["corrects"] = {"type": "null"}
    if not kind.undoes:
        properties["document"] = False
    if not kind.may_replace:
        properties["replaces"] = False
    return {
        "properties": {
            "type": {"const": kind.type},
            "dataschema": {"const": schema_of(kind.type)},
            "data": {"required": [*kind.needs], "properties": properties},
        }
    }


def message_schema(kind: EventKind) -> Json:
    """Return one message type's schema, whole in itself."""
    return {
        "$schema": DIALECT,
        "$id": schema_of(kind.type),
        "title": kind.title,
        "description": kind.says,
        "allOf": [{"$ref": "#/$defs/Message"}, own_part(kind)],
        "$defs": components("#/$defs/{name}"),
    }


def receipt_schema() -> Json:
    """Return the schema of the ERP's signed receipt."""
    return {
        "$schema": DIALECT,
        "$id": "urn:batchwright:schema:receipt",
        "title": "Receipt",
        "description": "What the ERP has durably booked, signed with the receipts' own secret.",
        "$ref": "#/$defs/ReceiptBody",
        "$defs": components("#/$defs/{name}"),
    }
