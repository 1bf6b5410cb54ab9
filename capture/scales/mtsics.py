"""MT-SICS (Mettler Toledo): 9600 8N1, CR LF, upper case; replies to S and SI both begin with S.

A weight line is `S <st> ` + the weight right-justified in 10 + space + unit. Widths are fixed
and the whole line must match, so a line that lost characters is an error and never another
weight. The dialect has no checksum.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from capture.reading import Answer, Status

END = b"\r\n"
UNITS = ("g", "kg")

WEIGHT = re.compile(r"(?:S|SI) ([SD]) (.{10}) (g|kg)")
NUMBER = re.compile(r" *(-?[0-9]+(?:\.[0-9]+)?)")
CONDITION = re.compile(r"(?:S|SI) ([I+\-L])")
IDENTITY = re.compile(r'I4 A "([^"]{1,40})"')

CONDITIONS = {
    "I": Status.BUSY,
    "+": Status.OVERLOAD,
    "-": Status.UNDERLOAD,
    "L": Status.ERROR,
}


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its bytes and how long the device may take to answer."""

    line: bytes
    timeout_s: float


IMMEDIATE = Command(b"SI\r\n", 1.0)
STABLE = Command(b"S\r\n", 15.0)
SERIAL_NUMBER = Command(b"I4\r\n", 1.0)
RESET = Command(b"@\r\n", 1.0)
ZERO = Command(b"Z\r\n", 15.0)
CLEAR_TARE = Command(b"TAC\r\n", 1.0)


def parse(line: bytes, *, unit: str | None = None, decimals: int | None = None) -> Answer:
    r"""Return what one answer line says; a line that is not whole or not known is an error.

    A device that reports non-verified digits puts them in brackets: `100.0[0]`.

    >>> parse(b"S S     100.00 g\r\n").value
    Decimal('100.00')

    Args:
        line: the bytes up to and including CR LF; without them the line was cut off.
        unit: the unit configured for the device; another one is an error, never converted.
        decimals: the decimals configured for the device; another count is an error.
    """
    text = line.decode("ascii", "replace")
    raw = text.removesuffix("\n").removesuffix("\r")
    fault = Answer(status=Status.ERROR, raw=raw)
    if not line.endswith(END):
        return fault
    if condition := CONDITION.fullmatch(raw):
        return Answer(status=CONDITIONS[condition[1]], raw=raw)
    weight = WEIGHT.fullmatch(raw)
    number = NUMBER.fullmatch(_unbracketed(weight[2])) if weight else None
    if weight is None or number is None:
        return fault
    value = Decimal(number[1])
    if unit is not None and weight[3] != unit:
        return fault
    if decimals is not None and -int(value.as_tuple().exponent) != decimals:
        return fault
    status = Status.STABLE if weight[1] == "S" else Status.DYNAMIC
    return Answer(status=status, raw=raw, value=value, unit=weight[3])


def parse_identity(line: bytes) -> str | None:
    r"""Return the serial number in an answer to I4 or @, or None.

    >>> parse_identity(b'I4 A "B123456789"\r\n')
    'B123456789'
    """
    if not line.endswith(END):
        return None
    identity = IDENTITY.fullmatch(line[: -len(END)].decode("ascii", "replace"))
    return identity[1] if identity else None


def _unbracketed(field: str) -> str:
    """Return the weight field without one closing pair of brackets, else unchanged."""
    if field.endswith("]") and field.count("[") == 1 and field.count("]") == 1:
        return field.replace("[", "").replace("]", "")
    return field
