"""What the customer's pages take and give: our own contract, written for Business Central's types.

Page `postings`: an insert posts one item journal line of the order in the same transaction, or
refuses and keeps nothing. `reference` is its unique key. Page `entries` shows item ledger entries
with their order, and page `productionBomLines` the lines of items' production BOMs; both read only.
Unverified on a real system: Code[n] is upper-cased and trimmed there, a Decimal quantity keeps
five digits (both read in Microsoft's published sources).
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

DIGITS = 5
DATE = re.compile(r"\d{4}-\d\d-\d\d")
NO_DATE = "0001-01-01"  # how OData writes an empty date of AL
ENTRY_TYPES = ("Consumption", "Output", "Negative_x0020_Adjmt_x002E_")
MOVEMENTS = ("issue", "return", "scrap", "receipt")
CODES = {
    "reference": 20,
    "orderNumber": 20,
    "itemNumber": 20,
    "lotNumber": 50,
    "locationCode": 10,
    "unitOfMeasureCode": 10,
    "corrects": 20,
    "undoes": 20,
}
TEXTS = {"messageId": 40, "digest": 64}
OPTIONAL = frozenset({"corrects", "undoes"})
REQUIRED = frozenset(CODES) - OPTIONAL | frozenset(TEXTS)
POSTING = frozenset(CODES) | frozenset(TEXTS) | {"entryType", "movement", "postingDate", "quantity"}


def faults(record: Mapping[str, Any]) -> list[str]:
    """Return what of a posting the page would not take: fields, lengths, types, digits."""
    found = [f"{name}: no such field" for name in sorted(set(record) - POSTING)]
    found += [f"{name}: is missing" for name in sorted(POSTING - OPTIONAL - set(record))]
    for name, length in {**CODES, **TEXTS}.items():
        if name not in record:
            continue
        value = record[name]
        if not isinstance(value, str):
            found.append(f"{name}: {value!r} is no text")
        elif name in REQUIRED and not value:
            found.append(f"{name}: is empty")
        elif len(value) > length:
            found.append(f"{name}: {value} is longer than {length} characters")
        elif name in CODES and value != value.upper().strip():
            found.append(f"{name}: {value} would be kept as {value.upper().strip()}")
    for name, known in (("entryType", ENTRY_TYPES), ("movement", MOVEMENTS)):
        if name in record and record[name] not in known:
            found.append(f"{name}: {record[name]} is not one of {', '.join(known)}")
    if not DATE.fullmatch(str(record.get("postingDate", NO_DATE))):
        found.append(f"postingDate: {record['postingDate']} is no date")
    return found + _quantity_faults(record.get("quantity"))


def _quantity_faults(value: object) -> list[str]:
    if value is None:
        return []
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return [f"quantity: {value!r} is no exact number"]
    exact = Decimal(value)
    if exact == 0 or abs(exact) >= 10**12:
        return [f"quantity: {value} is zero or has more than 12 digits before the point"]
    if exact != round(exact, DIGITS):
        return [f"quantity: {value} has more than {DIGITS} digits after the point"]
    return []
