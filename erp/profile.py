"""What each ERP's fields hold: lengths in characters, digits after the point per UN/ECE unit."""

from erp.port import ErpProfile, Kind

SANDBOX = ErpProfile(
    name="sandbox",
    supports=frozenset(
        {"reversal", "document_reversal", "partial_fg", "lot_on_issue", "native_key", "read_back"}
    ),
    scales={"KGM": 9, "C62": 0},
    lengths={"ref": 16, "item": 40, "lot": 40, "order": 40},
    asks_period_first=True,
    ledger_grows=True,
    # Orders and BOMs are few and must not wait for the night when they vanish or a line changes.
    deltas=frozenset({Kind.ITEM, Kind.CUSTOMER}),
    reads_stock=True,
)
TRYTON = ErpProfile(
    name="tryton",
    supports=frozenset(
        {"reversal", "document_reversal", "partial_fg", "lot_on_issue", "native_key", "read_back"}
    ),
    scales={"KGM": 4, "GRM": 2, "LTR": 2, "C62": 0},
    lengths={"ref": 16, "item": 80, "lot": 80, "order": 80},
    asks_period_first=True,
    reads_stock=True,
)
