"""What a contract is generated from: a plant, its decisions and where they come from."""

from dataclasses import dataclass
from datetime import datetime

from core.clock import iso
from core.policy import Decisions
from erp.events import EVENTS, EventKind, told
from erp.port import ErpProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The decisions of one plant; without a version they are a profile that nobody has signed.

    `peer` is what fits into the ERP that the plant has chosen, None where it is not known.
    """

    plant: str
    profile: str
    decisions: Decisions
    version: int | None = None
    effective_at: datetime | None = None
    signed_by: str | None = None
    peer: ErpProfile | None = None

    @property
    def events(self) -> tuple[EventKind, ...]:
        """Return the message types that the other side hears of."""
        return tuple(kind for kind in EVENTS if told(kind, self.decisions))

    @property
    def pulls(self) -> tuple[str, ...]:
        """Return the pages of master data that are asked for."""
        pages = ["items"]
        if self.decisions.bom_ownership != "mes":
            pages.append("boms")
        if self.decisions.order_origin != "mes":
            pages.append("orders")
        return (*pages, "customers")

    @property
    def title(self) -> str:
        """Return which policy this is, as a reader needs it on the first line."""
        if self.version is None or self.effective_at is None:
            return f"profile {self.profile}, not signed: a proposal"
        return (
            f"boundary policy version {self.version} (profile {self.profile}), in force from"
            f" {iso(self.effective_at)}, signed by {self.signed_by}"
        )
