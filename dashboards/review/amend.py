"""What can be done about a decided batch: reopen it, correct, comment, decide anew. No widgets."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from core.batch.amendment import Amendment
from core.batch.reopen import (
    AddComment,
    AmendValue,
    RejectAmendment,
    ReleaseAmendment,
    ReopenBatch,
)
from core.batch.state import Batch
from core.batch.steps import NEEDS
from core.errors import Refused
from core.quantity import plain
from dashboards.review.desk import NotWritten, ReviewAsk, written
from dashboards.review.dossier import Dossier

WHOLE = "The whole batch"


class NotANumber(Refused):
    """A new value is not written as a number."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(
            f"{field}: {text!r} is not a number. Write digits, with a point before the decimals.",
            field=field,
        )


class NotOpen(Refused):
    """What belongs to an amendment needs an open one."""

    def __init__(self, batch: Batch) -> None:
        super().__init__(
            f"Batch {batch.batch}: is {batch.state}, no amendment of it is open. Reopen it first.",
            batch=batch.batch,
        )


def ask_reopen(file: Dossier, why: str) -> ReviewAsk:
    """Return what is signed to reopen a decided batch.

    Raises:
        NotWritten: the reason is empty.
    """
    said = written("Reason", why, "Write why the batch is reopened.")
    batch = file.batch
    return ReviewAsk(
        subject=f"Reopening of batch {batch.batch}",
        lines=(
            ("Product", batch.content.product_name),
            ("Decision that stands", batch.state.value),
            ("Reason", said),
            ("Record", f"version {file.seen.ver}, closed"),
        ),
        command=ReopenBatch(batch=batch.batch, why=said, seen=file.seen),
        recorded=f"Recorded: batch {batch.batch} is reopened. Correct or comment, then decide.",
    )


def ask_release(file: Dossier) -> ReviewAsk:
    """Return what is signed to release the batch as amended."""
    amendment, seen = _opened(file), file.amendment_seen
    return ReviewAsk(
        subject=f"Release of batch {file.batch.batch} as amended",
        lines=(
            ("Amendment", f"{amendment.amendment}, {content_words(amendment)}"),
            ("Gates", f"{len(file.gates) - len(file.red)} of {len(file.gates)} green"),
            ("Record", f"version {seen.ver} of the amendment"),
        ),
        command=ReleaseAmendment(amendment=amendment.amendment, seen=seen),
        recorded=f"Recorded: batch {file.batch.batch} is released as amended.",
    )


def ask_reject(file: Dossier, why: str) -> ReviewAsk:
    """Return what is signed to reject the batch as amended.

    Raises:
        NotWritten: the reason is empty.
    """
    said = written("Reason", why, "Write why the batch is rejected.")
    amendment, seen = _opened(file), file.amendment_seen
    return ReviewAsk(
        subject=f"Rejection of batch {file.batch.batch} as amended",
        lines=(
            ("Amendment", f"{amendment.amendment}, {content_words(amendment)}"),
            ("Reason", said),
            ("Record", f"version {seen.ver} of the amendment"),
        ),
        command=RejectAmendment(amendment=amendment.amendment, why=said, seen=seen),
        recorded=f"Recorded: batch {file.batch.batch} is rejected as amended.",
    )


def correction(file: Dossier, step: str, texts: Mapping[str, str], *, why: str) -> AmendValue:
    """Return the correction of a step; a value whose text is empty stays as it is.

    Raises:
        NotWritten: no step, no value or no reason is given.
        NotANumber: a text is no decimal number.
    """
    if not step:
        raise NotWritten("Step", "Choose the step whose value is wrong.")
    given = {name: text.strip() for name, text in texts.items() if text.strip()}
    if not given:
        raise NotWritten("New value", "Write what it should have been.")
    values = {name: _number(name.capitalize(), text) for name, text in given.items()}
    said = written("Reason", why, "Write why the recorded value is wrong.")
    amendment = _opened(file)
    return AmendValue(amendment=amendment.amendment, step=step, values=values, why=said)


def comment(file: Dossier, step: str, text: str) -> AddComment:
    """Return a comment about a step, or about the whole batch where `step` is empty.

    Raises:
        NotWritten: the text is empty.
    """
    said = written("Comment", text, "Write what was learned, or how it is assessed.")
    amendment = _opened(file)
    return AddComment(amendment=amendment.amendment, step=step or None, text=said)


def correctable(batch: Batch) -> dict[str, str]:
    """Return the steps that hold values, each with its title and what is recorded now."""
    return {
        run.step: f"{_title(batch, run.step)}: {recorded_words(batch, run.step)}"
        for run in batch.steps
        if run.values
    }


def commentable(batch: Batch) -> dict[str, str]:
    """Return what a comment can be about: the whole batch, or one of its steps."""
    return {"": WHOLE} | {run.step: _title(batch, run.step) for run in batch.steps}


def recorded_words(batch: Batch, step: str) -> str:
    """Return a step's values as they stand now, with their unit."""
    unit, values = batch.recipe_step(step).unit, _values(batch, step)
    shown = [(name, f"{plain(value)} {unit}" if unit else plain(value)) for name, value in values]
    if len(shown) == 1:
        return shown[0][1]
    return ", ".join(f"{name} {value}" for name, value in shown)


def fields_of(batch: Batch, step: str) -> list[tuple[str, str]]:
    """Return a step's values, each by name and with the label that asks for a new one."""
    unit = batch.recipe_step(step).unit if step else None
    suffix = f" {unit}" if unit else ""
    return [
        (name, f"{name.capitalize()}, recorded {plain(value)}{suffix}")
        for name, value in _values(batch, step)
    ]


def _values(batch: Batch, step: str) -> list[tuple[str, Decimal]]:
    run = batch.run(step)
    if run is None or not run.values:
        return []
    return [(name, run.values[name]) for name in NEEDS[batch.recipe_step(step).kind]]


def content_words(it: Amendment) -> str:
    """Return how much an amendment holds."""
    return f"{_count(len(it.corrections), 'correction')}, {_count(len(it.comments), 'comment')}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _title(batch: Batch, step: str) -> str:
    return f"Step {step}, {batch.recipe_step(step).title}"


def _opened(file: Dossier) -> Amendment:
    if file.open_amendment is None:
        raise NotOpen(file.batch)
    return file.open_amendment


def _number(field: str, text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise NotANumber(field, text) from None
    if not value.is_finite():
        raise NotANumber(field, text)
    return value
