"""The body of a request as a command: read once, field by field, and nothing beside its fields."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from dashboards.api_signing import read_signature
from dashboards.problem import Problem


def parse_command(
    name: str,
    body: bytes,
    commands: Mapping[str, type],
    *,
    complete: Callable[[dict[str, Any]], dict[str, Any]] = lambda given: given,
    is_signing: bool = True,
) -> tuple[Any, dict[str, Any] | None, str | None]:
    """Return the command in a request, the signature sent with it, and the reason.

    `complete` adds what the client must not say itself, such as a scale's reading.

    Raises:
        Problem: 404 for a command that does not exist, 422 naming the field that does not fit.
    """
    kind = commands.get(name)
    if kind is None:
        raise Problem(404, "unknown-command", f"{name}: no such command. See /api/docs.")
    try:  # field by field as sent, so that 0.10 stays 0.10
        given = msgspec.json.decode(body or b"{}", type=dict[str, msgspec.Raw])
    except msgspec.DecodeError as error:
        raise Problem(422, "malformed", f"The body must be one JSON object: {error}.") from error
    json.loads(body or b"{}", object_pairs_hook=_once_each)
    signature, reason = _plain(given, "signature"), _plain(given, "reason")
    if reason is not None and not isinstance(reason, str):
        raise Problem(422, "malformed", "reason: must be text.", field="$.reason")
    if _plain(given, "type") not in (None, name):
        raise Problem(422, "malformed", f"type: must be {name} or left out.", field="$.type")
    given = complete(given)
    if unknown := sorted(
        set(given) - {field.encode_name for field in msgspec.structs.fields(kind)}
    ):
        raise Problem(
            422, "malformed", f"{unknown[0]}: {name} has no such field.", field=f"$.{unknown[0]}"
        )
    try:
        command: Any = msgspec.json.decode(msgspec.json.encode({"type": name, **given}), type=kind)
    except msgspec.ValidationError as error:
        raise _misfit(error) from error
    return command, read_signature(signature, is_signing=is_signing), reason


def _once_each(pairs: list[tuple[str, Any]]) -> None:
    """Refuse a field that is said twice: another reader of the same bytes may take the other."""
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise Problem(422, "malformed", "A field is said twice. Say each field once.")


def _plain(given: dict[str, msgspec.Raw], name: str) -> Any:
    """Take one field out of a request and return its value, None where it is missing."""
    raw = given.pop(name, None)
    return None if raw is None else msgspec.json.decode(raw)


def _misfit(error: msgspec.ValidationError) -> Problem:
    what, _, where = str(error).partition(" - at ")
    field = where.strip("`") or "$"
    if "matching regex" in what:  # a pattern tells a person nothing
        what = "has a character, or a space at an end, that this field does not take"
    if missing := re.search(r"missing required field `([^`]+)`", what):
        field = f"{field}.{missing.group(1)}"
    return Problem(422, "malformed", f"{field}: {what}.", field=field)
