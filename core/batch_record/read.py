"""The batch record read from a ledger, as of one moment."""

from typing import Any

from core.authority import PlantRules
from core.batch.state import Batch
from core.batch_record.build import Sources, batch_record
from core.batch_record.model import BatchRecord
from core.deviation import Deviation
from core.errors import Unknown
from core.fact import Sketch
from core.ledger.export import NothingToExport
from core.ledger.store import Ledger
from core.material import Lot
from core.order import Order
from core.people import Person
from core.projections.nouns import Nouns
from core.record_print import Prints
from core.refusal import Refusals
from core.release import release_gates, rules_passed

TRIES = 20


def read_record(ledger: Ledger, name: str) -> BatchRecord:
    """Return a batch's record; nothing was written to the ledger while it was read.

    On a ledger that grows without a pause the last of some readings stands.

    Raises:
        Unknown: no such batch.
        NothingToExport: the ledger has no checkpoint.
    """
    for _ in range(TRIES - 1):
        size = ledger.size()
        sources = _sources(ledger, name)
        if ledger.size() == size:
            return batch_record(sources)
    return batch_record(_sources(ledger, name))


def _sources(ledger: Ledger, name: str) -> Sources:
    checkpoint = ledger.checkpoint()
    if checkpoint is None:
        raise NothingToExport("Ledger")
    nouns = Nouns(ledger.store)
    batch = nouns.get(Batch, name)
    head = ledger.head(f"batch/{name}")
    if batch is None or head is None:
        raise Unknown("Batch", name)
    found = [nouns.get(Deviation, one) for one in batch.deviations]
    deviations = [one for one in found if one is not None]
    states: dict[str, Any] = {f"deviation/{one.deviation}": one for one in deviations}
    used = {one.lot for run in batch.steps for one in run.partials}
    lots = {lot: state for lot in used if (state := nouns.get(Lot, lot)) is not None}
    refusals = nouns.get(Refusals, f"batch/{name}")
    rules = nouns.all(PlantRules)
    people = {
        one.person: f"{one.name} (simulated)" if one.simulated else one.name
        for one in nouns.all(Person)
    }
    return Sources(
        batch=batch,
        entries=ledger.stream(f"batch/{name}"),
        head=head.leaf,
        deviations=deviations,
        order=nouns.get(Order, batch.order),
        lots=lots,
        attempts=refusals.attempts if refusals else (),
        gates=release_gates(Sketch(states), batch),
        passed=rules_passed(batch),
        prints=nouns.get(Prints, name),
        checkpoint=checkpoint,
        zone=rules[0].zone if rules else "UTC",
        name=lambda person: people.get(person, person),
    )
