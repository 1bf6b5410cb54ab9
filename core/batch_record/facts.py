"""A record's value as plain facts: what its JSON holds, and what every rendering draws."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec
from msgspec import Struct

from core.clock import iso
from core.quantity import plain


@cache
def _later(kind: type[Struct]) -> tuple[tuple[str, Any], ...]:
    """Return the fields of a kind that were added later, with their defaults."""
    if not kind.__struct_config__.omit_defaults:
        return ()
    fields = msgspec.structs.fields(kind)
    return tuple((one.name, one.default) for one in fields if not one.required)


def facts_of(value: object, time: Callable[[datetime], str] = iso) -> Any:
    """Return a record as plain values, with every instant written by `time`.

    A field that was added later is left out at its default: the hash of a closed record stays.
    """
    match value:
        case datetime():
            return time(value)
        case Decimal():
            return plain(value)
        case Struct():
            fields = msgspec.structs.asdict(value)
            for name, default in _later(type(value)):
                if fields[name] == default:
                    del fields[name]
            return {name: facts_of(one, time) for name, one in fields.items()}
        case dict():
            return {str(name): facts_of(one, time) for name, one in value.items()}
        case tuple() | list():
            return [facts_of(one, time) for one in value]
        case _:
            return value
