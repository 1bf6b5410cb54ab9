"""What a reviewer may do about the item looked at: four forms, one of them shown."""

from collections.abc import Callable
from typing import Any

import panel.ui as pu
from markupsafe import Markup

from core.deviation import DeviationState, Disposition
from dashboards import parts
from dashboards.palette import State
from dashboards.review import amend
from dashboards.review.amend_forms import AmendForms
from dashboards.review.desk import AMENDMENT, DECISION, TRAIL, ReviewAsk, ReviewDesk
from dashboards.review.evidence import inside, owner, pane
from dashboards.review.form_parts import area, box, button, put, text_of
from dashboards.review.pick import Pick

CHOICES = {one.value: one.value.replace("_", " ").capitalize() for one in Disposition}
INSTRUCTION = "Instruction: the procedure, and what it changes"


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
        self._told = area(INSTRUCTION, visible=False)
        self._choice.param.watch(self._ask_instruction, "value")
        self._judged, self._meant = area("Assessment of the deviation"), area("Assessment")
        self._why = area("Reason for rejecting")
        self._release = button("Sign the release …", "primary", self._on_release)
        self._reject = button("Reject the batch …", "error", self._on_reject, variant="outlined")
        self._trail_says, self._gate_says = pane(margin=0), pane(margin=0)
        self._proposal = pane(margin=0)
        self._amend = AmendForms(desk, sign=sign, act=act)
        self._boxes = {
            "disposition": box(
                pane(parts.heading("Disposition"), margin=0),
                self._proposal,
                self._choice,
                self._told,
                self._judged,
                button("Sign the disposition …", "primary", self._on_disposition),
            ),
            "review": box(
                pane(parts.heading("Review of the exception"), margin=0),
                self._meant,
                button("Mark as reviewed", "primary", self._on_review),
            ),
            "trail": box(
                self._trail_says,
                button("Sign the audit-trail review …", "primary", self._on_trail),
            ),
            "decision": box(self._gate_says, self._release),
            "reject": box(
                pane(parts.heading("Or reject"), margin=0), self._why, self._reject
            ),
        }  # fmt: skip
        self._drawn_for = desk.at

    def body(self) -> pu.Column:
        boxes = (*self._boxes.values(), *self._amend.boxes.values())
        return pu.Column(*boxes, sizing_mode="stretch_width", margin=0)

    def show(self) -> None:
        """Show what can be done about the item looked at; texts stay with their item."""
        desk, file = self._desk, self._desk.file
        self._keep_drafts()
        exception, deviation = file.exception(desk.at), desk.deviation
        is_open = deviation is not None and deviation.state is DeviationState.OPEN
        undecided = not file.is_decided
        may_decide = undecided or file.open_amendment is not None
        may_review = exception is not None and exception.reviewed_by is None and undecided
        trail_open = file.batch.audit_trail_reviewed_by is None and undecided
        shown = {
            "disposition": is_open,
            "review": may_review and not is_open,
            "trail": desk.at == TRAIL and trail_open and file.batch.completed_at is not None,
            "decision": desk.at == DECISION,
            "reject": desk.at == DECISION and may_decide,
        }
        for name, one in self._boxes.items():
            one.visible = shown[name]
        self._trail_says.object = parts.markup(self._trail_words())
        self._gate_says.object = parts.markup(self._gate_words())
        self._proposal.object = parts.markup(self._proposal_words())
        self._release.visible = may_decide
        self._release.disabled = bool(file.red)
        self._amend.show()

    def _keep_drafts(self) -> None:
        """Keep a half-written text with its item when another one is looked at."""
        if self._drawn_for == self._desk.at:
            return
        kept = (("judged", self._judged), ("meant", self._meant), ("told", self._told))
        for name, field in kept:
            self._drafts[self._drawn_for, name] = text_of(field)
            text = self._drafts.get((self._desk.at, name), "")
            put(field, text)
        self._choice.value = ""
        self._drawn_for = self._desk.at

    def _trail_words(self) -> Markup:
        ver = self._desk.file.seen.ver
        text = f"You sign for the batch's record of {ver} entries as it is shown here."
        return Markup("").join((parts.heading("Audit-trail review"), parts.paragraph(text)))

    def _ask_instruction(self, *_: Any) -> None:
        """Ask for the instruction of a reprocess; who agrees to a proposed one signs for its."""
        found, is_asked = self._desk.deviation, self._choice.value == Disposition.REPROCESS
        self._told.visible = is_asked
        if is_asked and found is not None and found.proposed and not text_of(self._told):
            put(self._told, found.instruction or "")

    def _proposal_words(self) -> Markup:
        """Return what the first of two people proposed, nothing where nobody did."""
        found = self._desk.deviation
        if found is None or found.state is not DeviationState.OPEN or found.proposed is None:
            return Markup("")
        text = (
            f"{found.proposed.replace('_', ' ')}. Assessment: {found.proposed_assessment}"
            " A second person signs for the same to decide; another disposition is a new proposal."
        )
        return parts.notice(State.INFO, "Proposed:", text)

    def _gate_words(self) -> Markup:
        file = self._desk.file
        if file.is_decided and file.open_amendment is None:
            last = file.amendments[-1] if file.amendments else file.batch
            signed = last.signatures[-1:]
            by = "".join(f" {one.name}: {one.meaning}." for one in signed)
            ok = State.OK if file.batch.state.value == "released" else State.BAD
            return parts.notice(ok, f"{file.batch.state.value.capitalize()}.", f"{by.strip()}")
        head = parts.heading("Release")
        if file.open_amendment is not None:
            link = inside(file.open_amendment.amendment, AMENDMENT, file.batch.batch)
            says = Markup("The batch is reopened. Correct and comment in amendment {}.")
            head = parts.heading("Release as amended") + parts.paragraph(says.format(link))
        if not file.red:
            text = "All gates are green. The signature closes the record; the ERP is told."
            if file.open_amendment is not None:
                text = (
                    "All gates are green. The signature closes the amendment; the ERP is told where"
                    " the decision is turned."
                )
            return Markup("").join((head, parts.paragraph(text)))
        reasons = " ".join(f"{gate.says} (Owner: {owner(gate)}.)" for gate in file.red)
        return Markup("").join((head, parts.notice(State.BAD, "Release is off.", reasons)))

    def _on_disposition(self, _: Any) -> None:
        choice, text = self._choice.value, text_of(self._judged)
        told = text_of(self._told)
        self._sign(lambda: self._desk.ask_disposition(choice, text, told))

    def _on_trail(self, _: Any) -> None:
        self._sign(self._desk.ask_trail)

    def _on_release(self, _: Any) -> None:
        desk = self._desk
        is_amended = desk.file.open_amendment is not None
        self._sign((lambda: amend.ask_release(desk.file)) if is_amended else desk.ask_release)

    def _on_reject(self, _: Any) -> None:
        desk, text = self._desk, text_of(self._why)
        is_amended = desk.file.open_amendment is not None
        self._sign(
            (lambda: amend.ask_reject(desk.file, text))
            if is_amended
            else (lambda: desk.ask_reject(text))
        )

    async def _on_review(self, _: Any) -> None:
        text = text_of(self._meant)
        await self._act(lambda: self._desk.review(text))
