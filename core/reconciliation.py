"""Periods that finance signs: the figures of the match as they were then, under signature.

A period is a day or a month of posting dates in the plant's calendar. Its figures are what one
reading of the match said; the server fills them in. The rows themselves are kept outside under
their digest, which the entry holds. A later sign-off is a revision with a reason; the earlier one
stays. Sums are exact, in the base unit; both dates of a period belong to it.
"""

import re
from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from core.batch.state import Signed, signed
from core.difference import NO_DIFFERENCE, NOT_COMPARED, Key, ReasonCode
from core.errors import Refused
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded
from core.quantity import Label, Name, Sentence, Utc
from core.record_print import Digest
from core.signature import Seen, SignatureApplied, sign

MEANING = "I reconciled this period"
NAMED = 5  # keys that a refusal names
SYSTEMS = ("erp", "mes", "gl")

type Period = Annotated[str, Meta(pattern=r"^\d{4}-\d\d(-\d\d)?$")]


class ClassFigure(Struct, frozen=True, kw_only=True):
    """Rows of one class and unit, and the sums of their three sides; None moves no quantity."""

    match_class: Name
    unit: Name | None
    rows: int
    floor: Decimal
    sent: Decimal
    booked: Decimal


class ReasonFigure(Struct, frozen=True, kw_only=True):
    """Differences of one class that were cleared for one reason; None: nobody says why yet."""

    match_class: Name
    code: ReasonCode | None
    rows: int


class Figures(Struct, frozen=True, kw_only=True):
    """What one reading of the match said of a period.

    `upto_seq` is the last entry of the ledger in it, `checkpoint_size` and `checkpoint_root` the
    newest checkpoint then, `books_at` when the ERP's books were read.
    """

    total: int
    counts: dict[str, int]
    sums: tuple[ClassFigure, ...]
    tolerance: Label
    upto_seq: int
    checkpoint_size: int
    checkpoint_root: Digest
    books_at: Utc
    rows_sha256: Digest

    @property
    def differences(self) -> int:
        """The number of rows that differ."""
        return sum(n for name, n in self.counts.items() if name not in NO_DIFFERENCE)


class ExplainedRow(Struct, frozen=True, kw_only=True):
    """A difference of a period that was signed before its differences stood in their rows alone."""

    difference: str
    match_class: str
    owner: str
    code: ReasonCode
    note: str


class SignReconciliation(Command, frozen=True, kw_only=True, tag="reconciliation.sign"):
    """Sign what the match says of a period; from the second time on `why` says what it is for.

    Each difference is in one of the `reasons`; its owner and its note stand in its row. `unowned`
    are the first without owner and reason, for the refusal to name.
    """

    period: Period
    figures: Figures
    reasons: tuple[ReasonFigure, ...] = ()
    unowned: tuple[Key, ...] = ()
    why: Sentence | None = None
    seen: Seen


class ReconciliationSigned(Event, frozen=True, kw_only=True, tag="reconciliation.signed"):
    """These are the figures of a period, as they were signed."""

    period: str
    revision: int
    first: date
    last: date
    figures: Figures
    differences: tuple[ExplainedRow, ...] = ()
    why: str = ""
    reasons: tuple[ReasonFigure, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One sign-off: what was signed, by whom, at which version of the period's stream."""

    revision: int
    first: date
    last: date
    figures: Figures
    differences: tuple[ExplainedRow, ...]
    reasons: tuple[ReasonFigure, ...]
    why: str
    signature: Signed
    signed_by: str
    signed_at: datetime
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """A period and its sign-offs, the newest last."""

    KIND: ClassVar[str] = "reconciliation"
    period: str
    signing: Signed | None = None
    revisions: tuple[Revision, ...] = ()

    @property
    def newest(self) -> Revision:
        """The sign-off that counts."""
        return self.revisions[-1]


class NoPeriod(Refused):
    """A period is a day or a month of the calendar."""

    def __init__(self, period: str) -> None:
        super().__init__(
            f"Period {period}: is no day and no month. Give a date as 2026-11-25, or a month as"
            " 2026-11.",
            period=period,
        )


class NotBegun(Refused):
    """What has not begun has no figures."""

    def __init__(self, period: str, first: date) -> None:
        super().__init__(
            f"Period {period}: begins on {first}. Sign it then.", period=period, first=first
        )


class NothingPosted(Refused):
    """A period without a row has nothing to sign."""

    def __init__(self, period: str) -> None:
        super().__init__(
            f"Period {period}: has no row; nothing was done and nothing was posted. Choose another"
            " period.",
            period=period,
        )


class NotCompared(Refused):
    """Blank is not agreement."""

    def __init__(self, period: str, n: int) -> None:
        rows = "1 row is" if n == 1 else f"{n} rows are"
        super().__init__(
            f"Period {period}: {rows} not compared. See why in the list, mend it, then sign.",
            period=period,
            rows=n,
        )


class Unexplained(Refused):
    """Every difference of a signed period has an owner and a reason."""

    def __init__(self, period: str, keys: tuple[str, ...], n: int) -> None:
        first = ", ".join(keys[:NAMED])
        more = f" and {n - NAMED} more" if n > NAMED else ""
        what = "1 difference has" if n == 1 else f"{n} differences have"
        super().__init__(
            f"Period {period}: {what} no owner and no reason: {first}{more}. Assign each, then"
            " sign.",
            period=period,
            differences=n,
        )


class FiguresDoNotAddUp(Refused):
    """Counts of classes, sums and differences are of the same rows."""

    def __init__(self, period: str) -> None:
        super().__init__(
            f"Period {period}: its classes do not add up to its rows. Read the period again.",
            period=period,
        )


class RevisionNeedsReason(Refused):
    """A period that was signed is signed again for a reason."""

    def __init__(self, period: str, revision: int) -> None:
        super().__init__(
            f"Period {period}: this would be revision {revision}. Say why it is signed again.",
            period=period,
            revision=revision,
        )


class NothingChanged(Refused):
    """A revision says something else than the one before it."""

    def __init__(self, period: str, revision: int) -> None:
        super().__init__(
            f"Period {period}: nothing has changed since revision {revision}. There is nothing to"
            " sign.",
            period=period,
            revision=revision,
        )


def bounds(period: str) -> tuple[date, date]:
    """Return the first and the last day of a period.

    >>> bounds("2026-02")
    (datetime.date(2026, 2, 1), datetime.date(2026, 2, 28))

    Raises:
        NoPeriod: the calendar has no such day or month.
    """
    try:
        if re.fullmatch(r"\d{4}-\d\d", period):
            first = date.fromisoformat(f"{period}-01")
            return first, first.replace(day=monthrange(first.year, first.month)[1])
        day = date.fromisoformat(period)
    except ValueError:
        raise NoPeriod(period) from None
    return day, day


def spoken(match_class: str) -> str:
    """Return a class as a sentence names it.

    >>> spoken("missing_in_erp")
    'missing in ERP'
    """
    words = match_class.split("_")
    return " ".join(word.upper() if word in SYSTEMS else word for word in words)


def statement(
    period: str, it: Figures, reasons: tuple[ReasonFigure, ...], *, revision: int, over: bool
) -> str:
    """Return in words what is signed: the sum of the classes, the differences, the digest."""
    terms = " + ".join(f"{n} {spoken(name)}" for name, n in it.counts.items() if n)
    ends = "" if over else " The period is not over: what comes later shows as changed."
    n, open_ = it.differences, ""
    if n:
        many = "1 difference, with" if n == 1 else f"{n} differences, each with"
        by_code: dict[str, int] = {}
        for one in reasons:
            code = str(one.code).replace("_", " ")
            by_code[code] = by_code.get(code, 0) + one.rows
        open_ = f" {many} owner and reason: {', '.join(f'{m} {c}' for c, m in by_code.items())}."
    return (
        f"Reconciliation of {period}, revision {revision}: {terms} = {it.total} rows, tolerance"
        f" {it.tolerance}.{open_}{ends} Rows SHA-256 {it.rows_sha256}."
    )


def decide(plant: Plant, command: SignReconciliation, context: Context) -> Facts:
    """Return what a sign-off causes, or refuse it.

    Raises:
        NoPeriod, NotBegun, NothingPosted: there is no such period, or nothing in it.
        FiguresDoNotAddUp, NotCompared, Unexplained: it is not ready to be signed.
        RevisionNeedsReason, NothingChanged: it was signed before.
        SignatureRequired, RecordMoved: see `core.signature.sign`.
    """
    period, it = command.period, command.figures
    first, last = bounds(period)
    if first > context.today:
        raise NotBegun(period, first)
    _check_figures(period, it, command.reasons)
    if missing := sum(one.rows for one in command.reasons if one.code is None):
        raise Unexplained(period, command.unowned, missing)
    before = plant.get(Reconciliation, period)
    revision = 1 if before is None else len(before.revisions) + 1
    if before is not None and command.why is None:
        raise RevisionNeedsReason(period, revision)
    if before is not None and before.newest.figures.rows_sha256 == it.rows_sha256:
        raise NothingChanged(period, before.newest.revision)
    stream = f"{Reconciliation.KIND}/{period}"
    words = statement(period, it, command.reasons, revision=revision, over=last < context.today)
    if command.why:
        words = f"{words} {command.why}"
    signature = sign(
        plant, context, command.seen, record=stream, meaning=MEANING, words=words,
        compliant=not it.differences,
    )  # fmt: skip
    event = ReconciliationSigned(
        period=period,
        revision=revision,
        first=first,
        last=last,
        figures=it,
        reasons=command.reasons,
        why=command.why or "",
    )
    return (Fact(stream, signature, command.why), Fact(stream, event, command.why))


def _check_figures(period: str, it: Figures, reasons: tuple[ReasonFigure, ...]) -> None:
    if it.total == 0:
        raise NothingPosted(period)
    by_class: dict[str, int] = {}
    for figure in it.sums:
        by_class[figure.match_class] = by_class.get(figure.match_class, 0) + figure.rows
    counted = {name: n for name, n in it.counts.items() if n}
    explained: dict[str, int] = {}
    for one in reasons:
        explained[one.match_class] = explained.get(one.match_class, 0) + one.rows
    open_ = {name: n for name, n in counted.items() if name not in NO_DIFFERENCE}
    if sum(it.counts.values()) != it.total or by_class != counted or explained != open_:
        raise FiguresDoNotAddUp(period)
    if it.counts.get(NOT_COMPARED):
        raise NotCompared(period, it.counts[NOT_COMPARED])


def apply(period: Reconciliation | None, fact: Recorded) -> Reconciliation:
    """Fold one event of a period's stream: a signature, then what it is for."""
    match fact.event:
        case SignatureApplied() as it:
            name = fact.stream.partition("/")[2]
            before = period or Reconciliation(period=name)
            return replace(before, signing=signed(it, fact))
        case event:
            assert isinstance(event, ReconciliationSigned), fact
            assert period is not None, fact
            assert period.signing is not None, fact
            revision = Revision(
                revision=event.revision,
                first=event.first,
                last=event.last,
                figures=event.figures,
                differences=event.differences,
                reasons=event.reasons,
                why=event.why,
                signature=period.signing,
                signed_by=fact.actor,
                signed_at=fact.at,
                seq=fact.seq,
            )
            return replace(period, signing=None, revisions=(*period.revisions, revision))
