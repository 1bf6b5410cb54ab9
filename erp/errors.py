"""What can go wrong at the boundary; a small root of its own, beside the core's.

ErpFault
├── SignatureRefused   the bytes are not proven to come from the other side
├── MessageRefused     the bytes are signed but break the contract
├── NotTranslated      a ledger entry lacks what its message needs
└── ErpUnreachable     no answer, or one that is not an answer
"""


class ErpFault(Exception):
    """Root of the faults of this package."""


class SignatureRefused(ErpFault):
    """The signature, its time or its headers do not hold."""

    def __init__(self, event_id: str, why: str) -> None:
        super().__init__(
            f"Message {event_id or '(no id)'}: {why}. Check secrets and clocks of both sides."
        )
        self.event_id = event_id
        self.why = why


class MessageRefused(ErpFault):
    """The body is not a message of the contract."""

    def __init__(self, why: str) -> None:
        super().__init__(f"Message body: {why}. Compare it with the contract.")
        self.why = why


class NotTranslated(ErpFault):
    """A fact in the ledger cannot become the message its type promises."""

    def __init__(self, seq: int, kind: str, why: str) -> None:
        super().__init__(f"Entry {seq} ({kind}): {why}. Post it by hand, or enter a correction.")
        self.seq = seq
        self.kind = kind
        self.why = why


class ErpUnreachable(ErpFault):
    """The ERP gave no usable answer to a question."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"ERP at {address}: {why}. Messages wait; check that it runs.")
        self.address = address
        self.why = why
