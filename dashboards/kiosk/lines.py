"""Lines on the kiosk: what runs, and the reason of each stop, named in two taps.

The machine's own record stays as it is; a person's words stand beside it. Times are
microseconds since 1970, half-open.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from analytics.projector import Projector
from analytics.rules import MINOR_STOP, NO_ORDER, RUN, UNKNOWN, UNLABELED
from analytics.timeline import timeline
from core.batch.state import Batch
from core.clock import micros, now
from core.equipment import Equipment, EquipmentKind
from core.execution import Execution
from core.line import EndRun, LabelStop, Line
from dashboards import parts
from dashboards.kiosk import draw
from dashboards.kiosk.board import AT_WORK
from dashboards.kiosk.choices import Choice, Choices
from dashboards.kiosk.desk import Desk, Screen
from dashboards.kiosk.press import Press
from dashboards.palette import State

SHOWN = timedelta(hours=24)
NO_STOPS = (RUN, UNKNOWN, MINOR_STOP, NO_ORDER)  # nothing here that a person could explain
REASONS = {  # reason: words, category that OEE counts it under
    "feeder_blocked": ("Feeder blocked", "breakdown"),
    "jam": ("Tablet jam", "breakdown"),
    "punch": ("Punch or die damaged", "breakdown"),
    "sensor": ("Sensor or electrical fault", "breakdown"),
    "no_material": ("Waiting for material", "blocked_starved"),
    "downstream": ("Next machine is full", "blocked_starved"),
    "setup": ("Setting up", "setup"),
    "cleaning": ("Cleaning", "cleaning"),
    "adjustment": ("Adjusting weight or hardness", "setup"),
    "quality": ("Waiting for a quality check", "waiting_qa"),
    "break": ("Break", "planned_stop"),
    "other": ("Another reason", "other"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentStop:
    """One stop on the screen; `reason` in words, empty where nobody has named it."""

    start_us: int
    end_us: int | None
    reason: str


def lines_of(execution: Execution) -> list[Equipment]:
    """Return the plant's lines by name."""
    found = [one for one in execution.nouns.all(Equipment) if one.kind is EquipmentKind.LINE]
    return sorted(found, key=lambda one: one.equipment)


def recent(projector: Projector | None, line: str, at: datetime) -> list[RecentStop] | None:
    """Return the stops of the last hours, unnamed ones first; None where nothing is known."""
    if projector is None:
        return None
    with projector.reader() as reader:
        found = timeline(reader, line, start_us=micros(at - SHOWN), end_us=micros(at))
    stops = [
        RecentStop(
            start_us=one.start_us,
            end_us=None if one.is_open else one.end_us,
            reason="" if one.category == UNLABELED else words_of(one.reason, one.category),
        )
        for one in found
        if not one.planned and one.category not in NO_STOPS
    ]
    return sorted(stops, key=lambda one: (bool(one.reason), -one.start_us))


def words_of(reason: str | None, category: str) -> str:
    """Return what a stop is called: a person's reason, the machine's, or its category.

    >>> words_of("feeder_blocked", "breakdown"), words_of(None, "blocked_starved")
    ('Feeder blocked', 'Blocked starved')
    """
    if reason in REASONS:
        return REASONS[reason][0]
    return (reason or category).replace("_", " ").capitalize()


def lines_screen(desk: Desk) -> Screen:
    """Show all lines, and the stops of the chosen one."""
    lines = lines_of(desk.execution)
    here = desk.at.get("line") or (lines[0].equipment if lines else "")
    if desk.at.get("stop", "").isdigit():
        return stop_screen(desk, here, int(desk.at["stop"]))
    rows = [_line_row(desk, one, here) for one in lines]
    picked = Choices(
        rows, lambda name: desk.go(line=name),
        shape="grid", label="Lines", empty="This plant has no lines.",
    )  # fmt: skip
    stops = recent(desk.plant.readers.get("analytics"), here, now()) if here else None
    screen = Screen(
        key=("lines", here, tuple(rows), None if stops is None else tuple(stops)),
        main=[picked],
        quiet=[back_to_list(desk)],
        topics=("kind/line",),
    )
    if not here:
        return screen
    stops = recent(desk.plant.readers.get("analytics"), here, now())
    screen.main.append(draw.piece(draw.heading(f"Stops of {here}", "tap one, then its reason")))
    if stops is None:
        note = draw.note(State.UNKNOWN, f"{here}: no machine data reaches this server.")
        screen.main.append(draw.piece(note))
    else:
        named = [_stop_row(desk, one) for one in stops[:20]]
        screen.main.append(
            Choices(named, lambda start: desk.go(stop=start, line=here), label="Stops",
                    empty="No stop in the last 24 hours.")
        )  # fmt: skip
    found = desk.execution.nouns.get(Line, here)
    if found is not None and found.running is not None:
        batch = found.running.batch
        end = Press(
            f"End the run of {batch}",
            lambda press: desk.submit(press, lambda: EndRun(line=here), recorded=f"{here} is free"),
            testid="end-run",
        )  # fmt: skip
        screen.quiet.append(end)
    return screen


def back_to_list(desk: Desk) -> Press:
    """Return the way back to the dispatch list."""
    return Press(
        "‹ List",
        lambda _: desk.go(batch=None, order=None, view=None, line=None, stop=None, do=None),
        testid="list", busy_label="Opening …",
    )  # fmt: skip


def _line_row(desk: Desk, line: Equipment, here: str) -> Choice:
    found = desk.execution.nouns.get(Line, line.equipment)
    running = found.running if found else None
    batch = desk.execution.nouns.get(Batch, running.batch) if running else None
    said = f"Runs {running.batch}" if running else "Free"
    if batch is not None and batch.state not in AT_WORK:
        said = f"{said} (batch {batch.state.value})"
    return Choice(
        id=line.equipment,
        title=f"{line.equipment}  ·  {line.name}",
        lines=(said,),
        selected=line.equipment == here,
    )


def _stop_row(desk: Desk, stop: RecentStop) -> Choice:
    return Choice(
        id=str(stop.start_us),
        title=stop.reason or "No reason given",
        lines=(_span(desk, stop),),
        tone=State.OK if stop.reason else State.NEAR,
        word="Named" if stop.reason else "Unlabelled",
    )


def _span(desk: Desk, stop: RecentStop) -> str:
    start = _at(stop.start_us)
    begins = parts.local_time(start, desk.plant.zone)
    if stop.end_us is None:
        minutes = int((now() - start).total_seconds() // 60)
        return f"Since {begins}, {minutes} min so far"
    seconds = (stop.end_us - stop.start_us) // 1_000_000
    return f"{begins}, {seconds // 60} min {seconds % 60:02d} s"


def _at(us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)


def stop_screen(desk: Desk, line: str, start_us: int) -> Screen:
    """Name one stop: the second tap records it."""
    stops = recent(desk.plant.readers.get("analytics"), line, now()) or []
    stop = next((one for one in stops if one.start_us == start_us), None)
    back = Press("‹ Stops", lambda _: desk.go(stop=None), testid="back",
                 busy_label="Opening …")  # fmt: skip
    if stop is None:
        note = draw.note(State.BAD, f"Line {line}: no such stop. Choose one from the list.")
        return Screen(key=("no stop", start_us), main=[draw.piece(note)], quiet=[back])

    async def label(reason: str) -> None:
        words, category = REASONS[reason]
        command = LabelStop(
            line=line, start_us=stop.start_us, end_us=stop.end_us, reason=reason, category=category
        )
        said = f"{line}: {words}"
        if await desk.submit(desk.new_press(), lambda: command, recorded=said) is not None:
            desk.go(stop=None)

    busy: list[str] = []

    def tapped(reason: str) -> None:
        if not busy:
            busy.append(reason)
            desk.soon(lambda: label(reason))

    rows = [
        Choice(id=key, title=words, lines=(category.replace("_", " "),))
        for key, (words, category) in REASONS.items()
    ]
    heading = draw.heading(f"Why did {line} stop?", _span(desk, stop))
    choices = Choices(rows, tapped, shape="grid", label="Reasons")
    return Screen(key=("stop", stop), main=[draw.piece(heading), choices], quiet=[back])
