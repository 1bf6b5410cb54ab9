"""What a reviewer sees of one batch and may do about it, without any widget."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import param

from core.batch.amendment import Amendment, AmendmentState
from core.command_id import new_command_id
from core.deviation import Deviation, DeviationState, Disposition, DispositionDeviation
from core.errors import MesError, Refused
from core.execution import Actor, Execution
from core.fact import Command
from core.release import (
    RejectBatch,
    ReleaseBatch,
    ReviewAuditTrail,
    ReviewException,
)
from dashboards.palette import State
from dashboards.review import dossier
from dashboards.review.dossier import Dossier
from dashboards.review.walk import Item
from dashboards.signing_act import Ask, SigningAct

RULES, ATTEMPTS, TRAIL, DECISION = "rules", "attempts", "trail", "decision"
AMENDMENT = "amendment"


class NotWritten(Refused):
    """The form lacks what the record needs."""

    def __init__(self, field: str, needed: str) -> None:
        super().__init__(f"{field}: is empty. {needed}", field=field)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewAsk(Ask):
    """What a reviewer is asked to sign, and what is said when it is recorded."""

    recorded: str


class ReviewDesk(param.Parameterized):
    """One batch under review: the dossier, what is looked at, and the last answer."""

    file: Dossier = param.Parameter(constant=True, doc="The record as shown.")
    at = param.String(default="", constant=True, doc="The item that is looked at.")
    message = param.String(default="", constant=True)
    tone = param.ClassSelector(class_=State, default=State.INFO, constant=True)

    def __init__(self, execution: Execution, actor: Actor, batch: str, *, at: str = "") -> None:
        super().__init__(file=dossier.read(execution, batch))
        self._execution, self._actor = execution, actor
        by_deviation = {one.deviation: one.exception for one in self.file.batch.exceptions}
        wanted = by_deviation.get(at, at)
        known = {item.id for item in self.items()}
        self._set(at=wanted if wanted in known else self._first())

    def _set(self, **values: Any) -> None:
        with param.edit_constant(self):
            self.param.update(**values)

    def _first(self) -> str:
        """Return what waits first: an amendment, an open exception, the trail, the decision."""
        if self.file.open_amendment is not None:
            return AMENDMENT
        for one in self.file.open_exceptions:
            return one.exception
        if self.file.batch.audit_trail_reviewed_by is None and not self.file.is_decided:
            return TRAIL if self.file.batch.completed_at else self._any()
        return DECISION

    def _any(self) -> str:
        exceptions = self.file.batch.exceptions
        return exceptions[0].exception if exceptions else DECISION

    def items(self) -> list[Item]:
        """Return everything to walk through, in the order of a review."""
        file, items = self.file, []
        for one in file.batch.exceptions:
            step = file.batch.recipe_step(one.step)
            items.append(
                Item(
                    id=one.exception,
                    group="Exceptions",
                    title=f"{one.exception} · {one.kind}",
                    sub=f"Step {one.step}, {step.title}",
                    **self._state(one.deviation, one.reviewed_by),
                )
            )
        items.append(self._read(RULES, "Rules that held", f"{len(file.passed)} of {file.judged}"))
        if file.attempts:
            count = len(file.attempts)
            word = "1 attempt" if count == 1 else f"{count} attempts"
            items.append(self._read(ATTEMPTS, "Refused attempts", f"{word}, nothing was changed"))
        if file.batch.audit_trail_reviewed_by:
            items.append(self._read(TRAIL, "Audit trail", "Reviewed", tone=State.OK))
        else:
            word = f"{len(file.risky)} entries to read first"
            items.append(self._read(TRAIL, "Audit trail", word, tone=State.NEAR))
        if file.amendments:
            items.append(self._amended(file.amendments[-1]))
        last = self._decision()
        items.append(Item(id=DECISION, group="Then decide", title="Gates and release", **last))
        return items

    @staticmethod
    def _read(id: str, title: str, word: str, *, tone: State = State.INFO) -> Item:
        return Item(id=id, group="Also read", title=title, word=word, tone=tone)

    @staticmethod
    def _amended(last: Amendment) -> Item:
        is_open = last.state is AmendmentState.OPEN
        return Item(
            id=AMENDMENT,
            group="After the decision",
            title=f"Amendment {last.amendment}",
            word="Open" if is_open else last.state.value.capitalize(),
            tone=State.NEAR if is_open else State.INFO,
        )

    def _state(self, deviation: str | None, reviewed_by: str | None) -> dict[str, Any]:
        found = self.file.deviations.get(deviation or "")
        if found is not None and found.state is DeviationState.OPEN:
            return {"word": f"{found.deviation}: needs a disposition", "tone": State.HELD}
        if reviewed_by is not None:
            return {"word": "Reviewed", "tone": State.OK}
        return {"word": "To review", "tone": State.NEAR}

    def _decision(self) -> dict[str, Any]:
        if self.file.is_decided and self.file.open_amendment is None:
            return {"word": self.file.batch.state.value.capitalize(), "tone": State.OK}
        red = len(self.file.red)
        if not red:
            return {"word": "All gates green", "tone": State.OK}
        return {"word": "1 gate is red" if red == 1 else f"{red} gates are red", "tone": State.BAD}

    @property
    def deviation(self) -> Deviation | None:
        """The deviation behind the item that is looked at, None where there is none."""
        exception = self.file.exception(self.at)
        return self.file.deviations.get((exception and exception.deviation) or "")

    def choose(self, at: str) -> None:
        """Look at another item."""
        if at in {item.id for item in self.items()}:
            self._set(at=at, message="")

    def tell(self, message: object, tone: State = State.INFO) -> None:
        """Show a sentence; an empty one takes it off."""
        self._set(message=str(message), tone=tone)

    def refresh(self) -> bool:
        """Read the record again if it moved; return whether it did."""
        name, file = self.file.batch.batch, self.file
        streams = [file.seen, *file.deviations_seen.values(), file.amendment_seen]
        attempts = self._execution.seen(f"refusal/batch/{name}").ver
        same = all(self._execution.seen(one.stream) == one for one in streams)
        if same and attempts == len(file.attempts):
            return False
        self._set(file=dossier.read(self._execution, name))
        return True

    def ask_disposition(
        self, disposition: str | None, assessment: str, instruction: str = ""
    ) -> ReviewAsk:
        """Return what is signed for a disposition of the deviation looked at.

        The instruction belongs to a reprocess alone; with another disposition it is left out.

        Raises:
            NotWritten: nothing was chosen, the assessment is empty, or what a reprocess does.
        """
        found = self.deviation
        assert found is not None, self.at
        if not disposition:
            raise NotWritten("Disposition", "Choose what becomes of the material.")
        said = written("Assessment", assessment, "Write what the deviation means for the batch.")
        told = None
        if disposition == Disposition.REPROCESS:
            needed = "Name the procedure and what it changes."
            told = written("Instruction", instruction, needed)
        seen = self.file.deviations_seen[found.deviation]
        return ReviewAsk(
            subject=f"Deviation {found.deviation} of batch {found.batch}, step {found.step}",
            lines=(
                ("What happened", found.says),
                ("Reason given", found.why),
                ("Disposition", disposition.replace("_", " ")),
                ("Assessment", said),
                *((("Instruction", told),) if told else ()),
                ("Record", f"version {seen.ver}"),
            ),
            command=DispositionDeviation(
                deviation=found.deviation,
                disposition=Disposition(disposition),
                assessment=said,
                instruction=told,
                seen=seen,
            ),
            recorded=f"Recorded: {found.deviation}, {disposition.replace('_', ' ')}.",
        )

    def ask_trail(self) -> ReviewAsk:
        """Return what is signed for the audit-trail review."""
        file = self.file
        return ReviewAsk(
            subject=f"Batch {file.batch.batch}, audit trail",
            lines=(
                ("Entries of the record", f"{file.seen.ver}, up to version {file.seen.ver}"),
                ("Entries of higher risk", str(len(file.risky))),
                ("Refused attempts", str(len(file.attempts))),
            ),
            command=ReviewAuditTrail(batch=file.batch.batch, seen=file.seen),
            recorded="Recorded: audit trail reviewed.",
        )

    def ask_release(self) -> ReviewAsk:
        """Return what is signed for the release."""
        file = self.file
        return ReviewAsk(
            subject=f"Release of batch {file.batch.batch}",
            lines=(
                ("Rules passed", f"{len(file.passed)} of {file.judged}"),
                ("Gates", f"{len(file.gates)} of {len(file.gates)} green"),
                ("Record", f"version {file.seen.ver}"),
            ),
            command=ReleaseBatch(batch=file.batch.batch, seen=file.seen),
            recorded=f"Recorded: batch {file.batch.batch} is released. Its record is closed.",
        )

    def ask_reject(self, why: str) -> ReviewAsk:
        """Return what is signed for a rejection.

        Raises:
            NotWritten: the reason is empty.
        """
        said = written("Reason", why, "Write why the batch is rejected.")
        batch = self.file.batch
        return ReviewAsk(
            subject=f"Rejection of batch {batch.batch}",
            lines=(
                ("Product", batch.content.product_name),
                ("Reason", said),
                ("Record", f"version {self.file.seen.ver}"),
            ),
            command=RejectBatch(batch=batch.batch, why=said, seen=self.file.seen),
            recorded=f"Recorded: batch {batch.batch} is rejected. Its record is closed.",
        )

    def act(self, made: Callable[[], ReviewAsk]) -> SigningAct:
        """Return an act to be signed here; `made` reads what this desk shows."""
        return SigningAct(self._execution, self._actor, made)

    def signed(self, ask: ReviewAsk) -> None:
        """Show that an act was signed, on the record as it is now."""
        self.refresh()
        self.tell(ask.recorded, State.OK)

    def review(self, assessment: str) -> str:
        """Record what the exception means for the batch; safe in a worker thread.

        Raises:
            NotWritten: the assessment is empty.
            Refused, Conflict: a rule says no.
        """
        said = written("Assessment", assessment, "Write what the exception means for the batch.")
        command = ReviewException(batch=self.file.batch.batch, exception=self.at, assessment=said)
        return self.record(command, f"{self.at} reviewed. J goes on to the next item.")

    def record(self, command: Command, said: str) -> str:
        """Record an act that needs no signature; safe in a worker thread.

        Raises:
            Refused, Conflict: a rule says no.
        """
        idem = f"review:{new_command_id()}"
        self._execution.submit(command, actor=self._actor, idem=idem)
        return f"Recorded: {said}"

    def tried(self, answer: str | MesError) -> None:
        """Show what came of an act without a signature."""
        self.refresh()
        self.tell(answer, State.BAD if isinstance(answer, MesError) else State.OK)


def written(field: str, text: str, needed: str) -> str:
    """Return what was written, without spaces around it.

    Raises:
        NotWritten: nothing was.
    """
    said = (text or "").strip()
    if not said:
        raise NotWritten(field, needed)
    return said
