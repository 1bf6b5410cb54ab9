"""Reading records with all their faults at once: file, key, what is there, what is expected."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Literal, TypeAliasType, Union, get_args, get_origin

import msgspec
from msgspec import UNSET, Struct

from core.errors import MesError

type Positive = Annotated[Decimal, "above zero"]
type Count = Annotated[int, msgspec.Meta(ge=1)]
EXPECTED = re.compile(r"Expected `([^`]+)`(?: ([^,]+?))?(?:, got.*)?( - at.*)?$")
WORDS = {
    "str": "text", "int": "a whole number", "decimal": "a number", "date": "a date",
    "time": "a time", "bool": "true or false", "array": "a list", "object": "a table",
}  # fmt: skip


class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One record of a plant file; a key it does not name is a fault."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a file of the plant."""

    file: str
    key: str
    what: str
    expected: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.what}, expected {self.expected}"


class PackFaulty(MesError):
    """A plant pack cannot be used; every fault is listed."""

    def __init__(self, name: str, faults: tuple[Fault, ...]) -> None:
        lines = "\n".join(str(fault) for fault in faults)
        many = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__(f"Plant {name}: {many}. Mend the files, then start again.\n{lines}")
        self.faults = faults


@dataclass(slots=True)
class Findings:
    """The faults found so far."""

    faults: list[Fault] = field(default_factory=list)

    def add(self, file: str, key: str, what: str, *, expected: str) -> None:
        """Note one fault."""
        self.faults.append(Fault(file, key, what, expected))


def read_record[T: Struct](findings: Findings, file: str, value: Any, *, kind: type[T]) -> T | None:
    """Return the record that a parsed file holds, or None after noting each of its faults."""
    before = len(findings.faults)
    record = _value(findings, file, "", value=value, kind=kind)
    if len(findings.faults) > before:
        return None
    assert isinstance(record, kind), record
    return record


def _value(findings: Findings, file: str, key: str, *, value: Any, kind: Any) -> Any:
    kind = _without_none(kind, value)
    if isinstance(kind, type) and issubclass(kind, Struct):
        return _record(findings, file, key, value=value, kind=kind)
    origin, parts = get_origin(kind), get_args(kind)
    if origin is tuple and isinstance(value, list) and parts[1:] == (Ellipsis,):
        return tuple(
            _value(findings, file, f"{key}[{n}]", value=one, kind=parts[0])
            for n, one in enumerate(value)
        )
    if origin is dict and isinstance(value, Mapping):
        return {
            name: _value(findings, file, _key(key, name), value=one, kind=parts[1])
            for name, one in value.items()
        }
    try:
        found = msgspec.convert(value, Decimal if kind is Positive else kind)
    except msgspec.ValidationError as fault:
        findings.add(file, key, _shown(value), expected=_expected(str(fault), kind))
        return None
    if kind is Positive and found <= 0:
        findings.add(file, key, _shown(value), expected="a number above 0")
    return found


def _record(findings: Findings, file: str, key: str, *, value: Any, kind: type[Struct]) -> Any:
    if not isinstance(value, Mapping):
        findings.add(file, key or "file", _shown(value), expected="a table")
        return None
    fields = {one.encode_name: one for one in msgspec.structs.fields(kind)}
    for name in value:
        if name not in fields:
            known = ", ".join(fields)
            findings.add(file, _key(key, name), "not a known key", expected=f"one of {known}")
    found: dict[str, Any] = {}
    before = len(findings.faults)
    for name, one in fields.items():
        if name in value:
            found[one.name] = _value(
                findings, file, _key(key, name), value=value[name], kind=one.type
            )
        elif one.required:
            findings.add(file, _key(key, name), "missing", expected=_kind_words(one.type))
    return kind(**found) if len(findings.faults) == before else None


def _without_none(kind: Any, value: Any) -> Any:
    if get_origin(kind) in (Union, UnionType) and value not in (None, UNSET):
        rest = [part for part in get_args(kind) if part is not type(None)]
        return rest[0] if len(rest) == 1 else kind
    return kind


def _key(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return f"{str(value)!r}"[:60] if isinstance(value, str) else str(value)[:60]


def _expected(message: str, kind: Any) -> str:
    if message.startswith("Invalid enum value"):
        return f"one of {', '.join(_choices(kind))}"
    if message == "Invalid decimal string":
        return "a number"
    match = EXPECTED.match(message)
    if match is None:
        return message.split(", got")[0].removeprefix("Expected ").replace("`", "")
    word = " or ".join(WORDS.get(part.strip(), part.strip()) for part in match[1].split("|"))
    return f"{word} {match[2]}" if match[2] else word


def _choices(kind: Any) -> tuple[str, ...]:
    while isinstance(kind, TypeAliasType):
        kind = kind.__value__
    if get_origin(kind) is Literal:
        return tuple(map(str, get_args(kind)))
    return tuple(str(one.value) for one in kind) if issubclass(kind, Enum) else ()


def _kind_words(kind: Any) -> str:
    while isinstance(kind, TypeAliasType):
        kind = kind.__value__
    kind = getattr(kind, "__origin__", kind)
    if isinstance(kind, type) and issubclass(kind, Struct):
        return "a table"
    name = getattr(kind, "__name__", str(kind)).lower()
    return {**WORDS, "tuple": "a list", "dict": "a table"}.get(name, "a value")
