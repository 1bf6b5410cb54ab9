"""What the fields of a command may hold, whoever sends it; checked once, before the queue.

Types say what a field is; this also keeps out numbers that are none (`NaN`), numbers whose
digits alone would stop the writer (`1E+999999999`), and lists without end.
"""

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from core.errors import Refused
from core.fact import Command
from core.quantity import SPOKEN

DIGITS = 28
PLACES = 12  # behind the point
LARGEST = 10**15
INTEGER_LIMIT = 2**53  # as in the ledger's canonical bytes
LONGEST_TEXT = 4000
LONGEST_COMMENT = 2000
TAGS = ("\U000e0000", "\U000e007f")
MOST_ITEMS = 1000
KEY_LENGTH = 64
YEARS = (1970, 2999)  # an offset from UTC cannot lead out of the calendar


class FieldRefused(Refused):
    """A field holds what no rule can work with."""

    def __init__(self, command: str, *, field: str, what: str) -> None:
        super().__init__(
            f"{command}: {field} {what}. Correct it and send the command again.",
            command=command,
            field=field,
            what=what,
        )


def check_fields(command: Command, body: bytes) -> None:
    """Refuse a command whose fields are not what its type says, or are out of all measure.

    `body` is the command's own JSON. Commands made in Python are not checked when they are made.

    Raises:
        FieldRefused: with the first field that does not fit.
    """
    name = str(command.__struct_config__.tag)
    try:
        msgspec.json.decode(body, type=type(command))
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at ")
        field = where.strip("`").removeprefix("$.") or "it"
        raise FieldRefused(name, field=field, what=f"does not fit: {what}") from error
    for field in command.__struct_fields__:
        _check(name, field, getattr(command, field))


def check_words(command: Command, *, reason: str | None, comment: str) -> None:
    """Refuse a reason or a signer's comment that is no words; a comment may be left empty.

    Raises:
        FieldRefused: with what does not fit.
    """
    given = [("reason", reason, LONGEST_TEXT)] if reason is not None else []
    is_written = bool(comment.strip()) or len(comment) > LONGEST_COMMENT
    given += [("comment", comment, LONGEST_COMMENT)] if is_written else []
    for field, text, longest in given:
        what = _words(text, longest)
        if what is not None:
            raise FieldRefused(str(command.__struct_config__.tag), field=field, what=what)


def _words(text: str, longest: int) -> str | None:
    """Return why a text is none that a reader sees as it is stored, or None."""
    if len(text) > longest:
        return f"has {len(text)} characters, at most {longest} are kept"
    if not text.strip():
        return "is blank"
    if not re.fullmatch(SPOKEN, text) or _hidden(text):
        return "has a character that cannot be seen, or turns the order of others"
    return None


def _hidden(text: str) -> bool:
    """Return whether a text holds signs that no screen shows: tags, or halves of a sign."""
    return any(TAGS[0] <= sign <= TAGS[1] or "\ud800" <= sign <= "\udfff" for sign in text)


def _check(name: str, field: str, value: Any) -> None:
    what: str | None = None
    match value:
        case Decimal():
            what = _decimal(value)
        case float():
            what = "is a binary fraction, which is never exact"
        case bool() | None:
            pass
        case int() if not -INTEGER_LIMIT < value < INTEGER_LIMIT:
            what = "is a whole number of 2^53 or more"
        case str() if len(value) > LONGEST_TEXT:
            what = f"has {len(value)} characters, at most {LONGEST_TEXT} are kept"
        case str() if not value.isascii() and _hidden(value):
            what = "has a character that no screen shows"
        case datetime() if not YEARS[0] <= value.year <= YEARS[1]:
            what = f"is in the year {value.year}, must be from {YEARS[0]} to {YEARS[1]}"
        case dict() | tuple() | list() if len(value) > MOST_ITEMS:
            what = f"has {len(value)} items, at most {MOST_ITEMS} are taken"
        case dict():
            for key, item in value.items():
                if not (key.isascii() and key.isprintable() and 1 <= len(key) <= KEY_LENGTH):
                    raise FieldRefused(name, field=field, what="has a key that is no plain name")
                _check(name, f"{field}.{key}", item)
        case tuple() | list():
            for index, item in enumerate(value):
                _check(name, f"{field}[{index}]", item)
        case msgspec.Struct():
            for part in value.__struct_fields__:
                _check(name, f"{field}.{part}", getattr(value, part))
    if what is not None:
        raise FieldRefused(name, field=field, what=what)


def _decimal(value: Decimal) -> str | None:
    """Return why a number is none to count or weigh with, or None."""
    if not value.is_finite():
        return f"is {value}, which is no number"
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    if len(digits) > DIGITS or exponent < -PLACES or value.adjusted() >= len(str(LARGEST)) - 1:
        return (
            f"is out of range: at most {DIGITS} digits, {PLACES} of them behind the point, and"
            f" less than {LARGEST:,} in size"
        )
    return None
