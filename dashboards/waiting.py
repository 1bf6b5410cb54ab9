"""What waits for a person, by role: read from the ledger's states, without any widget."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from core.batch.amendment import Amendment
from core.batch.state import Batch, BatchState, StepState
from core.deviation import Deviation, DeviationState
from core.dispatch import ready_gates
from core.equipment import Equipment, EquipmentKind, Station
from core.erp_key import ErpKey
from core.errors import Refused
from core.execution import Execution
from core.fact import Context
from core.order import Gate, Order
from core.people import Person, PersonState
from core.quantity import plain
from core.scale import scale_faults
from dashboards.kiosk import board
from dashboards.names import Names
from dashboards.palette import State
from dashboards.parts import local_time
from dashboards.review.amend import content_words
from dashboards.review.dossier import age
from dashboards.review.queue import read_queue
from dashboards.session import Viewer

DUE_DAYS = 30
KEYS, AGREE, END = "/office?view=keys", "A second person must agree", "Overdue: end it"
MOST = 15  # tasks of a kind that are shown: who has more goes on in its own list
CHANGED = 500  # deviations that changed last: those of a day are among them
LOOKED_AT = 40  # orders whose gates are worked out, those that are due first


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One thing that waits: where it is done, how it stands, and what it is about."""

    title: str
    tone: State
    word: str
    href: str = ""
    lines: tuple[str, ...] = ()
    since: str = ""
    red: tuple[Gate, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Tasks of one kind; `empty` is said where there are none."""

    title: str
    tasks: tuple[Task, ...]
    empty: str
    more: tuple[str, str] = ("", "")
    count: int | None = None
    """How many there are, where not all of them are tasks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """Who looks, from where and when."""

    execution: Execution
    viewer: Viewer
    zone: ZoneInfo
    at: datetime
    names: Names

    @property
    def room(self) -> str | None:
        """The room of the viewer's station, None where there is no station."""
        station = self.viewer.station
        bound = self.execution.nouns.get(Station, station) if station else None
        return None if bound is None else bound.room


def waiting(here: Here) -> list[Section]:
    """Return what waits for the viewer, role by role in the order of their work."""
    found: list[Section] = []
    for role, of_role in BY_ROLE.items():
        if role in here.viewer.roles:
            told = (part(here) for part in of_role)
            found += [section for section in told if section is not None and section not in found]
    return found


def _order_text(order: Order, here: Here) -> str:
    due = "" if order.due_at is None else f" · due {local_time(order.due_at, here.zone)[:16]}"
    zone = "" if order.due_at is None else f" {order.due_at.astimezone(here.zone):%Z}"
    return f"{plain(order.quantity)} {order.unit} of {order.product}{due}{zone}"


def at_station(here: Here) -> Section:
    """Return the batches that are at work in the viewer's room, or anywhere without a station."""
    room = here.room
    tasks = []
    for batch in board.at_work(here.execution.nouns):
        if room is None or batch.room == room:
            tasks.append(_batch_task(batch, f"/kiosk?batch={batch.batch}"))
    tasks.sort(key=lambda task: (task.tone is State.HELD, task.title))
    return Section(
        title="Batches in all rooms" if room is None else f"Batches in {room}",
        tasks=tuple(tasks),
        empty="No batch is at work here. Orders are dispatched on the kiosk.",
        more=("Open the kiosk", "/kiosk"),
    )


def _batch_task(batch: Batch, href: str) -> Task:
    """Return a batch with its current step."""
    run = batch.current
    steps = batch.content.steps
    lines = [f"{batch.content.product_name} · order {batch.order} · room {batch.room}"]
    tone, word = State.INFO, "Running"
    if run is not None:
        number = next(n for n, one in enumerate(steps, 1) if one.step == run.step)
        step = batch.recipe_step(run.step)
        lines.append(f"Step {number} of {len(steps)}: {step.title}")
        if run.state is StepState.DONE:
            tone, word = State.NEAR, "Waits for a second person"
    if batch.state is BatchState.IDLE:
        tone, word = State.UNKNOWN, "Not started"
    elif batch.state is BatchState.HELD:
        tone, word = State.HELD, f"Held by {batch.held_by}, QA decides"
    return Task(title=batch.batch, href=href, tone=tone, word=word, lines=tuple(lines))


def to_dispatch(here: Here) -> Section:
    """Return waiting orders with the red gates of their best room and who can mend them."""
    rooms = [
        one.equipment
        for one in here.execution.nouns.all(Equipment)
        if one.kind is EquipmentKind.ROOM and one.scale is not None
    ]
    orders = board.waiting_orders(here.execution.nouns, here.at)
    tasks = [_order_task(here, order, sorted(rooms)) for order in orders[:LOOKED_AT]]
    tasks.sort(key=lambda task: (task.tone is not State.OK, task.title))
    return Section(
        title="Orders to dispatch",
        tasks=tuple(tasks),
        empty="No order waits. The ERP's next one appears here by itself.",
        more=("Dispatch list", "/kiosk"),
        count=len(orders),
    )


def _order_task(here: Here, order: Order, rooms: Sequence[str]) -> Task:
    red = {room: _red(here, order, room) for room in rooms}
    ready = [room for room, gates in red.items() if not gates]
    known = local_time(order.received_at, here.zone)
    whence = f"Opened here {known}: {order.why}"
    if order.origin == "erp":
        whence = f"From the ERP, {known}"
    task = Task(
        title=order.order,
        href=f"/kiosk?order={order.order}",
        tone=State.OK,
        word=f"Ready for {', '.join(ready)}",
        lines=(_order_text(order, here), whence),
        since=f"for {age(order.received_at, here.at)}",
    )
    if ready:
        return task
    fewest = min(red.values(), key=len, default=(_no_room(),))
    owners = ", ".join(sorted({gate.owner for gate in fewest}))
    return replace(task, tone=State.BAD, word=f"Not ready. Owner: {owners}", red=fewest)


def _no_room() -> Gate:
    says = "No room with a scale is registered."
    return Gate(gate="room", passed=False, says=says, owner="engineering")


def _red(here: Here, order: Order, room: str) -> tuple[Gate, ...]:
    """Return the gates that keep an order from a room."""
    context = Context(
        at=here.at, actor=here.viewer.person, station=None, idem="look", zone=here.zone.key,
        master_data=here.execution.master_data(),
    )  # fmt: skip
    try:
        gates = ready_gates(here.execution.nouns, order, room, context=context)  # type: ignore[arg-type]
    except Refused as refusal:
        return (Gate(gate=refusal.rule, passed=False, says=str(refusal), owner="engineering"),)
    return tuple(gate for gate in gates if gate.blocks and not gate.passed)


def at_work(here: Here) -> Section:
    """Return dispatched, running and held batches, the held ones first."""
    tasks = [
        replace(
            _batch_task(one, f"/kiosk?batch={one.batch}"),
            since=f"for {age(one.started_at or one.created_at, here.at)}",
        )
        for one in board.at_work(here.execution.nouns)
    ]
    tasks.sort(key=lambda task: (task.tone is not State.HELD, task.title))
    return Section(
        title="Batches at work",
        tasks=tuple(tasks),
        empty="Nothing is dispatched or running.",
        more=("Dispatch list", "/kiosk"),
    )


def to_disposition(here: Here) -> Section:
    """Return open deviations, the oldest first."""
    tasks = [
        Task(
            title=f"{one.deviation} · {one.batch}, step {one.step}",
            href=f"/review/batch/{one.batch}?at={one.deviation}",
            tone=State.HELD,
            word=f"Blocks the batch, severity {one.severity.value}",
            lines=(one.says, f"Raised by {here.names.name(one.raised_by)}: {one.why}"),
            since=f"for {age(one.raised_at, here.at)}",
        )
        for one in read_queue(here.execution, piece=slice(0)).deviations
    ]
    return Section(
        title="Deviations to disposition",
        tasks=tuple(tasks),
        empty="No deviation is open.",
        more=("Review queue", "/review"),
    )


def to_review(here: Here) -> Section:
    """Return complete batches, the one that waits longest first."""
    tasks = []
    queue = read_queue(here.execution, show="to review", piece=slice(MOST))
    for one in queue.batches:
        red = len(one.gates) - one.green
        exceptions = len(one.batch.exceptions)
        reviewed = exceptions - one.open_exceptions
        tasks.append(
            Task(
                title=one.batch.batch,
                href=f"/review/batch/{one.batch.batch}",
                tone=State.NEAR if red else State.OK,
                word=f"{one.green} of {len(one.gates)} gates green",
                lines=(
                    f"{one.batch.content.product_name} · order {one.batch.order}",
                    f"{one.passed} rules passed · {reviewed} of {exceptions} exceptions reviewed",
                ),
                since=f"for {age(one.since, here.at)}",
            )
        )
    return Section(
        title="Batches to review",
        tasks=tuple(tasks),
        empty="No batch is complete and undecided.",
        more=("Review queue", "/review"),
        count=queue.found,
    )


def to_decide_anew(here: Here) -> Section:
    """Return reopened batches with what their amendment holds, the oldest first."""
    opened = here.execution.nouns.open(Amendment)
    tasks = [
        Task(
            title=one.amendment,
            href=f"/review/batch/{one.batch}?at=amendment",
            tone=State.NEAR,
            word=f"Batch {one.batch} is reopened, neither released nor rejected",
            lines=(
                f"Was {one.before}. Reopened by {here.names.name(one.opened_by)}: {one.why}",
                f"So far: {content_words(one)}",
            ),
            since=f"for {age(one.opened_at, here.at)}",
        )
        for one in sorted(opened, key=lambda one: one.opened_at)
    ]
    return Section(
        title="Reopened batches to decide",
        tasks=tuple(tasks),
        empty="No batch is reopened.",
        more=("Reopened batches", "/review?show=reopened"),
    )


def deviations_today(here: Here) -> Section:
    """Return the deviations raised on the plant's calendar day, the newest first."""
    today = here.at.astimezone(here.zone).date()
    newest = here.execution.nouns.rows(Deviation.KIND, CHANGED)
    raised: list[Deviation] = [row.state for row in newest]
    found = [one for one in raised if one.raised_at.astimezone(here.zone).date() == today]
    tasks = [
        Task(
            title=f"{one.deviation} · {one.batch}, step {one.step}",
            tone=State.HELD if one.state is DeviationState.OPEN else State.OK,
            word=(one.disposition or one.state).replace("_", " ").capitalize(),
            lines=(one.says,),
            since=f"{age(one.raised_at, here.at)} ago",
        )
        for one in sorted(found, key=lambda one: one.raised_at, reverse=True)
    ]
    return Section(
        title=f"Deviations of {today}, {here.zone.key}",
        tasks=tuple(tasks),
        empty="None was raised today.",
        more=("Deviations", "/deviations"),
    )


def equipment_due(here: Here) -> Section:
    """Return scales whose calibration ends soon, and those that must not be used now."""
    today = here.at.astimezone(here.zone).date()
    tasks = []
    for one in here.execution.nouns.all(Equipment):
        if one.kind is not EquipmentKind.SCALE:
            continue
        faults = scale_faults(one, at=here.at, today=today)
        due = one.calibration_due_on
        soon = due is not None and due <= today + timedelta(days=DUE_DAYS)
        if not faults and not soon:
            continue
        past = any(fault.rule == "CalibrationPastDue" for fault in faults)
        tasks.append(
            Task(
                title=f"{one.equipment} · {one.name}",
                tone=State.BAD if past or one.check_failed else State.NEAR,
                word="Must not be used" if faults else f"Calibration due on {due}",
                lines=(
                    f"Area {one.area} · serial {one.serial} · certificate {one.certificate}",
                    *(fault.sentence for fault in faults),
                ),
            )
        )
    tasks.sort(key=lambda task: (task.tone is not State.BAD, task.title))
    return Section(
        title=f"Scales due within {DUE_DAYS} days, or not usable now",
        tasks=tuple(tasks),
        empty="Every scale is calibrated and checked.",
    )


def locked(here: Here) -> Section:
    """Return people who were locked out after failed attempts."""
    tasks = [
        Task(
            title=f"{one.name} ({one.person})",
            tone=State.BAD,
            word="Locked",
            lines=(
                f"{one.failures} failed attempts in a row · {', '.join(one.roles)}",
                "Ask the person who it was that tried, then unlock.",
            ),
            href=f"/people/{one.person}",
        )
        for one in here.execution.nouns.all(Person)
        if one.state is PersonState.LOCKED
    ]
    return Section(
        title="People locked out",
        tasks=tuple(tasks),
        empty="Nobody is locked out.",
        more=("Security alerts", "/people"),
    )


def keys_to_change(here: Here) -> Section | None:
    """Return keys of the boundary that need somebody: seldom any, then no empty section."""
    tasks = []
    for one in here.execution.nouns.all(ErpKey):
        if one.proposed is not None and one.proposed_by != here.viewer.person:
            title = f"Key {one.proposed.key} is to {one.proposed.step}"
            by = f"Proposed by {here.names.name(one.proposed_by)}"
            tasks.append(Task(title=title, tone=State.NEAR, word=AGREE, href=KEYS, lines=(by,)))
        if one.until is not None and one.until <= here.at:
            since = f"The two were to live until {local_time(one.until, here.zone)}"
            title = f"Key {one.older} is still valid"
            tasks.append(Task(title=title, tone=State.BAD, word=END, href=KEYS, lines=(since,)))
    return (
        Section(title="Keys between plant and ERP", tasks=tuple(tasks), empty="") if tasks else None
    )


type Part = Callable[[Here], Section | None]
BY_ROLE: dict[str, tuple[Part, ...]] = {
    "operator": (at_station,),
    "supervisor": (to_dispatch, at_work),
    "qa": (to_disposition, to_review, to_decide_anew, locked, keys_to_change),
    "director": (deviations_today,),
    "engineer": (equipment_due, keys_to_change),
    "admin": (locked,),
}
