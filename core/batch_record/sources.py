"""Everything that a batch record is made from, as of one moment."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.batch.amendment import Amendment
from core.batch.state import Batch
from core.batch_record.model import Deed
from core.capa import Capa
from core.deviation import Deviation
from core.ledger.checkpoint import Checkpoint
from core.ledger.entry import Entry
from core.material import Lot
from core.order import Gate, Order
from core.record_print import Prints
from core.refusal import Attempt
from core.release import RulePassed

type Name = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """States and entries of a batch.

    `entries` are its own stream's; `trail` those of everything that was decided about it too, in
    the ledger's order. `batch` is its closed stream, `stands` the same with its amendments.
    """

    batch: Batch
    stands: Batch
    entries: Sequence[Entry]
    trail: Sequence[Entry]
    head: str
    deviations: Sequence[Deviation]
    capas: Mapping[str, Sequence[Capa]]
    amendments: Sequence[Amendment]
    order: Order | None
    lots: Mapping[str, Lot]
    attempts: Sequence[Attempt]
    gates: Sequence[Gate]
    passed: Sequence[RulePassed]
    prints: Prints | None
    checkpoint: Checkpoint
    zone: str
    name: Name

    def deed(self, by: str, at: datetime | None, *, entry: int | None = None) -> Deed:
        """Return who did something and when, with the printed name."""
        return Deed(by=by, name=self.name(by), at=at, entry=entry)
