"""The batch record read from a ledger, as it is now or as it was at an earlier size."""

from typing import Any

from core.authority import PlantRules
from core.batch.amendment import amended, amendments
from core.batch.state import Batch
from core.batch_record.build import batch_record
from core.batch_record.model import BatchRecord
from core.batch_record.sources import Sources
from core.capa import CapaLinks
from core.deviation import Deviation
from core.errors import Unknown
from core.fact import Head, State
from core.ledger.entry import decode
from core.ledger.export import NothingToExport
from core.ledger.merkle import leaf_hash
from core.ledger.store import Ledger
from core.material import Lot
from core.order import Order
from core.people import Person
from core.projections.nouns import Nouns, fold
from core.record_print import Prints
from core.refusal import Refusals
from core.release import release_gates, rules_passed

TRIES = 20
CLOSED = "batch.closed"


class Past:
    """The states that a ledger led to up to an entry, folded when they are asked for."""

    def __init__(self, ledger: Ledger, upto: int) -> None:
        self._ledger, self.upto = ledger, upto
        self._states: dict[str, Any] = {}

    def get[S: State](self, noun: type[S], name: str) -> S | None:
        """Return a noun's state as it was, or None where it was not there yet."""
        stream = f"{noun.KIND}/{name}"
        if stream not in self._states:
            state = None
            for seq, body in self._ledger.stream_raw(stream):
                if seq <= self.upto:
                    state = fold(state, decode(body))
            self._states[stream] = state
        found: S | None = self._states[stream]
        return found


def read_record(ledger: Ledger, name: str, *, upto: int | None = None) -> BatchRecord:
    """Return a batch's record; nothing was written to the ledger while it was read.

    On a ledger that grows without a pause the last of some readings stands. With `upto` it is the
    record as of that entry, under the first checkpoint that covers it: the same for ever.

    Raises:
        Unknown: no such batch.
        NothingToExport: the ledger has no checkpoint.
    """
    if upto is not None:
        return batch_record(_sources(ledger, name, Past(ledger, upto)))
    for _ in range(TRIES - 1):
        size = ledger.size()
        sources = _sources(ledger, name, None)
        if ledger.size() == size:
            return batch_record(sources)
    return batch_record(_sources(ledger, name, None))


def shown_heads(ledger: Ledger, name: str) -> tuple[object, ...]:
    """Return the heads of all streams that a record is made from: while they stand, so does it.

    Raises:
        Unknown: no such batch.
    """
    nouns = Nouns(ledger.store)
    batch = nouns.get(Batch, name)
    if batch is None:
        raise Unknown("Batch", name)
    names = tuple(one.amendment for one in amendments(nouns, name))
    lots = sorted({one.lot for run in batch.steps for one in run.weighings})
    streams = [
        *record_streams(batch, names),
        f"{Prints.KIND}/{name}",
        f"{Order.KIND}/{batch.order}",
        *(f"{CapaLinks.KIND}/{one}" for one in batch.deviations),
        *(f"{Lot.KIND}/{lot}" for lot in lots),
    ]
    return tuple(ledger.head(stream) for stream in streams)


def closed_at(ledger: Ledger, name: str) -> int | None:
    """Return the entry that closed a batch's stream, None while it is open."""
    entries = ledger.stream(f"batch/{name}")
    return entries[-1].seq if entries and entries[-1].type == CLOSED else None


def record_streams(batch: Batch, found: tuple[str, ...]) -> list[str]:
    """Return the streams whose entries a record shows; `found` are the batch's amendments."""
    name = batch.batch
    return [
        f"batch/{name}",
        *(f"deviation/{one}" for one in batch.deviations),
        *(f"amendment/{one}" for one in found),
        f"refusal/batch/{name}",
    ]


def _sources(ledger: Ledger, name: str, past: Past | None) -> Sources:
    checkpoint = ledger.checkpoint() if past is None else ledger.checkpoint_for(past.upto)
    if checkpoint is None:
        raise NothingToExport("Ledger")
    nouns = Nouns(ledger.store)
    plant: Nouns | Past = nouns if past is None else past
    batch = plant.get(Batch, name)
    if batch is None:
        raise Unknown("Batch", name)
    deviations = [one for d in batch.deviations if (one := plant.get(Deviation, d)) is not None]
    links = [plant.get(CapaLinks, one) for one in batch.deviations]
    followed = amendments(plant, name)
    stands = amended(batch, followed)
    used = {one.lot for run in batch.steps for one in run.weighings}
    lots = {lot: state for lot in used if (state := plant.get(Lot, lot)) is not None}
    refusals = plant.get(Refusals, f"batch/{name}")
    rules = [plant.get(PlantRules, one.plant) for one in nouns.all(PlantRules)]
    names = tuple(one.amendment for one in followed)
    raw = {
        stream: [row for row in ledger.stream_raw(stream) if past is None or row[0] <= past.upto]
        for stream in record_streams(batch, names)
    }
    own = raw[f"batch/{name}"]
    trail = sorted((row for rows in raw.values() for row in rows), key=lambda row: row[0])
    entries = {seq: decode(body) for seq, body in trail}
    return Sources(
        batch=batch,
        stands=stands,
        entries=[entries[seq] for seq, _ in own],
        trail=list(entries.values()),
        head=leaf_hash(own[-1][1]).hex(),
        deviations=deviations,
        capas={it.deviation: it.capas for it in links if it is not None},
        amendments=followed,
        order=plant.get(Order, batch.order),
        lots=lots,
        attempts=refusals.attempts if refusals else (),
        gates=release_gates(_Look(plant), stands),
        passed=rules_passed(stands),
        prints=plant.get(Prints, name),
        checkpoint=checkpoint,
        zone=rules[0].zone if rules and rules[0] is not None else "UTC",
        name=_Printed(plant),
    )


class _Look:
    """States as a gate reads them; it signs nothing, so it asks for no head."""

    def __init__(self, states: Nouns | Past) -> None:
        self._states = states

    def get[S: State](self, noun: type[S], name: str) -> S | None:
        return self._states.get(noun, name)

    def head(self, stream: str) -> Head:
        return Head(0, None)


class _Printed:
    """Printed names by person id; who is simulated is marked, services keep their own names."""

    def __init__(self, plant: Nouns | Past) -> None:
        self._plant = plant
        self._known: dict[str, str] = {}

    def __call__(self, person: str) -> str:
        if person not in self._known:
            found = self._plant.get(Person, person)
            name = person if found is None else found.name
            mark = " (simulated)" if found is not None and found.simulated else ""
            self._known[person] = name + mark
        return self._known[person]
