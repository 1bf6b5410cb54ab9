r"""The label of a dispensed container: its GS1 element string and its ZPL text.

ZPL is sent as text to a printer's port 9100. In ZPL a caret or tilde begins a command, so text
fields carry every such character as hex; in the DataMatrix field `_1` is FNC1 and `__` an
underscore. A field of variable length is followed by FNC1 unless it is the last.
"""

from dataclasses import dataclass
from datetime import date

from capture.barcode import SEPARATOR, check_digit
from core.errors import MesError

# GS1 AI encodable character set 82
ALLOWED = frozenset(
    "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
)
LONGEST = 20


class NotPrintable(MesError):
    """A field cannot stand in a GS1 code."""

    def __init__(self, field: str, value: str, rule: str) -> None:
        super().__init__(f"Label field {field}: {value!r} {rule}. Change it before printing.")
        self.field = field
        self.value = value


@dataclass(frozen=True, slots=True, kw_only=True)
class DispenseLabel:
    """What is printed on a dispensed container. Texts are printed as given.

    `copy_number` is 1 for the first print; a reprint counts on and shows it.
    """

    gtin: str
    lot: str
    container: str
    expiry: date | None = None
    material: str
    batch: str
    product: str
    net: str
    by: str
    at: str
    copy_number: int = 1


def fields(label: DispenseLabel) -> tuple[tuple[str, str], ...]:
    """Return (AI, value) in printing order: fixed lengths first.

    Raises:
        NotPrintable: the GTIN, lot or container cannot be coded.
    """
    if len(label.gtin) != 14 or not (label.gtin.isascii() and label.gtin.isdigit()):
        raise NotPrintable("gtin", label.gtin, "must have 14 digits")
    if int(label.gtin[-1]) != check_digit(label.gtin[:-1]):
        raise NotPrintable("gtin", label.gtin, "has a wrong check digit")
    for name, value in (("lot", label.lot), ("container", label.container)):
        if not 1 <= len(value) <= LONGEST:
            raise NotPrintable(name, value, f"must have 1 to {LONGEST} characters")
        if not set(value) <= ALLOWED:
            raise NotPrintable(name, value, "has a character that GS1 does not allow")
    expiry = () if label.expiry is None else (("17", label.expiry.strftime("%y%m%d")),)
    return (("01", label.gtin), *expiry, ("10", label.lot), ("21", label.container))


def element_string(label: DispenseLabel) -> str:
    """Return what a scanner reads from the label, without its symbology identifier."""
    *first, last = fields(label)
    parts = [ai + value + (SEPARATOR if ai == "10" else "") for ai, value in first]
    return "".join(parts) + "".join(last)


def readable(label: DispenseLabel) -> str:
    """Return the text printed under the code: `(01)...(10)...`."""
    return "".join(f"({ai}){value}" for ai, value in fields(label))


def zpl(label: DispenseLabel) -> str:
    """Return the ZPL of one label, 203 dpi, 100 mm wide."""
    code = "_1" + element_string(label).replace("_", "__").replace(SEPARATOR, "_1")
    copy = "" if label.copy_number == 1 else f"COPY {label.copy_number}"
    texts = [
        (30, 40, 44, label.material),
        (30, 95, 56, label.net),
        (30, 165, 32, f"Lot {label.lot}   Container {label.container}"),
        (30, 205, 32, f"Batch {label.batch}   {label.product}"),
        (30, 245, 28, f"{label.by}   {label.at}"),
        (30, 285, 28, readable(label)),
        (30, 325, 36, copy),
    ]
    lines = [
        f"^FO{x},{y}^A0N,{size},{size}^FH_^FD{_text(text)}^FS" for x, y, size, text in texts if text
    ]
    return "\n".join(["^XA", "^CI28", *lines, f"^FO560,95^BXN,6,200,,,,_^FD{code}^FS", "^XZ", ""])


def _text(value: str) -> str:
    """Return text in which nothing can begin a printer command."""
    kept = "".join(c if c.isprintable() else " " for c in value)
    return kept.replace("_", "_5F").replace("^", "_5E").replace("~", "_7E").replace("\\", "_5C")
