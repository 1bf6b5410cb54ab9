"""What an entry changed in its record: field, old value and new value, as people read them."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from zoneinfo import ZoneInfo

from core.quantity import plain
from dashboards import parts

LONGEST = 240


def cut(text: str) -> str:
    """Return a text as far as a line of a list holds it."""
    return text if len(text) <= LONGEST else text[: LONGEST - 2] + " …"


def shown(value: object, zone: ZoneInfo) -> str:
    """Return a field's value as people read it; long ones are cut, the body has them whole."""
    match value:
        case None | () | "":
            return "–"
        case bool():
            return "yes" if value else "no"
        case Decimal():
            return plain(value)
        case datetime():
            return parts.local_time(value, zone)
        case Enum():
            return str(value.value).replace("_", " ")
        case dict():
            pairs = (f"{key}: {shown(item, zone)}" for key, item in value.items())
            return cut(", ".join(pairs)) or "–"
        case tuple() | list():
            return cut("; ".join(shown(item, zone) for item in value)) or "–"
    names = _names(value)
    if names:
        told = ((name, getattr(value, name)) for name in names)
        return cut(
            ", ".join(
                f"{name.replace('_', ' ')} {shown(item, zone)}"
                for name, item in told
                if item not in (None, (), "", {})
            )
        )
    return cut(str(value))


def _names(value: object) -> tuple[str, ...]:
    """Return the field names of a record, none for a plain value."""
    if is_dataclass(value) and not isinstance(value, type):
        return tuple(one.name for one in fields(value))
    return tuple(getattr(value, "__struct_fields__", ()))


def changes(before: object, after: object, zone: ZoneInfo) -> list[tuple[str, str, str]]:
    """Return what differs between two states of a record: field, old value, new value."""
    return list(_changes((), before, after, zone=zone))


def _changes(
    path: tuple[str, ...], before: object, after: object, *, zone: ZoneInfo
) -> Iterator[tuple[str, str, str]]:
    if before == after:
        return
    if before is None and not path:
        for name in _names(after):
            value = shown(getattr(after, name), zone)
            if value != "–":
                yield name.replace("_", " "), "–", value
        return
    names = _names(after)
    if names and type(before) is type(after):
        for name in names:
            longer = (*path, name.replace("_", " "))
            yield from _changes(longer, getattr(before, name), getattr(after, name), zone=zone)
    elif isinstance(before, dict) and isinstance(after, dict):
        for key in (*before, *(key for key in after if key not in before)):
            yield from _changes((*path, str(key)), before.get(key), after.get(key), zone=zone)
    elif isinstance(before, tuple) and isinstance(after, tuple):
        for at in range(max(len(before), len(after))):
            old = before[at] if at < len(before) else None
            new = after[at] if at < len(after) else None
            label = _label(new if new is not None else old, at)
            yield from _changes((*path, label), old, new, zone=zone)
    else:
        yield " · ".join(path), shown(before, zone), shown(after, zone)


def _label(item: object, at: int) -> str:
    """Return what an item of a list is called: its first field, else its place."""
    names = _names(item)
    first = getattr(item, names[0]) if names else None
    return first if isinstance(first, str) else str(at + 1)
