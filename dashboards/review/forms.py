"""What a reviewer may do about the item looked at: four forms, one of them shown."""

from collections.abc import Callable
from typing import Any

import panel.ui as pu
from markupsafe import Markup

from core.deviation import DeviationState, Disposition
from dashboards import parts
from dashboards.palette import State
from dashboards.review.desk import DECISION, TRAIL, ReviewAsk, ReviewDesk
from dashboards.review.evidence import owner, pane
from dashboards.review.pick import Pick

FRAME = {
    "background": "var(--bw-surface)",
    "border": "1px solid var(--bw-line)",
    "border-left": "5px solid var(--bw-primary)",
    "border-radius": "8px",
    "padding": "12px 18px",
}
CHOICES = {one.value: one.value.replace("_", " ").capitalize() for one in Disposition}
LONGEST = 2000


def _box(*inside: Any, **params: Any) -> pu.Column:
    return pu.Column(
        *inside, sizing_mode="stretch_width", styles=FRAME, margin=(0, 0, 14, 0), **params
    )


def _area(label: str) -> pu.TextAreaInput:
    return pu.TextAreaInput(
        label=label, rows=3, max_length=LONGEST, sizing_mode="stretch_width", margin=(6, 0)
    )


def _button(label: str, color: str, pressed: Callable[[Any], Any], **params: Any) -> pu.Button:
    return pu.Button(
        label=label, color=color, on_click=pressed, margin=(6, 0), width=260, height=48, **params
    )


class Forms:
    """Disposition, review of an exception, review of the trail, release or rejection."""

    def __init__(
        self,
        desk: ReviewDesk,
        *,
        sign: Callable[[Callable[[], ReviewAsk]], None],
        act: Callable[[Callable[[], str]], Any],
    ) -> None:
        self._desk, self._sign, self._act = desk, sign, act
        self._drafts: dict[tuple[str, str], str] = {}
        self._choice = Pick(CHOICES, label="Disposition", margin=(6, 0))
        self._judged, self._meant = _area("Assessment of the deviation"), _area("Assessment")
        self._why = _area("Reason for rejecting")
        self._release = _button("Sign the release …", "primary", self._on_release)
        self._reject = _button("Reject the batch …", "error", self._on_reject, variant="outlined")
        self._trail_says, self._gate_says = pane(margin=0), pane(margin=0)
        self._boxes = {
            "disposition": _box(
                pane(parts.heading("Disposition"), margin=0),
                self._choice,
                self._judged,
                _button("Sign the disposition …", "primary", self._on_disposition),
            ),
            "review": _box(
                pane(parts.heading("Review of the exception"), margin=0),
                self._meant,
                _button("Mark as reviewed", "primary", self._on_review),
            ),
            "trail": _box(
                self._trail_says,
                _button("Sign the audit-trail review …", "primary", self._on_trail),
            ),
            "decision": _box(self._gate_says, self._release),
            "reject": _box(
                pane(parts.heading("Or reject"), margin=0), self._why, self._reject
            ),
        }  # fmt: skip
        self._drawn_for = desk.at

    def body(self) -> pu.Column:
        return pu.Column(*self._boxes.values(), sizing_mode="stretch_width", margin=0)

    def show(self) -> None:
        """Show what can be done about the item looked at; texts stay with their item."""
        desk, file = self._desk, self._desk.file
        self._keep_drafts()
        exception, deviation = file.exception(desk.at), desk.deviation
        is_open = deviation is not None and deviation.state is DeviationState.OPEN
        undecided = not file.is_decided
        may_review = exception is not None and exception.reviewed_by is None and undecided
        trail_open = file.batch.audit_trail_reviewed_by is None and undecided
        shown = {
            "disposition": is_open,
            "review": may_review and not is_open,
            "trail": desk.at == TRAIL and trail_open and file.batch.completed_at is not None,
            "decision": desk.at == DECISION,
            "reject": desk.at == DECISION and undecided,
        }
        for name, box in self._boxes.items():
            box.visible = shown[name]
        self._trail_says.object = parts.markup(self._trail_words())
        self._gate_says.object = parts.markup(self._gate_words())
        self._release.visible = undecided
        self._release.disabled = bool(file.red)

    def _keep_drafts(self) -> None:
        """Keep a half-written text with its item when another one is looked at."""
        if self._drawn_for == self._desk.at:
            return
        for name, area in (("judged", self._judged), ("meant", self._meant)):
            self._drafts[self._drawn_for, name] = _text(area)
            text = self._drafts.get((self._desk.at, name), "")
            area.param.update(value=text, value_input=text)
        self._choice.value = ""
        self._drawn_for = self._desk.at

    def _trail_words(self) -> Markup:
        ver = self._desk.file.seen.ver
        text = f"You sign for the batch's record of {ver} entries as it is shown here."
        return Markup("").join((parts.heading("Audit-trail review"), parts.paragraph(text)))

    def _gate_words(self) -> Markup:
        file = self._desk.file
        if file.is_decided:
            signed = file.batch.signatures[-1:]
            by = "".join(f" {one.name}: {one.meaning}." for one in signed)
            ok = State.OK if file.batch.state.value == "released" else State.BAD
            return parts.notice(ok, f"{file.batch.state.value.capitalize()}.", f"{by.strip()}")
        head = parts.heading("Release")
        if not file.red:
            text = "All gates are green. The signature closes the record; the ERP is told."
            return Markup("").join((head, parts.paragraph(text)))
        reasons = " ".join(f"{gate.says} (Owner: {owner(gate)}.)" for gate in file.red)
        return Markup("").join((head, parts.notice(State.BAD, "Release is off.", reasons)))

    def _on_disposition(self, _: Any) -> None:
        choice, text = self._choice.value, _text(self._judged)
        self._sign(lambda: self._desk.ask_disposition(choice, text))

    def _on_trail(self, _: Any) -> None:
        self._sign(self._desk.ask_trail)

    def _on_release(self, _: Any) -> None:
        self._sign(self._desk.ask_release)

    def _on_reject(self, _: Any) -> None:
        text = _text(self._why)
        self._sign(lambda: self._desk.ask_reject(text))

    async def _on_review(self, _: Any) -> None:
        text = _text(self._meant)
        await self._act(lambda: self._desk.review(text))


def _text(area: pu.TextAreaInput) -> str:
    """Return what stands in a field, also before it was left."""
    return str(area.value_input or area.value or "")
