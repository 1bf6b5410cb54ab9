"""What was done in a batch: each step with its value, and the way to correct it.

A corrected value is struck and stays beside the new one; a weighing that was taken back likewise.
"""

from collections.abc import Callable
from decimal import Decimal
from zoneinfo import ZoneInfo

import panel as pn
import panel.ui as pu
from markupsafe import Markup

from core.batch.correct import CorrectValue, ReverseWeighing
from core.batch.state import DECIDED, Batch, StepRun
from core.batch.steps import NEEDS
from core.execution import Execution
from core.quantity import kg_text, plain
from core.recipe import StepKind
from dashboards import parts
from dashboards.components.keypad import Keypad
from dashboards.kiosk import draw
from dashboards.kiosk.choices import Choice, Choices
from dashboards.kiosk.desk import Desk, Screen
from dashboards.kiosk.look import limits_text, name_of
from dashboards.kiosk.press import Press
from dashboards.palette import State
from dashboards.theme import KIOSK_INPUT

LIST = "steps"
CORRECT = "correct-"
WORDS = {
    "value": "Measured value", "quantity": "Yield", "issued": "Issued", "used": "Used",
    "returned": "Returned to stock", "destroyed": "Destroyed",
}  # fmt: skip


def is_here(do: str) -> bool:
    """Tell whether the URL's `do` asks for one of these screens."""
    return do == LIST or do.startswith(CORRECT)


def button(desk: Desk) -> Press:
    """Return the way to what was done."""
    return Press("Steps done", lambda _: desk.go(do=LIST), testid="steps", busy_label="Opening …")


def screen(desk: Desk, batch: Batch) -> Screen:
    """Show the list of steps, or the step to correct."""
    run = batch.run(desk.at.get("do", "").removeprefix(CORRECT))
    if run is None or batch.state in DECIDED:
        return list_screen(desk, batch)
    weighs = batch.recipe_step(run.step).kind is StepKind.WEIGH
    return (weighings_screen if weighs else value_screen)(desk, batch, run)


def heading(desk: Desk, batch: Batch) -> Markup:
    """Return the task of these screens."""
    run = batch.run(desk.at.get("do", "").removeprefix(CORRECT))
    if run is None:
        return draw.task("Steps done", "Tap a step to correct what was recorded.")
    step = batch.recipe_step(run.step)
    weighs = step.kind is StepKind.WEIGH
    ask = "Which weighing is taken back?" if weighs else "What should it have been?"
    return draw.task(f"Step {run.step} · {step.title}", ask)


def list_screen(desk: Desk, batch: Batch) -> Screen:
    """Show each step that holds something, the newest first."""
    rows = [
        _row(desk.execution, batch, run, zone=desk.plant.zone)
        for run in reversed(batch.steps)
        if run.performed_by or run.partials or run.reversals or run.redone
    ]
    back = Press("‹ Step at hand", lambda _: desk.go(do=None), testid="back",
                 busy_label="Opening …")  # fmt: skip
    done = Choices(rows, lambda step: desk.go(do=CORRECT + step), label="Steps done",
                   empty="Nothing was done yet.")  # fmt: skip
    return Screen(main=[done], quiet=[back])


def _row(execution: Execution, batch: Batch, run: StepRun, *, zone: ZoneInfo) -> Choice:
    step = batch.recipe_step(run.step)
    unit = f" {step.unit}" if step.unit and step.kind is not StepKind.WEIGH else ""
    value, was = "", ""
    if run.partials:
        value = kg_text(run.net_g)
    elif run.values:
        value = f"{plain(next(iter(run.values.values())))}{unit}"
    if run.corrections:
        was = f"{plain(run.corrections[0].old)}{unit}"
    elif run.reversals:
        was = kg_text(run.reversals[-1].weighing.net_g)
    lines = []
    if run.performed_by:
        at = parts.local_time(run.performed_at, zone)
        lines.append(f"{name_of(execution, run.performed_by)}, {at}")
    if run.happened_at:
        lines.append(f"Happened at {parts.local_time(run.happened_at, zone)}")
    for one in run.corrections:
        who = name_of(execution, one.by)
        change = f"{plain(one.old)} to {plain(one.new)}{unit}"
        lines.append(f"{WORDS[one.what]} corrected from {change} by {who}: {one.why}")
    for back in run.reversals:
        who, net = name_of(execution, back.by), kg_text(back.weighing.net_g)
        lines.append(f"{net} of lot {back.weighing.lot} taken back by {who}: {back.why}")
    for again in run.redone:
        lines.append(f"Done anew by QA's decision on {again.deviation}")
    return Choice(
        id=run.step, title=f"{run.step} · {step.title}", lines=tuple(lines), value=value, was=was,
        enabled=batch.state not in DECIDED and bool(run.values or run.partials),
    )  # fmt: skip


class Reason:
    """The reason, without which nothing is corrected."""

    def __init__(self, allow: Callable[[], None]) -> None:
        self.field = pu.TextInput(
            label="Why?", max_length=500, sx=KIOSK_INPUT, sizing_mode="stretch_width"
        )
        self.field.param.watch(lambda _: allow(), "value_input")

    @property
    def text(self) -> str:
        return (self.field.value_input or "").strip()


def value_screen(desk: Desk, batch: Batch, run: StepRun) -> Screen:
    """Enter the right value; a step with several shows them all, one is entered at a time."""
    step = batch.recipe_step(run.step)
    unit, names = step.unit or "", NEEDS.get(step.kind, ())
    bare = step.low is None and step.high is None
    given: dict[str, Decimal] = {}
    at = [names[0] if names else ""]
    panel = draw.piece()

    def show() -> None:
        name = at[0]
        new = plain(given[name]) if name in given else ""
        panel.object = parts.markup(
            draw.corrected(
                WORDS.get(name, name), plain(run.values.get(name, Decimal(0))), new, unit=unit,
                limits="" if bare else limits_text(step.low, step.high, unit=unit),
            )
        )  # fmt: skip
        fields.show(rows())
        record.enabled = bool(given) and bool(reason.text)

    def rows() -> list[Choice]:
        return [
            Choice(
                id=name, title=WORDS[name], selected=name == at[0],
                value=f"{plain(given.get(name, run.values.get(name, Decimal(0))))} {unit}",
                was=f"{plain(run.values[name])} {unit}" if name in given else "",
            )
            for name in names
        ]  # fmt: skip

    def choose(name: str) -> None:
        at[0] = name
        show()

    def take(text: str) -> None:
        given[at[0]] = Decimal(text)
        show()

    def act(press: str) -> object:
        command = CorrectValue(
            batch=batch.batch, step=run.step, values=dict(given), why=reason.text
        )
        return _recorded(desk, press, command, said=f"Correction of step {run.step}, {step.title}")

    reason = Reason(show)
    record = Press("Record the correction", act, tone="primary", enabled=False, testid="primary")
    fields = Choices(rows(), choose, label="Values", shape="tight", margin=0)
    fields.visible, panel.visible = len(names) > 1, len(names) == 1
    pad = Keypad(take, label=f"New value in {unit}", unit=unit, ok_label="Enter", margin=0)
    show()
    main = [panel, fields, pn.Spacer(height=10), reason.field]
    return Screen(main=main, side=pad, quiet=[_back(desk)], primary=record)


def weighings_screen(desk: Desk, batch: Batch, run: StepRun) -> Screen:
    """Choose the weighing that is to be taken back."""
    chosen: list[str] = [str(run.partials[-1].seq)] if run.partials else []

    def rows() -> list[Choice]:
        return [
            Choice(
                id=str(one.seq), title=f"Lot {one.lot}, container {one.container}",
                lines=(f"{name_of(desk.execution, one.by)}, scale {one.scale}",),
                value=kg_text(one.net_g), selected=str(one.seq) in chosen,
            )
            for one in run.partials
        ]  # fmt: skip

    def choose(entry: str) -> None:
        chosen[:] = [entry]
        listed.show(rows())

    def allow() -> None:
        record.enabled = bool(chosen) and bool(reason.text)

    def act(press: str) -> object:
        command = ReverseWeighing(
            batch=batch.batch, step=run.step, entry=int(chosen[0]), why=reason.text
        )
        return _recorded(desk, press, command, said=f"Weighing of step {run.step} taken back")

    reason = Reason(allow)
    record = Press("Take it back", act, tone="danger", enabled=False, testid="primary")
    listed = Choices(rows(), choose, label="Weighings", empty="No weighing stands here.")
    says = "Pour it back into its container first. The step is then weighed anew."
    note = draw.piece(draw.note(State.INFO, says))
    main = [listed, note, pn.Spacer(height=10), reason.field]
    return Screen(main=main, quiet=[_back(desk)], primary=record)


def _back(desk: Desk) -> Press:
    return Press("‹ Steps done", lambda _: desk.go(do=LIST), testid="back",
                 busy_label="Opening …")  # fmt: skip


async def _recorded(
    desk: Desk, press: str, command: CorrectValue | ReverseWeighing, *, said: str
) -> None:
    if await desk.submit(press, lambda: command, recorded=said) is not None:
        desk.go(do=LIST)
