"""Write the golden files of events that have none: `python -m tests.write_golden`.

A golden file is a body as a plant once stored it. It is written once, by the server of the day,
looked at by a person, committed, and never changed: a plant keeps its entries for ever.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from core.catalogue import EVENTS, to_data
from core.fact import Event

FOLDER = Path(__file__).parent / "golden" / "events"
PLAIN: dict[type, Any] = {
    inspect.BoolType: True,
    inspect.IntType: 3,
    inspect.DecimalType: Decimal("10.50"),
    inspect.DateTimeType: datetime(2026, 3, 2, 8, 15, 0, 250_000, UTC),
    inspect.DateType: date(2026, 3, 2),
    inspect.NoneType: None,
}


def golden_file(type_: str, v: int) -> Path:
    """Return where the golden file of a type and version is."""
    return FOLDER / f"{type_}.v{v}.json"


def missing(events: Mapping[str, type[Event]] = EVENTS) -> list[tuple[str, int]]:
    """Return every type and newest version without its golden file."""
    newest = [(type_, kind.SCHEMA) for type_, kind in sorted(events.items())]
    return [(type_, v) for type_, v in newest if not golden_file(type_, v).exists()]


def unwritten(events: Mapping[str, type[Event]] = EVENTS) -> str:
    """Return what to do about types without a golden file, empty where there are none."""
    names = [f"{type_} version {v}" for type_, v in missing(events)]
    todo = "Run `python -m tests.write_golden`, look at what it wrote, and commit it."
    return f"{', '.join(names)}: no golden file. {todo}" if names else ""


def example(kind: type[Event], *, whole: bool) -> Event:
    """Return an event with every field given, or only with those that have no default."""
    return msgspec.convert(_struct(inspect.type_info(kind), whole=whole), kind)


def _struct(of: inspect.Type, *, whole: bool) -> dict[str, Any]:
    assert isinstance(of, inspect.StructType)
    named = {of.tag_field: of.tag} if of.tag_field else {}
    given = [field for field in of.fields if whole or field.required]
    return named | {one.encode_name: _value(one.type, one.name, whole=whole) for one in given}


def _value(of: inspect.Type, name: str, *, whole: bool) -> Any:
    """Return a value of a type; a union takes its first member, or where not `whole` None."""
    if isinstance(of, inspect.UnionType):
        none = [one for one in of.types if isinstance(one, inspect.NoneType)]
        others = [one for one in of.types if not isinstance(one, inspect.NoneType)]
        return _value((others if whole or not none else none)[0], name, whole=whole)
    if isinstance(of, inspect.StructType):
        return _struct(of, whole=whole)
    if isinstance(of, inspect.EnumType):
        return next(iter(of.cls)).value
    if isinstance(of, inspect.LiteralType):
        return of.values[0]
    if isinstance(of, inspect.DictType):
        return {"a": _value(of.value_type, name, whole=whole)} if whole else {}
    if isinstance(of, inspect.VarTupleType | inspect.ListType):
        return [_value(of.item_type, name, whole=whole)] if whole else []
    if isinstance(of, inspect.TupleType):
        return [_value(one, name, whole=whole) for one in of.item_types]
    if isinstance(of, inspect.StrType):
        is_plain = of.pattern is None or re.search(of.pattern, f"{name} é") is not None
        return f"{name} é" if is_plain else sha256(name.encode()).hexdigest()
    if type(of) not in PLAIN:
        raise TypeError(f"{name}: {of} has no example. Add one to {__file__}.")
    return PLAIN[type(of)]


def write() -> list[Path]:
    """Write what is missing, and return it; a file that exists is left as it is."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    written = []
    for type_, v in missing():
        bodies = [to_data(example(EVENTS[type_], whole=whole)) for whole in (True, False)]
        text = json.dumps({"type": type_, "v": v, "bodies": bodies}, ensure_ascii=False, indent=1)
        golden_file(type_, v).write_text(text + "\n", "utf-8")
        written.append(golden_file(type_, v))
    return written


if __name__ == "__main__":
    for path in write():
        print(f"{path}: written. Look at it, and commit it.")
