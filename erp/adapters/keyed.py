"""Pages and services that a customer's people make after our contract: our reference is their key.

Of such an ERP the profile, the name of an entry and the reading of a posting are the same; only
the names of fields and the way in are the maker's.
"""

from collections.abc import Mapping
from typing import Any

from erp.adapters.answers import Standing
from erp.adapters.movements import MATERIAL
from erp.adapters.units import Units
from erp.port import DocumentRef, ErpProfile, Exchange

SUPPORTS = frozenset(
    {
        "reversal",
        "document_reversal",
        "partial_fg",
        "lot_on_issue",
        "native_key",
        "read_back",
        "future_dates",
    }
)


def profile(name: str, units: Units, lengths: Mapping[str, int], *, gl_at_once: bool) -> ErpProfile:
    """Return what fits; the general ledger is read where it is written with each posting."""
    return ErpProfile(
        name=name,
        supports=SUPPORTS,
        scales=units.scales(),
        lengths=lengths,
        asks_period_first=True,
        takes=MATERIAL,
        signs_receipts=False,
        reads_gl=gl_at_once,
    )


def entry_of(kind: str, record: Mapping[str, Any]) -> DocumentRef:
    """Return how we name the entry that a posting made."""
    return DocumentRef(kind, str(record["entryNumber"]), record["postingDate"][:4], "1")


def standing(
    kind: str, record: Mapping[str, Any], *, digest: str, exchange: Exchange | None = None
) -> Standing:
    """Return what is booked under a reference; another digest is another message."""
    return Standing(
        documents=(entry_of(kind, record),),
        period=record["postingDate"][:7],
        is_same=record["digest"] == digest,
        exchange=exchange,
    )


def answered(kind: str, record: Mapping[str, Any]) -> tuple[str, Standing]:
    """Return the reference that an answer is for, and what was booked."""
    documents, period = (entry_of(kind, record),), record["postingDate"][:7]
    return record["reference"], Standing(documents=documents, period=period, is_same=True)
