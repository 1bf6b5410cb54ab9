"""The contract of the modelled service: its sets, and what a posting may hold.

An insert into `postings` posts one movement of an order in the same transaction, or refuses and
keeps nothing; `reference` is its unique key. All other sets are read only.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

DIGITS = 5
DATE = re.compile(r"\d{4}-\d\d-\d\d")
MOVEMENTS = ("issue", "return", "scrap", "receipt")
TEXTS = {
    "reference": 20,
    "messageId": 40,
    "digest": 64,
    "orderNumber": 40,
    "itemNumber": 47,
    "lotNumber": 40,
    "locationCode": 35,
    "unitCode": 10,
    "corrects": 20,
    "undoes": 20,
}
MAY_BE_EMPTY = frozenset({"corrects", "undoes", "locationCode"})
POSTING = frozenset(TEXTS) | {"movement", "postingDate", "quantity"}
SETS = ("postings", "entries", "items", "bomLines", "orders", "customers", "lots", "periods")


def faults(record: Mapping[str, Any]) -> list[str]:
    """Return what of a posting the service would not take: fields, lengths, types, digits."""
    found = [f"{name}: no such field" for name in sorted(set(record) - POSTING)]
    found += [f"{name}: is missing" for name in sorted(POSTING - set(record))]
    for name, length in TEXTS.items():
        value = record.get(name, "-")
        if not isinstance(value, str):
            found.append(f"{name}: {value!r} is no text")
        elif not value and name not in MAY_BE_EMPTY:
            found.append(f"{name}: is empty")
        elif len(value) > length:
            found.append(f"{name}: {value} is longer than {length} characters")
    if record.get("movement", MOVEMENTS[0]) not in MOVEMENTS:
        known = ", ".join(MOVEMENTS)
        found.append(f"movement: {record['movement']} is not one of {known}")
    if not DATE.fullmatch(str(record.get("postingDate", "0001-01-01"))):
        found.append(f"postingDate: {record['postingDate']} is no date")
    quantity = record.get("quantity", 1)
    if isinstance(quantity, bool) or not isinstance(quantity, int | Decimal):
        found.append(f"quantity: {quantity!r} is no exact number")
    elif quantity == 0 or Decimal(quantity) != round(Decimal(quantity), DIGITS):
        found.append(f"quantity: {quantity} is zero or has more than {DIGITS} digits")
    return found
