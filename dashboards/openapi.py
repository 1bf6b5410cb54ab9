"""The OpenAPI document and the list of operations, generated from the command structs."""

import inspect
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import msgspec

from core.catalogue import NOUNS
from core.ledger.job import Receipt
from core.signature import Seen
from dashboards import api_lists
from dashboards.noun_readers import readers_of
from dashboards.session import COOKIE

PROBLEM = {
    "description": "A problem (RFC 9457): what, which limit, what to do next.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
PROBLEM_SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "rule": {"type": "string"},
        "facts": {"type": "object", "additionalProperties": {"type": "string"}},
        "field": {"type": "string"},
    },
}
SIGNATURE = {
    "type": "object",
    "description": "Where the action must be signed: user or badge, and the secret; `pending`"
    " names what was prepared and shown, else meaning and comment are stated here. `provider`"
    " names the sign-in provider's answer, which a browser brings.",
    "properties": {
        name: {"type": "string"}
        for name in ("user", "badge", "secret", "pending", "provider", "meaning", "comment")
    }
    | {
        "passkey": {
            "type": "object",
            "description": "A passkey's answer to manifest_sha256, all in base64url.",
            "required": ["credential", "authenticator_data", "client_data", "signature"],
            "additionalProperties": {"type": "string"},
        }
    },
}
REFUSED_POST = ("400", "401", "403", "404", "408", "409", "413", "415", "422", "429", "431", "503")
REFERENCE = "#/components/schemas/{name}"
DECIMAL = r"^-?[0-9]+(\.[0-9]+)?$"
KEY = re.compile(r"[\x21-\x7e]{8,200}")
# What the match says of a row or a period the server adds itself; a client leaves it out.
FROM_SERVER = frozenset({"shown", "books", "fact", "figures", "reasons", "unowned"})
# A badge is half of a signature; the interface tells nobody somebody else's.
PRIVATE = frozenset({"badge", "secret", "secret_hash", "pin"})


@cache
def listed() -> list[dict[str, Any]]:
    """Return the parameters of a list of states, none of which must be there."""
    return [
        _parameter(name, "query", pattern=f"^(?:{pattern})$")
        | {"required": False, "description": api_lists.SAYS[name]}
        for name, pattern in api_lists.PATTERNS.items()
    ]


def noun_kinds() -> tuple[str, ...]:
    """Return the nouns that can be read, sorted."""
    return tuple(sorted(set(NOUNS) - {"badge", "identity", "administrators"}))


def _first_sentence(kind: type) -> str:
    return (inspect.getdoc(kind) or "").partition("\n\n")[0].replace("\n", " ")


def operations(commands: Mapping[str, type]) -> Iterator[tuple[str, str, str]]:
    """Yield name, summary and fields of every command; optional fields carry a question mark."""
    for name in sorted(commands):
        fields = ", ".join(
            field.encode_name + ("" if field.required else "?")
            for field in msgspec.structs.fields(commands[name])
            if field.encode_name not in FROM_SERVER
        )
        yield name, _first_sentence(commands[name]), fields


def document(commands: Mapping[str, type], title: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document."""
    names = sorted(commands)
    kinds = [commands[name] for name in names]
    states = [NOUNS[kind].state for kind in noun_kinds()]
    _, schemas = msgspec.json.schema_components(
        [*kinds, *states, Seen, Receipt], ref_template=REFERENCE
    )
    for command in kinds:  # the path has named it already
        schemas[command.__name__]["required"].remove("type")
    asked = {kind.__name__ for kind in kinds}
    schemas = {
        name: _plain(schema, hidden=FROM_SERVER if name in asked else PRIVATE)
        for name, schema in schemas.items()
    }
    paths: dict[str, Any] = {
        f"/api/v1/commands/{name}": {"post": _post(name, commands[name])} for name in names
    }
    paths["/api/v1/signatures/prepare"] = {"post": _prepare(names)}
    for kind in noun_kinds():
        state = _ref(NOUNS[kind].state)
        by = f"; read by {readers_of(kind)}"
        seen = {"properties": {"seen": _ref(Seen)}, "required": ["seen"]}
        paths[f"/api/v1/{kind}"] = {
            "get": _get(f"All of {kind}{by}", listed(), {"type": "array", "items": state})
        }
        paths[f"/api/v1/{kind}/{{id}}"] = {
            "get": _get(f"One {kind}{by}", [_parameter("id", "path")], {"allOf": [state, seen]})
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Batchwright, {title}", "version": "1"},
        "security": [{"login": []}, {"key": []}],
        "paths": paths,
        "components": {
            "schemas": schemas | {"Problem": PROBLEM_SCHEMA},
            "securitySchemes": {
                "login": {"type": "apiKey", "in": "cookie", "name": COOKIE},
                "key": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _plain(schema: Any, *, hidden: frozenset[str]) -> Any:
    """Return a schema as JSON values, decimals spelled out, without what the interface hides."""
    if isinstance(schema, list | tuple):
        return [_plain(one, hidden=hidden) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _plain(value, hidden=hidden) for name, value in schema.items()}
    if found.get("format") == "decimal":
        found["pattern"] = DECIMAL
    if isinstance(found.get("properties"), dict):
        found["properties"] = {n: one for n, one in found["properties"].items() if n not in hidden}
        found["required"] = [name for name in found.get("required", ()) if name not in hidden]
    return found


def _ref(kind: type) -> dict[str, Any]:
    return {"$ref": REFERENCE.format(name=kind.__name__)}


def _parameter(name: str, place: str, **schema: object) -> dict[str, Any]:
    kind = {"type": "string", "minLength": 1, **schema}
    return {"name": name, "in": place, "required": True, "schema": kind}


def _key() -> dict[str, Any]:
    return _parameter("Idempotency-Key", "header", pattern=f"^{KEY.pattern}$")


def _json_of(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _post(name: str, kind: type) -> dict[str, Any]:
    also = {"signature": SIGNATURE, "reason": {"type": "string"}}
    body = {"type": "object", "allOf": [_ref(kind), {"properties": also}]}
    receipt = "The receipt: the entries that were recorded."
    return {
        "operationId": name,
        "summary": _first_sentence(kind),
        "parameters": [_key()],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": _json_of(receipt, _ref(Receipt)),
            **dict.fromkeys(REFUSED_POST, PROBLEM),
        },
    }


def _prepare(names: list[str]) -> dict[str, Any]:
    """Return the operation that shows what a command would sign."""
    signature = {
        "type": "object",
        "description": "The signer's user or badge, left out within a period; what they state.",
        "properties": {
            name: {"type": "string"} for name in ("user", "badge", "meaning", "comment")
        },
    }
    body = {
        "type": "object",
        "description": "The command's own fields, with its type and nothing secret.",
        "required": ["type"],
        "properties": {
            "type": {"enum": names},
            "signature": signature,
            "reason": {"type": "string"},
        },
    }
    return {
        "operationId": "signatures.prepare",
        "summary": "Return the manifest that would be signed, to be shown and then signed once.",
        "parameters": [_key()],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": _json_of(
                "The manifest, its bytes, and the pending id to sign it.", {"type": "object"}
            ),
            **dict.fromkeys(REFUSED_POST, PROBLEM),
        },
    }


def _get(summary: str, parameters: list[dict[str, Any]], schema: dict[str, Any]) -> dict[str, Any]:
    refused = ("400", "401", "403", "404", "422", "429", "431")
    return {
        "summary": summary,
        "parameters": parameters,
        "responses": {"200": _json_of("As JSON.", schema), **dict.fromkeys(refused, PROBLEM)},
    }
