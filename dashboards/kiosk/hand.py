"""Steps done by hand: the scale's daily check, confirmations, values, labels, runs on a line."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import panel as pn

from core.batch.steps import NEEDS, CompleteStep
from core.equipment import Equipment, RecordDailyCheck
from core.line import EndRun, StartRun
from core.quantity import kg_text, plain
from core.reading import ScaleReading
from core.recipe import StepKind
from dashboards import parts
from dashboards.components.keypad import Keypad
from dashboards.kiosk import draw
from dashboards.kiosk.choices import Choice, Choices
from dashboards.kiosk.desk import Desk, Screen
from dashboards.kiosk.earlier import Earlier
from dashboards.kiosk.look import Doing, ScaleLook, StepLook, limits_text
from dashboards.kiosk.press import Press, primary
from dashboards.kiosk.weigh import gross_g, live, show_gross
from dashboards.palette import State

LABELS = {
    "issued": "Issued",
    "used": "Used",
    "returned": "Returned to stock",
    "destroyed": "Destroyed",
}


def check_screen(desk: Desk, seen: StepLook) -> Screen:
    """Weigh the check weight; a pass also completes a daily-check step."""
    scale = seen.scale
    if scale is None or (scale.faults and not scale.needs_check):
        faults = scale.faults if scale else ("This station has no scale. Call engineering.",)
        return Screen(main=[draw.piece(draw.note(State.BAD, *faults))])
    weight = live("Check weight", scale)
    weight.limits(scale.low_g, scale.nominal_g, scale.high_g)
    press = primary(
        "Record the check", lambda press: _check(desk, seen, scale, press=press), enabled=False,
        busy_label="Reading the scale …",
    )  # fmt: skip

    def on_weight(reading: ScaleReading) -> None:
        may, gross = show_gross(weight, reading), gross_g(reading) or Decimal(0)
        press.enabled = may and 2 * gross >= scale.nominal_g  # an empty pan is no failed check

    rows = [("Scale", scale.scale), ("Certificate", scale.certificate)]
    rows.append(("Passes from", limits_text(scale.low_g, scale.high_g, unit="g")))
    return Screen(main=[weight, draw.piece(draw.pours(rows))], primary=press, on_weight=on_weight)


async def _check(desk: Desk, seen: StepLook, scale: ScaleLook, *, press: str) -> None:
    station = desk.viewer.station

    def make() -> RecordDailyCheck:
        return RecordDailyCheck(equipment=scale.scale, reading=desk.floor.reading(station))

    def words(_: object) -> str:
        found = desk.execution.nouns.get(Equipment, scale.scale)
        return f"Daily check, shows {kg_text(found.check_shown_g or Decimal(0))}" if found else ""

    done = await desk.submit(press, make, recorded=words)
    after = desk.execution.nouns.get(Equipment, scale.scale)
    if done is None or after is None:
        return
    if after.check_failed:
        shows = kg_text(after.check_shown_g or Decimal(0))
        limits = limits_text(scale.low_g, scale.high_g, unit="g")
        desk.bar.show(
            f"Scale {scale.scale}: shows {shows}, must show {limits}. It is locked until a check"
            " passes. Clean and level it, zero it, check again; if it fails, call engineering.",
            word="Check failed",
        )  # fmt: skip
    elif seen.kind is StepKind.DAILY_CHECK:
        complete = CompleteStep(batch=seen.batch, step=seen.step)
        shows = kg_text(after.check_shown_g or Decimal(0))
        await desk.submit(
            desk.new_press(), lambda: complete, recorded=f"Daily check passed, shows {shows}"
        )


def confirm_screen(desk: Desk, seen: StepLook) -> Screen:
    """One press says that the instruction was carried out."""
    earlier = Earlier(desk)
    press = primary(
        "Go on" if seen.kind is StepKind.DAILY_CHECK else "Done as written",
        lambda press: _complete(desk, seen, press, earlier=earlier, said=f"{seen.title}: done"),
    )
    main = []
    if seen.kind is StepKind.DAILY_CHECK and seen.scale is not None:
        says = f"Scale {seen.scale.scale} has passed: {seen.scale.until}."
        main.append(draw.piece(draw.note(State.OK, says)))
    if seen.verify:
        main.append(draw.piece(draw.pours([("Then", "a second person verifies")])))
    return Screen(main=[*main, earlier.fields], quiet=[earlier.button], primary=press)


def _complete(
    desk: Desk,
    seen: StepLook,
    press: str,
    *,
    earlier: Earlier,
    said: str,
    values: dict[str, Decimal] | None = None,
) -> object:
    def make() -> CompleteStep:
        return CompleteStep(
            batch=seen.batch, step=seen.step, values=values or {},
            happened_at=earlier.happened_at(),
        )  # fmt: skip

    return desk.submit(press, make, recorded=said, reason=earlier.reason)


def start_line_screen(desk: Desk, seen: StepLook) -> Screen:
    """Tell the line which batch it runs."""
    start = StartRun(line=seen.line, batch=seen.batch)
    press = primary(
        f"Start the run on {seen.line}",
        lambda press: desk.submit(press, lambda: start, recorded=f"{seen.line} runs {seen.batch}"),
    )
    why = "From here on the line's machine time counts for this batch."
    return Screen(main=[draw.piece(draw.pours([(why, "")]))], primary=press)


def end_line_screen(desk: Desk, seen: StepLook) -> Screen:
    """Tell the line that the batch has left it; then the step goes on."""
    end = EndRun(line=seen.line)
    press = primary(
        f"End the run on {seen.line}",
        lambda press: desk.submit(press, lambda: end, recorded=f"Run on {seen.line} ended"),
    )
    stops = Press(
        "Stops of the line", lambda _: desk.go(view="lines", line=seen.line, batch=None),
        testid="stops", busy_label="Opening …",
    )  # fmt: skip
    return Screen(
        main=[draw.piece(draw.note(State.INFO, f"Line {seen.line} runs this batch."))],
        quiet=[stops],
        primary=press,
    )


def value_screen(desk: Desk, seen: StepLook) -> Screen:
    """Enter one measured value; one outside its limits is shown first, then recorded or mended."""
    name = NEEDS[seen.kind or StepKind.CHECK][0]
    label = "Yield" if seen.kind is StepKind.YIELD else "Measured value"
    limits = limits_text(seen.low, seen.high, unit=seen.unit)
    panel = draw.piece(draw.value(f"{label} must be", limits, says=None))
    entered: list[Decimal] = []

    def within(value: Decimal) -> bool:
        return (seen.low is None or seen.low <= value) and (seen.high is None or value <= seen.high)

    def take(text: str) -> None:
        entered[:] = [Decimal(text)]
        is_good = within(entered[0])
        says = (
            (State.OK, "Within its limits.")
            if is_good
            else (State.BAD, "Outside its limits: recording it opens a deviation and holds the"
                             " batch. Check the figure, enter it again if it is wrong.")
        )  # fmt: skip
        panel.object = parts.markup(
            draw.value(f"{label} must be", limits, entered=plain(entered[0]), unit=seen.unit,
                       says=says)
        )  # fmt: skip
        record.label = "Record" if is_good else "Record and hold the batch"
        record.tone = "primary" if is_good else "danger"
        record.enabled = True

    def act(press: str) -> object:
        said, values = f"{seen.title}: {plain(entered[0])} {seen.unit}", {name: entered[0]}
        return _complete(desk, seen, press, earlier=earlier, said=said, values=values)

    record, earlier = primary("Record", act, enabled=False), Earlier(desk)
    pad = Keypad(take, label=f"{label} in {seen.unit}" if seen.unit else label, unit=seen.unit,
                 ok_label="Enter", margin=0)  # fmt: skip
    main = [panel, earlier.fields]
    return Screen(main=main, side=pad, quiet=[earlier.button], primary=record)


def labels_screen(desk: Desk, seen: StepLook) -> Screen:
    """Enter issued, used, returned and destroyed labels on one screen; they must add up."""
    given: dict[str, Decimal] = {}
    at = ["issued"]
    total = draw.piece()

    def rows() -> list[Choice]:
        return [
            Choice(
                id=key, title=words, selected=key == at[0],
                value=f"{plain(given[key])} {seen.unit}" if key in given else "–",
            )
            for key, words in LABELS.items()
        ]  # fmt: skip

    def choose(key: str) -> None:
        at[0] = key
        pad.label = f"{LABELS[key]} in {seen.unit}"
        fields.show(rows())
        _sum(total, record, given, unit=seen.unit)

    def take(text: str) -> None:
        given[at[0]] = Decimal(text)
        missing = [key for key in LABELS if key not in given]
        choose(missing[0] if missing else at[0])

    def act(press: str) -> object:
        words = ", ".join(f"{LABELS[key].lower()} {plain(value)}" for key, value in given.items())
        said = f"Labels: {words}"
        return _complete(desk, seen, press, earlier=earlier, said=said, values=dict(given))

    record, earlier = primary("Record", act, enabled=False), Earlier(desk)
    fields = Choices(rows(), choose, label="Labels", shape="tight", margin=0)
    pad = Keypad(take, label=f"Issued in {seen.unit}", unit=seen.unit, ok_label="Enter", margin=0)
    _sum(total, record, given, unit=seen.unit)
    main = [fields, pn.Spacer(height=12), total, earlier.fields]
    return Screen(main=main, side=pad, quiet=[earlier.button], primary=record)


def _sum(total: Any, record: Press, given: dict[str, Decimal], *, unit: str) -> None:
    accounted = sum((given.get(key, Decimal(0)) for key in list(LABELS)[1:]), Decimal(0))
    issued = given.get("issued", Decimal(0))
    complete = len(given) == len(LABELS)
    if not complete:
        left = len(LABELS) - len(given)
        note = draw.note(State.INFO, f"Enter {left} more count{'s' if left > 1 else ''}.")
    elif issued == accounted:
        note = draw.note(State.OK, f"All {plain(issued)} {unit} are accounted for.")
    else:
        side = "missing" if issued > accounted else "too many"
        gap = f"{plain(abs(issued - accounted))} {unit} {side}"
        note = draw.note(
            State.BAD,
            f"Issued {plain(issued)}, accounted for {plain(accounted)} {unit}: {gap}. Count again.",
        )
    total.object = parts.markup(note)
    record.enabled = complete and issued == accounted


SCREENS: dict[Doing, Callable[[Desk, StepLook], Screen]] = {
    Doing.CHECK_SCALE: check_screen,
    Doing.CONFIRM: confirm_screen,
    Doing.START_LINE: start_line_screen,
    Doing.END_LINE: end_line_screen,
    Doing.VALUE: value_screen,
    Doing.LABELS: labels_screen,
}
