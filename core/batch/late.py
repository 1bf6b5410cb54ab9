"""Late entries: what was not recorded when it happened says so, with a reason.

An act may be recorded up to `LATE` after it happened, that instant included; later it is a late
entry, which a reviewer must see. Nothing is recorded before it happens, but for `AHEAD`, by
which two clocks may differ.

Source:
    21 CFR 211.100(b); both times stand in the record.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from core.batch.flow import exception
from core.batch.state import Batch
from core.errors import Refused
from core.fact import Context, Fact

LATE = timedelta(minutes=10)
AHEAD = timedelta(seconds=30)
KIND = "late entry"


def _shown(at: datetime, context: Context) -> str:
    return f"{at.astimezone(ZoneInfo(context.zone)):%Y-%m-%d %H:%M:%S %Z}"


def _minutes(span: timedelta) -> str:
    minutes = span // timedelta(minutes=1)
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{minutes} min"


class NotYet(Refused):
    """Nothing is recorded before it happens."""

    def __init__(self, step: str, happened_at: datetime, context: Context) -> None:
        super().__init__(
            f"Step {step}: {_shown(happened_at, context)} is ahead of the server's clock,"
            f" {_shown(context.at, context)}. Enter the time at which it happened.",
            step=step,
            happened_at=happened_at,
            at=context.at,
        )


class BeforeTheBatch(Refused):
    """Nothing happened to a batch before it was there."""

    def __init__(self, batch: Batch, happened_at: datetime, context: Context) -> None:
        super().__init__(
            f"Batch {batch.batch}: was created on {_shown(batch.created_at, context)}, so nothing"
            f" happened to it at {_shown(happened_at, context)}. Enter the right time.",
            batch=batch.batch,
            happened_at=happened_at,
        )


class LateNeedsReason(Refused):
    """A late entry stands only with its reason."""

    def __init__(self, step: str, happened_at: datetime, context: Context) -> None:
        late = context.at - happened_at
        super().__init__(
            f"Step {step}: happened at {_shown(happened_at, context)}, {_minutes(late)} ago; an"
            f" entry is late after {_minutes(LATE)}. Give the reason, or do it again now.",
            step=step,
            happened_at=happened_at,
            at=context.at,
        )


def late_entry(
    batch: Batch,
    step: str,
    happened_at: datetime,
    *,
    context: Context,
    why: str | None = None,
    nth: int = 1,
) -> tuple[Fact, ...]:
    """Return the exception that an entry is late; nothing where it is in time.

    `why` stands for the command's own reason where that has none.

    Raises:
        NotYet: it lies ahead of the server's clock by more than `AHEAD`.
        BeforeTheBatch: the batch was not there yet.
        LateNeedsReason: it is late and has no reason.
    """
    late = context.at - happened_at
    if late < -AHEAD:
        raise NotYet(step, happened_at, context)
    if happened_at < batch.created_at - AHEAD:
        raise BeforeTheBatch(batch, happened_at, context)
    if late <= LATE:
        return ()
    reason = context.reason or why
    if not reason:
        raise LateNeedsReason(step, happened_at, context)
    says = (
        f"{batch.recipe_step(step).title}: happened at {_shown(happened_at, context)}, recorded at"
        f" {_shown(context.at, context)}, {_minutes(late - LATE)} after the limit of"
        f" {_minutes(LATE)}. {reason}"
    )
    seconds = late // timedelta(seconds=1)
    return (exception(batch, step, kind=KIND, says=says, nth=nth, late_by_s=seconds),)
