"""What a scanner or a keyboard gave: GS1 element strings, or a plain lot code.

The symbology identifier decides where there is one (`]d2`, `]C1`). Without it only a text that
cannot be anything else is read as GS1: typed `(01)...(10)...`, one with a group separator, or
one that opens like a container label. A plain lot such as `10D9T` stays plain.
Whether a lot may be used is not decided here; `faults` says what is wrong with the label itself.
"""

import calendar
import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal

from biip import ParseConfig, ParseError
from biip.gs1_application_identifiers import GS1ApplicationIdentifier
from biip.gs1_element_strings import GS1ElementString

SEPARATOR = "\x1d"
LONGEST = 256
GS1_SYMBOLOGIES = ("]C1", "]d2", "]Q3", "]e0", "]J1")
PRODUCT_SYMBOLOGIES = ("]E0", "]E4", "]I1")  # a product number without a lot

# without a symbology identifier: a GTIN then another known field, or a pallet number
OPENS_AS_LABEL = re.compile(
    r"01[0-9]{14}(?:(?:10|21|240|241).+|(?:11|15|17)[0-9]{6}.*|31[0-6][0-9]{7}.*|(?:30|37)[0-9]+.*)?"
    r"|00[0-9]{18}"
)
TYPED = re.compile(r"\((\d{2,4})\)([^(]*)")
MASSES = {"310": "kg"}
COUNTS = ("30", "37")
CONFIG = ParseConfig(gs1_element_strings_verify_date=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One scan. `faults` is empty when every field that is there reads well.

    `others` holds fields that are known or unknown to GS1 and not used here, as (AI, value).
    """

    raw: str
    kind: Literal["gs1", "plain"]
    gtin: str | None = None
    lot: str | None = None
    container: str | None = None
    expiry: date | None = None
    quantity: Decimal | None = None
    unit: str | None = None
    sscc: str | None = None
    others: tuple[tuple[str, str], ...] = ()
    faults: tuple[str, ...] = ()

    def missing(self, *wanted: str) -> tuple[str, ...]:
        """Return the wanted fields the label did not give, by default those of a container.

        A scanner that drops separators lets the lot swallow what follows: the container
        is then missing.
        """
        fields = wanted or ("gtin", "lot", "container")
        return tuple(name for name in fields if getattr(self, name) is None)


def read(text: str) -> Scan:
    """Return what was scanned or typed.

    >>> read("(01)07032069804988(17)271200(10)LOT42").expiry
    datetime.date(2027, 12, 31)
    >>> read("10D9T").kind
    'plain'
    """
    raw = text.strip(" \t\r\n")
    if len(raw) > LONGEST:
        fault = f"Scan of {len(raw)} characters: at most {LONGEST} are read."
        return Scan(raw=raw[:LONGEST], kind="plain", faults=(fault,))
    if raw.startswith("]"):
        symbology, body = raw[:3], raw[3:]
        if symbology in GS1_SYMBOLOGIES:
            return _read_elements(raw, body.lstrip(SEPARATOR))
        if symbology in PRODUCT_SYMBOLOGIES:
            return _with_gtin(Scan(raw=raw, kind="gs1"), body.zfill(14))
        return _read_plain(raw, body)
    if raw.startswith("("):
        return _read_typed(raw)
    body = raw.lstrip(SEPARATOR)
    if SEPARATOR in raw or OPENS_AS_LABEL.fullmatch(body):
        return _read_elements(raw, body)
    return _read_plain(raw, raw)


def check_digit(digits: str) -> int:
    """Return the GS1 check digit of the digits before it.

    >>> check_digit("0703206980498")
    8
    """
    weighted = (int(d) * (3 if n % 2 == 0 else 1) for n, d in enumerate(reversed(digits)))
    return -sum(weighted) % 10


def _read_plain(raw: str, body: str) -> Scan:
    """Take the text as a lot code, as it stands."""
    if not body or not body.isprintable():
        return Scan(raw=raw, kind="plain", faults=("Scan: holds no readable text.",))
    return Scan(raw=raw, kind="plain", lot=body)


def _read_typed(raw: str) -> Scan:
    """Read the form people type and labels print: `(01)...(10)...`."""
    fields = TYPED.findall(raw)
    if "".join(f"({ai}){value}" for ai, value in fields) != raw:
        return Scan(raw=raw, kind="gs1", faults=(f"Text {raw}: is not (AI)value from end to end.",))
    scan = Scan(raw=raw, kind="gs1")
    for ai, value in fields:
        scan = _with_text(scan, f"{ai}{value.strip()}", whole=True)[0]
    return _finished(scan)


def _read_elements(raw: str, body: str) -> Scan:
    """Read element strings one after the other; an unknown field ends at the next separator."""
    scan, rest = Scan(raw=raw, kind="gs1"), body
    while rest:
        scan, used = _with_text(scan, rest, whole=False)
        rest = rest[used:].lstrip(SEPARATOR)
    return _finished(scan)


def _with_text(scan: Scan, text: str, *, whole: bool) -> tuple[Scan, int]:
    """Add the first field of `text`; return it with the number of characters it took."""
    piece = text.split(SEPARATOR, 1)[0]
    try:
        ai = GS1ApplicationIdentifier.extract(piece)
    except ParseError:
        # somebody's own field must not cost us the fields that we know
        return replace(scan, others=(*scan.others, ("", piece))), len(piece)
    try:
        element = (GS1ElementString.parse if whole else GS1ElementString.extract)(
            piece, config=CONFIG
        )
    except (ParseError, ValueError, ArithmeticError):
        fault = f"Field ({ai.ai}): {piece[len(ai.ai) :]} does not have its form."
        return replace(scan, faults=(*scan.faults, fault)), len(piece)
    return _with_element(scan, ai.ai, element), len(ai.ai) + len(element.value)


def _with_element(scan: Scan, ai: str, element: GS1ElementString) -> Scan:
    value = element.value
    match ai:
        case "01":
            return _with_gtin(scan, value)
        case "00":
            return _with_sscc(scan, value)
        case "10":
            return _once(scan, "lot", value)
        case "21":
            return _once(scan, "container", value)
        case "17":
            return _with_expiry(scan, value)
        case _ if ai[:3] in MASSES and element.decimal is not None:
            return replace(_once(scan, "quantity", element.decimal), unit=MASSES[ai[:3]])
        case _ if ai in COUNTS and not (value.isascii() and value.isdigit()):
            fault = f"Field ({ai}): {value or 'nothing'} is no count."
            return replace(scan, faults=(*scan.faults, fault))
        case _ if ai in COUNTS:
            return replace(_once(scan, "quantity", Decimal(value)), unit="EA")
    return replace(scan, others=(*scan.others, (ai, value)))


def _once(scan: Scan, field: str, value: Any) -> Scan:
    """Set a field; two different values on one label are a fault and leave the first."""
    before = getattr(scan, field)
    if before is not None and before != value:
        fault = f"Label: gives {field} twice, {before} and {value}."
        return replace(scan, faults=(*scan.faults, fault))
    return replace(scan, **{field: value})


def _with_gtin(scan: Scan, digits: str) -> Scan:
    fault = _check_fault("GTIN", digits, length=14)
    return replace(scan, faults=(*scan.faults, fault)) if fault else _once(scan, "gtin", digits)


def _with_sscc(scan: Scan, digits: str) -> Scan:
    fault = _check_fault("SSCC", digits, length=18)
    return replace(scan, faults=(*scan.faults, fault)) if fault else _once(scan, "sscc", digits)


def _check_fault(name: str, digits: str, *, length: int) -> str | None:
    if len(digits) != length or not (digits.isascii() and digits.isdigit()):
        return f"{name} {digits}: must have {length} digits."
    wanted = check_digit(digits[:-1])
    if int(digits[-1]) != wanted:
        return f"{name} {digits}: check digit is {digits[-1]}, must be {wanted}."
    return None


def _with_expiry(scan: Scan, digits: str) -> Scan:
    expiry = day(digits, today=datetime.now(UTC).date())
    if expiry is None:
        fault = f"Expiry {digits}: is no date YYMMDD."
        return replace(scan, faults=(*scan.faults, fault))
    return _once(scan, "expiry", expiry)


def day(digits: str, *, today: date) -> date | None:
    """Return the date in YYMMDD; day 00 is the end of the month, None if there is no such day.

    The century is the one that puts the year within 49 years before and 50 after today.

    >>> day("280200", today=date(2026, 3, 2))
    datetime.date(2028, 2, 29)
    """
    year = today.year - today.year % 100 + int(digits[:2])
    if year - today.year >= 51:
        year -= 100
    elif year - today.year <= -50:
        year += 100
    month, number = int(digits[2:4]), int(digits[4:6])
    if not 1 <= month <= 12:
        return None
    last = calendar.monthrange(year, month)[1]
    return date(year, month, number or last) if number <= last else None


def _finished(scan: Scan) -> Scan:
    if not scan.faults and scan == Scan(raw=scan.raw, kind="gs1", others=scan.others):
        return replace(scan, faults=("Label: holds no product, lot or container.",))
    return scan
