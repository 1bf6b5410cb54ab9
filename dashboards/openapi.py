"""The OpenAPI document and the list of operations, generated from the command structs."""

import inspect
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import msgspec

from core.catalogue import NOUNS

PROBLEM = {
    "description": "A problem (RFC 9457): what, which limit, what to do next.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
SIGNATURE = {
    "type": "object",
    "description": "Where the action must be signed: user or badge, and the secret; `pending`"
    " names what was prepared and shown, else meaning and comment are stated here.",
    "properties": {
        name: {"type": "string"}
        for name in ("user", "badge", "secret", "pending", "meaning", "comment")
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


@cache
def noun_kinds() -> tuple[str, ...]:
    """Return the nouns that can be read, sorted."""
    return tuple(sorted(set(NOUNS) - {"badge"}))


def _first_sentence(kind: type) -> str:
    return (inspect.getdoc(kind) or "").partition("\n\n")[0].replace("\n", " ")


def operations(commands: Mapping[str, type]) -> Iterator[tuple[str, str, str]]:
    """Yield name, summary and fields of every command; optional fields carry a question mark."""
    for name in sorted(commands):
        fields = ", ".join(
            field.encode_name + ("" if field.required else "?")
            for field in msgspec.structs.fields(commands[name])
        )
        yield name, _first_sentence(commands[name]), fields


def document(commands: Mapping[str, type], title: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document."""
    names = sorted(commands)
    _, schemas = msgspec.json.schema_components(
        [commands[name] for name in names], ref_template="#/components/schemas/{name}"
    )
    schemas["Problem"] = {
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
    paths: dict[str, Any] = {
        f"/api/v1/commands/{name}": {"post": _post(name, commands[name])} for name in names
    }
    paths["/api/v1/signatures/prepare"] = {"post": _prepare(names)}
    for kind in noun_kinds():
        paths[f"/api/v1/{kind}"] = {"get": _get(f"All of {kind}", [])}
        paths[f"/api/v1/{kind}/{{id}}"] = {"get": _get(f"One {kind}", [_parameter("id", "path")])}
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Batchwright, {title}", "version": "1"},
        "security": [{"login": []}, {"key": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "login": {"type": "apiKey", "in": "cookie", "name": "mes_session"},
                "key": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _parameter(name: str, place: str) -> dict[str, Any]:
    return {"name": name, "in": place, "required": True, "schema": {"type": "string"}}


def _post(name: str, kind: type) -> dict[str, Any]:
    body = {
        "allOf": [
            {"$ref": f"#/components/schemas/{kind.__name__}"},
            {"properties": {"signature": SIGNATURE, "reason": {"type": "string"}}},
        ]
    }
    return {
        "operationId": name,
        "summary": _first_sentence(kind),
        "parameters": [_parameter("Idempotency-Key", "header")],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": {"description": "The receipt: the entries that were recorded."},
            **dict.fromkeys(("400", "401", "403", "404", "409", "422"), PROBLEM),
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
        "parameters": [_parameter("Idempotency-Key", "header")],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {
            "200": {"description": "The manifest, its bytes, and the pending id to sign it."},
            **dict.fromkeys(("400", "401", "403", "404", "409", "422"), PROBLEM),
        },
    }


def _get(summary: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "summary": summary,
        "parameters": parameters,
        "responses": {"200": {"description": "As JSON."}, "401": PROBLEM, "404": PROBLEM},
    }
