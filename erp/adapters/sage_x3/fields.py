"""The contract of the two subprograms: names, lengths and forms, for X3's types.

`ZMESPOST` posts one movement of a work order in one transaction, or refuses and keeps nothing;
`I_REF` is the unique key of a table of its own. `ZMESREAD` answers one page of one kind of record.
Unverified on a real system: that lengths are as the data dictionary's types say (ITM 20, LOT 15,
VCR 20, FCY 5, LOC 10, UOM 3), and that a published table takes a hundred lines.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

POST, READ = "ZMESPOST", "ZMESREAD"  # at most ten characters, as X3 names its services
PAGE = 100
DIGITS = 5
DATE = re.compile(r"\d{8}")
QUANTITY = re.compile(r"-?\d{1,9}(\.\d{1,5})?")
MOVEMENTS = ("issue", "return", "scrap", "receipt")
TEXTS = {
    "I_REF": 20,
    "I_MSG": 40,
    "I_DIG": 64,
    "I_MVT": 10,
    "I_FCY": 5,
    "I_MFG": 20,
    "I_ITM": 20,
    "I_LOT": 15,
    "I_LOC": 10,
    "I_STU": 3,
    "I_COR": 20,
    "I_UND": 20,
}
MAY_BE_EMPTY = frozenset({"I_COR", "I_UND", "I_LOC"})
CAPITALS = frozenset(
    {"I_REF", "I_FCY", "I_MFG", "I_ITM", "I_LOT", "I_LOC", "I_STU", "I_COR", "I_UND"}
)
POSTING = frozenset(TEXTS) | {"I_DAT", "I_QTY"}
KINDS = (
    "item", "bom", "order", "customer", "entry", "posting", "reversal", "undoing", "lot", "period",
)  # fmt: skip
READING = frozenset({"I_KIND", "I_FCY", "I_KEY", "I_LOT", "I_AFTER"})


def faults(record: Mapping[str, Any]) -> list[str]:
    """Return what of a posting the subprogram would not take."""
    found = [f"{name}: no such parameter" for name in sorted(set(record) - POSTING)]
    found += [f"{name}: is missing" for name in sorted(POSTING - set(record))]
    for name, value in record.items():
        if name in POSTING and not isinstance(value, str):
            found.append(f"{name}: {value!r} is no text")
        elif name in TEXTS:
            found += _text_faults(name, value)
    if isinstance(record.get("I_MVT"), str) and record["I_MVT"] not in MOVEMENTS:
        found.append(f"I_MVT: {record['I_MVT']} is not one of {', '.join(MOVEMENTS)}")
    if not DATE.fullmatch(str(record.get("I_DAT", "00000000"))):
        found.append(f"I_DAT: {record['I_DAT']} is no date of eight digits")
    quantity = str(record.get("I_QTY", "1"))
    if not QUANTITY.fullmatch(quantity) or Decimal(quantity) == 0:
        found.append(f"I_QTY: {quantity} is zero, or not 9.{DIGITS} digits")
    return found


def _text_faults(name: str, value: str) -> list[str]:
    if not value and name not in MAY_BE_EMPTY:
        return [f"{name}: is empty"]
    if len(value) > TEXTS[name]:
        return [f"{name}: {value} is longer than {TEXTS[name]} characters"]
    if name in CAPITALS and value != value.upper().strip():
        return [f"{name}: {value} would be kept as {value.upper().strip()}"]
    return []
