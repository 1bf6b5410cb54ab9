"""The server's clock set forwards and back while a plant works and people sign."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

from core.authority import AdoptAuthority
from core.catalogue import event_type, to_data
from core.clock import Watch, iso, parse_iso
from core.clock_step import LEAST
from core.credentials import Secrets
from core.execution import Actor, Credentials, Execution
from core.ledger.search import Wanted, search
from core.ledger.writer import Decision, Draft, Job
from core.material import (
    ChangeLotStatus,
    ContainerQuantity,
    Lot,
    LotStatus,
    MaterialRegistered,
    ReceiveLot,
    RegisterMaterial,
)
from core.people import INSTALLER, RegisterPerson
from core.signature import FirstSigningNeedsBoth
from core.signing_gates import SigningGates
from dashboards.faults.trial import AT, KEY, WAIT_S, Tally, fault_of
from dashboards.session import IDLE_S, Sessions, Viewer

JUMPS_S = (86_400, 3_600, 400 * 86_400, 540, 30, 1)  # each back and forwards, in turn
PLANT, PERSON, STATION, SECRET = "tablets", "ama", "kiosk-B1", "clock-harness-4711"
LOT = "LA-1"
CONTROLS = 4  # the first jumps, by which any limit is passed
BETWEEN = 3_000  # entries, so that no search finds all by looking a little to both sides
MATRIX: dict[str, tuple[str, ...]] = {
    "material.register": ("qa",),
    "lot.receive": ("qa",),
    "lot.change-status": ("qa",),
    "clock.record-step": ("service",),
}


class SetClock:
    """A clock that somebody sets, beside the time that really goes by.

    The one of the control knows no such time: it measures by the clock that is set.
    """

    def __init__(self, *, is_control: bool = False) -> None:
        self.wall, self.elapsed_s, self._is_control = AT, 0.0, is_control

    def passes(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.elapsed_s += seconds

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return (self.wall - AT).total_seconds() if self._is_control else self.elapsed_s


def run(rng: Random, scratch: Path, count: int) -> Tally:
    """Set the clock `count` times, forwards or back, after a short or a long while."""
    tally = Tally(
        "clock jumps",
        "a number out of order, an `at` that the clock did not say, a signing period or a session"
        " that lasts longer or shorter, a step not recorded, or an entry that a search by time"
        " does not find",
        "a server that measures time by the clock that is set",
        model="The clock is injected; the time that goes by is the process's monotonic clock.",
    )
    told = list[tuple[str, int]]()
    (scratch / "real").mkdir()
    with _plant(scratch / "real", clock := SetClock()) as execution:
        for trial in range(count):
            tally.trials += 1
            why = _jump(rng, execution, clock, trial=trial, told=told)
            tally.count("an order by time would be another", told[-1][0] < told[-2][0])
            clock.passes(60)
            _work_on(execution, clock, trial=trial, count=max(1, BETWEEN // count))
            if why is not None:
                tally.violations += 1
                tally.find(why)
        lost = [seq for at, seq in told if not _is_found(execution, at, seq)]
        tally.violations += len(lost)
        tally.count("searched by time", len(told))
        if lost:
            tally.find(f"a search by time does not find the entries {lost[:10]}")
    if why := fault_of(scratch / "real" / "ledger.db"):
        tally.violations += 1
        tally.find(why)
    tally.control_trials = max(CONTROLS, count // 10)
    (scratch / "control").mkdir()
    with _plant(scratch / "control", clock := SetClock(is_control=True)) as execution:
        for trial in range(tally.control_trials):
            tally.control_violations += _jump(rng, execution, clock, trial=trial) is not None
            clock.passes(60)
    return tally


@contextmanager
def _plant(folder: Path, clock: SetClock) -> Iterator[Execution]:
    """A plant with one person, on a clock that can be set."""
    execution = Execution(
        folder / "ledger.db",
        KEY,
        plant=PLANT,
        secrets=Secrets(f"sqlite:///{folder / 'credentials.db'}"),
        now=clock.now,
        watch=Watch(clock.now, clock.monotonic),
    )
    execution.start()
    try:
        installer = Actor(INSTALLER)
        person = RegisterPerson(person=PERSON, name="Ama", badge="4711", roles=("qa",))
        execution.register(person, secret=SECRET, actor=installer, idem="ama")
        matrix = AdoptAuthority(plant=PLANT, zone="UTC", matrix=MATRIX)
        execution.submit(matrix, actor=installer, idem="matrix")
        somebody = Actor(PERSON, STATION)
        material = RegisterMaterial(material="LACT", name="Lactose", unit="kg")
        execution.submit(material, actor=somebody, idem="material")
        containers = (ContainerQuantity(container="C01", quantity=Decimal(10)),)
        received = ReceiveLot(
            lot=LOT, material="LACT", supplier="Meggle", unit="kg", containers=containers
        )
        execution.submit(received, actor=somebody, idem="lot")
        yield execution
    finally:
        execution.close()


def _jump(
    rng: Random,
    execution: Execution,
    clock: SetClock,
    *,
    trial: int,
    told: list[tuple[str, int]] | None = None,
) -> str | None:
    """Sign, let time go by, set the clock, sign again; return what does not hold.

    `told` takes when the first signing was, and the second, with their entries.
    """
    sessions = Sessions(clock=clock.monotonic)
    token = sessions.open(Viewer(person=PERSON, name="Ama", roles=frozenset()))
    _sign(execution, f"{trial}:before", badge="4711")
    before = execution.ledger.size()
    limit_s = SigningGates(gates={}).idle.total_seconds()
    elapsed_s = rng.choice((rng.uniform(0, limit_s), rng.uniform(limit_s + 1, 1.5 * IDLE_S)))
    size_s = JUMPS_S[trial // 2 % len(JUMPS_S)]
    jump = timedelta(seconds=size_s if trial % 2 else -size_s)
    clock.passes(elapsed_s)
    clock.wall += jump
    is_open = sessions.get(token) is not None
    try:
        _sign(execution, f"{trial}:after")
        is_signed = True
    except FirstSigningNeedsBoth:
        is_signed = False
        _sign(execution, f"{trial}:after", badge="4711")
    entries = execution.ledger.entries(before)
    if told is not None:
        first = execution.ledger.entries(before - 1, 1)
        told.extend((one.at, one.seq) for one in (*first, entries[-1]))
    if is_signed != (elapsed_s <= limit_s):
        taken = "is" if is_signed else "is not"
        return f"{elapsed_s:.0f} s after a signing the secret alone {taken} enough"
    if is_open != (elapsed_s <= IDLE_S):
        return f"after {elapsed_s:.0f} s a session {'goes on' if is_open else 'is over'}"
    if [one.seq for one in entries] != list(range(before + 1, before + len(entries) + 1)):
        return f"the numbers after {before} are not in order"
    if {one.at for one in entries} != {iso(clock.wall)}:
        return f"an entry at {entries[-1].at}, the clock said {iso(clock.wall)}"
    steps = [one.data["by_ms"] for one in entries if one.type == "clock.stepped"]
    wanted = [] if abs(jump) <= LEAST else [jump // timedelta(milliseconds=1)]
    if len(steps) != len(wanted) or any(abs(a - b) > 1 for a, b in zip(steps, wanted, strict=True)):
        return f"steps of {steps} ms are recorded, the clock was set by {wanted}"
    return None


def _work_on(execution: Execution, clock: SetClock, *, trial: int, count: int) -> None:
    """Let the plant write entries, all in one command."""
    events = [
        MaterialRegistered(material=f"{trial}:{n}", name="x", unit="kg", gtin=None, hazards=())
        for n in range(count)
    ]
    drafts = tuple(
        Draft(f"material/{one.material}", event_type(one), 1, to_data(one)) for one in events
    )
    at = clock.wall
    many = Job(f"work:{trial}", "", PERSON, None, lambda: at, lambda view: Decision(drafts))
    execution.writer.submit(many).result(WAIT_S)


def _sign(execution: Execution, name: str, *, badge: str | None = None) -> None:
    lot = execution.nouns.get(Lot, LOT)
    is_held = lot is not None and lot.status is LotStatus.ON_HOLD
    execution.submit(
        ChangeLotStatus(
            lot=LOT,
            status=LotStatus.RELEASED if is_held else LotStatus.ON_HOLD,
            why="The clock is tried.",
            seen=execution.seen(f"lot/{LOT}"),
        ),
        actor=Actor(PERSON, STATION),
        idem=f"sign:{name}:{badge}",
        credentials=Credentials(SECRET, badge=badge),
    )


def _is_found(execution: Execution, at: str, seq: int) -> bool:
    end = iso(parse_iso(at) + timedelta(microseconds=1))
    found = search(execution.ledger, Wanted(start=at, end=end), limit=50)
    return seq in {entry.seq for entry in found.entries}
