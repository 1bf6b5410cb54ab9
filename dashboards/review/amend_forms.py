"""What can be done after the decision: reopen the batch; in the amendment correct and comment."""

from collections.abc import Awaitable, Callable
from typing import Any

import panel.ui as pu

from core.fact import Command
from dashboards import parts
from dashboards.palette import State
from dashboards.review import amend
from dashboards.review.desk import AMENDMENT, DECISION, ReviewAsk, ReviewDesk
from dashboards.review.evidence import pane
from dashboards.review.form_parts import area, box, button, put, text_of

MOST = 4  # values of one step: a label step counts four
CHOOSE = "Choose a step"
REOPENING = (
    "The closed record stays as it is. An amendment holds what is corrected or added, and ends with"
    " a decision of its own. Until then the batch counts as neither released nor rejected."
)


class AmendForms:
    """Reopening, correction of a value, comment."""

    def __init__(
        self,
        desk: ReviewDesk,
        *,
        sign: Callable[[Callable[[], ReviewAsk]], None],
        act: Callable[[Callable[[], str]], Awaitable[None]],
    ) -> None:
        self._desk, self._sign, self._act = desk, sign, act
        self._why_open = area("Reason for reopening")
        self._step, self._about = _select("Step"), _select("About")
        self._values = [pu.TextInput(width=300, margin=(6, 14, 6, 0)) for _ in range(MOST)]
        self._why, self._said = area("Reason for the correction"), area("Comment")
        self._step.param.watch(self._ask_values, "value")
        self.boxes = {
            "reopen": box(
                pane(parts.heading("Reopen"), parts.paragraph(REOPENING), margin=0),
                self._why_open,
                button("Reopen the batch …", "primary", self._on_reopen, variant="outlined"),
            ),
            "correct": box(
                pane(parts.heading("Correct a value"), margin=0),
                self._step,
                pu.FlexBox(*self._values, margin=0),
                self._why,
                button("Record the correction", "primary", self._on_correct),
            ),
            "comment": box(
                pane(parts.heading("Add a comment"), margin=0),
                self._about,
                self._said,
                button("Add the comment", "primary", self._on_comment),
            ),
        }

    def show(self) -> None:
        """Show what can be done at the item looked at; half-written texts stay."""
        desk, file = self._desk, self._desk.file
        is_open = file.open_amendment is not None
        self.boxes["reopen"].visible = desk.at == DECISION and file.is_decided and not is_open
        for name in ("correct", "comment"):
            self.boxes[name].visible = desk.at == AMENDMENT and is_open
        if is_open:
            _offer(self._step, {"": CHOOSE} | amend.correctable(file.batch))
            _offer(self._about, amend.commentable(file.batch))
        self._ask_values()

    def _ask_values(self, *_: Any) -> None:
        """Show one field for each value of the chosen step, named with what is recorded."""
        batch, step = self._desk.file.batch, self._step.value or ""
        asked = amend.fields_of(batch, step)
        for n, field in enumerate(self._values):
            field.visible = n < len(asked)
            if n < len(asked):
                field.label = asked[n][1]

    def _on_reopen(self, _: Any) -> None:
        text = text_of(self._why_open)
        self._sign(lambda: amend.ask_reopen(self._desk.file, text))

    async def _on_correct(self, _: Any) -> None:
        step, why = self._step.value or "", text_of(self._why)
        names = [name for name, _ in amend.fields_of(self._desk.file.batch, step)]
        texts = dict(zip(names, map(text_of, self._values), strict=False))
        said = f"step {step} is corrected."
        if await self._recorded(
            lambda: amend.correction(self._desk.file, step, texts, why=why), said
        ):
            for field in (*self._values, self._why):
                put(field, "")

    async def _on_comment(self, _: Any) -> None:
        step, text = self._about.value or "", text_of(self._said)
        if await self._recorded(
            lambda: amend.comment(self._desk.file, step, text), "the comment is added."
        ):
            put(self._said, "")

    async def _recorded(self, made: Callable[[], Command], said: str) -> bool:
        """Have an act recorded; return whether it was, so that its form is emptied."""
        await self._act(lambda: self._desk.record(made(), said))
        return self._desk.tone is State.OK


def _select(label: str) -> pu.Select:
    return pu.Select(label=label, options={}, width=520, margin=(6, 0))


def _offer(field: pu.Select, titles: dict[str, str]) -> None:
    """Offer steps by title; the chosen one stays chosen."""
    options = {title: step for step, title in titles.items()}
    if field.options != options:
        chosen = field.value if field.value in titles else ""
        field.param.update(options=options, value=chosen)
