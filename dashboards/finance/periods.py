"""Periods: what the match says of one now, what was signed of it, and what changed since."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from core.difference import NOT_COMPARED, Difference, ReasonCode
from core.errors import Refused
from core.execution import Execution
from core.people import Person
from core.reconciliation import (
    NAMED,
    ClassFigure,
    Figures,
    ReasonFigure,
    Reconciliation,
    Revision,
    SignReconciliation,
    bounds,
)
from dashboards.finance.acts import MatchFromElsewhere
from dashboards.finance.compare import MatchRow
from dashboards.finance.kept_rows import KeptRows, Record, is_open, spelled
from dashboards.finance.matching import ReconcileReader
from dashboards.finance.reading import ClassSum, Cleared, Reading, Scope
from dashboards.finance.report import Report, report, signing_of

SIGN = "reconciliation.sign"
FILLED = ("figures", "reasons", "unowned")
AT_ONCE = 500  # differences that are assigned at one press
SHOWN = 50  # differences that are shown beside the counts; the match itself lists all
UNSIGNED_S = 86_400  # how long rows that were shown and not signed are kept


class BooksNotRead(Refused):
    """What was never read cannot be signed."""

    def __init__(self, period: str) -> None:
        super().__init__(
            f"Period {period}: the ERP's books were never read. Wait until it answers, then sign.",
            period=period,
        )


class NowhereKept(Refused):
    """Signed rows need a folder."""

    def __init__(self) -> None:
        super().__init__("Periods: this plant has no folder for signed rows. Name one.")


class NoRevision(Refused):
    """The period was not signed so often."""

    def __init__(self, period: str, revision: int) -> None:
        super().__init__(
            f"Period {period}: has no revision {revision}. Choose one of its list.",
            period=period,
            revision=revision,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDifference:
    """A difference of the period and what people have said of it."""

    row: MatchRow
    known: Difference | None

    @property
    def is_explained(self) -> bool:
        """Whether it has an owner and a reason."""
        return _is_explained(self.known)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodNow:
    """What the match says of a period at one moment; `number` is the reading's.

    `differences` are the first of them, those without owner before the others.
    """

    period: str
    first: date
    last: date
    number: int
    counts: Mapping[str, int]
    sums: tuple[ClassSum, ...]
    reasons: tuple[ReasonFigure, ...]
    differences: tuple[OpenDifference, ...]
    fault: str | None

    @property
    def total(self) -> int:
        """The number of rows."""
        return sum(self.counts.values())

    @property
    def open(self) -> int:
        """The number of rows that differ."""
        return sum(one.rows for one in self.reasons)

    @property
    def unexplained(self) -> int:
        """The number of differences that keep it from being signed."""
        return sum(one.rows for one in self.reasons if one.code is None)

    @property
    def unread(self) -> int:
        """The number of rows that could not be compared."""
        return self.counts.get(NOT_COMPARED, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One row of a signed period that is not as it was signed; None where there was or is none."""

    key: str
    was: Record | None
    now: Record | None


def changes(signed: Iterable[bytes], now: Iterable[bytes]) -> tuple[Change, ...]:
    """Return what is not as it was signed: changed, gone and new rows, in the order of both.

    Rows are compared as they are kept; who clears a difference is no part of what it says.
    """
    then = dict.fromkeys(signed)
    later = [one for one in now if then.pop(one, one) is not None]
    before = {row["key"]: row for row in map(_said, then)}
    found = []
    for row in map(_said, later):
        was = before.pop(row["key"], None)
        if was != row:
            found.append(Change(key=row["key"], was=was, now=row))
    return (*found, *(Change(key=key, was=was, now=None) for key, was in before.items()))


def _said(line: bytes) -> Record:
    row: Record = json.loads(line)
    row.pop("cleared", None)
    return row


@dataclass(frozen=True, slots=True)
class Periods:
    """Reads periods, makes what is signed of them, and finds what was. All of it does I/O."""

    reader: ReconcileReader
    execution: Execution
    plant: str
    kept: KeptRows | None

    @classmethod
    def of(
        cls, reader: ReconcileReader, execution: Execution, *, plant: str, folder: Path | None
    ) -> "Periods":
        """Return the periods of a plant whose signed rows are kept in a folder."""
        return cls(reader, execution, plant, None if folder is None else KeptRows(folder))

    def signed(self, period: str) -> Reconciliation | None:
        """Return what was signed of a period, None where nothing was."""
        found = self.execution.nouns.get(Reconciliation, period)
        return found if found is not None and found.revisions else None

    def all(self) -> list[Reconciliation]:
        """Return every period that was signed, the newest first."""
        found = [one for one in self.execution.nouns.all(Reconciliation) if one.revisions]
        return sorted(found, key=lambda one: one.newest.last, reverse=True)

    def now(self, period: str) -> PeriodNow:
        """Return what the match says of a period.

        Raises:
            NoPeriod: the calendar has no such period.
        """
        first, last = bounds(period)
        snap = self.reader.read()
        with self.reader.reading() as found:
            scope = Scope(first=first, last=last)
            open_, known = found.open_keys(scope), self._known()
            shown = sorted(open_, key=lambda one: _is_explained(known.get(one[0])))[:SHOWN]
            rows = ((found.row(key), known.get(key)) for key, _ in shown)
            return PeriodNow(
                period=period,
                first=first,
                last=last,
                number=snap.number,
                counts=found.counts(scope),
                sums=found.sums(scope),
                reasons=_reasons(open_, known),
                differences=tuple(
                    OpenDifference(row=row, known=said) for row, said in rows if row is not None
                ),
                fault=snap.fault,
            )

    def _known(self) -> dict[str, Difference]:
        """Return what people have said of differences, by their keys."""
        return {one.difference: one for one in self.execution.nouns.all(Difference)}

    def unowned(self, period: str, match_class: str) -> list[MatchRow]:
        """Return the first rows of a class of a period that nobody owns, up to `AT_ONCE`."""
        first, last = bounds(period)
        scope = Scope(match_class=match_class, first=first, last=last)
        with self.reader.reading() as found:
            known = self._known()
            rows = (row for row in found.rows(scope) if not _is_explained(known.get(row.key)))
            return list(islice(rows, AT_ONCE))

    def difference(self, key: str) -> Difference | None:
        """Return what people have said of a row, None where nobody did."""
        return self.execution.nouns.get(Difference, key)

    def command(self, period: str, *, why: str | None = None) -> SignReconciliation:
        """Return what is signed of a period as the match says it now; its rows are kept.

        Raises:
            NoPeriod: the calendar has no such period.
            BooksNotRead, NowhereKept: there is nothing to sign, or nowhere to keep it.
        """
        if self.kept is None:
            raise NowhereKept
        first, last = bounds(period)
        snap = self.reader.read()
        checkpoint = self.execution.ledger.checkpoint()
        seen = self.execution.seen(f"{Reconciliation.KIND}/{period}")
        if snap.books_at is None or checkpoint is None:
            raise BooksNotRead(period)
        with self.reader.reading() as found:
            scope = Scope(first=first, last=last)
            counts = found.counts(scope)
            open_, known = found.open_keys(scope), self._known()
            digest = self.kept.keep(_lines(found, scope, known))
            figures = Figures(
                total=sum(counts.values()),
                counts=dict(counts),
                sums=tuple(map(_figure, found.sums(scope))),
                tolerance=snap.tolerance,
                upto_seq=snap.upto_seq,
                checkpoint_size=checkpoint.size,
                checkpoint_root=checkpoint.root.hex(),
                books_at=snap.books_at,
                rows_sha256=digest,
            )
        self._forget()
        missing = (key for key, _ in open_ if not _is_explained(known.get(key)))
        return SignReconciliation(
            period=period,
            figures=figures,
            reasons=_reasons(open_, known),
            unowned=tuple(islice(missing, NAMED)),
            why=why,
            seen=seen,
        )

    def _forget(self) -> None:
        """Remove rows that were shown to a signer and never signed."""
        assert self.kept is not None
        signed = {
            one.figures.rows_sha256
            for period in self.execution.nouns.all(Reconciliation)
            for one in period.revisions
        }
        self.kept.forget(signed, before=time.time() - UNSIGNED_S)

    def complete(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return a client's command body with the period's figures, as JSON values.

        Raises:
            MatchFromElsewhere: the client says them.
            NoPeriod, BooksNotRead, NowhereKept: there is nothing to sign.
        """
        given = dict(body)
        if said := tuple(name for name in FILLED if name in given):
            raise MatchFromElsewhere(SIGN, said)
        if not isinstance(period := given.get("period"), str):
            return given  # the command's own check names the field
        made = self.command(period)
        given["figures"] = msgspec.to_builtins(made.figures)
        given["reasons"] = msgspec.to_builtins(made.reasons)
        given["unowned"] = msgspec.to_builtins(made.unowned)
        return given

    def revision(self, period: str, number: int) -> Revision:
        """Return one sign-off.

        Raises:
            NoRevision: there is none.
        """
        signed = self.signed(period)
        if signed is None or not 1 <= number <= len(signed.revisions):
            raise NoRevision(period, number)
        return signed.revisions[number - 1]

    def rows(self, it: Revision) -> Iterable[Record]:
        """Return the rows that were signed.

        Raises:
            RowsMissing: they are not there, or not what was signed.
            NowhereKept: this plant keeps none.
        """
        return map(msgspec.json.decode, self.body(it).splitlines())

    def body(self, it: Revision) -> bytes:
        """Return the rows that were signed as they were kept, one a line; as `rows` does."""
        if self.kept is None:
            raise NowhereKept
        return self.kept.body(it.figures.rows_sha256)

    def report(self, period: str, it: Revision) -> Report:
        """Return the report of one sign-off."""
        return report(
            period,
            it,
            plant=self.plant,
            signing=signing_of(self.execution.ledger, it),
            name=self._name,
            rows=map(json.loads, filter(is_open, self.body(it).splitlines())),
        )

    def _name(self, person: str) -> str:
        found = self.execution.nouns.get(Person, person)
        return person if found is None else f"{found.name} ({person})"

    def changed(self, it: Revision) -> tuple[Change, ...]:
        """Return what is not as it was signed."""
        signed = self.body(it).splitlines()
        self.reader.read()
        with self.reader.reading() as found:
            scope = Scope(first=it.first, last=it.last)
            return changes(signed, _lines(found, scope, self._known()))


def _lines(found: Reading, scope: Scope, known: Mapping[str, Difference]) -> Iterator[bytes]:
    """Yield the rows of a period as they are kept, with what people said of its differences."""
    cleared: Cleared = {
        key: (said.owner, str(said.code), said.note, said.deviation)
        for key, _ in found.open_keys(scope)
        if (said := known.get(key)) is not None and said.owner is not None
    }
    return (text.encode() for text in found.lines(scope, cleared))


def _is_explained(known: Difference | None) -> bool:
    return known is not None and known.owner is not None


def _reasons(
    open_: Iterable[tuple[str, str]], known: Mapping[str, Difference]
) -> tuple[ReasonFigure, ...]:
    """Return how many differences of each class were cleared for each reason."""
    counted: Counter[tuple[str, ReasonCode | None]] = Counter()
    for key, kind in open_:
        said = known.get(key)
        counted[kind, said.code if said is not None and said.owner is not None else None] += 1
    return tuple(
        ReasonFigure(match_class=kind, code=code, rows=n)
        for (kind, code), n in sorted(counted.items(), key=lambda one: (one[0][0], one[0][1] or ""))
    )


def _figure(it: ClassSum) -> ClassFigure:
    floor, sent, booked = (Decimal(spelled(side) or 0) for side in (it.floor, it.sent, it.booked))
    return ClassFigure(
        match_class=it.match_class,
        unit=it.unit,
        rows=it.rows,
        floor=floor,
        sent=sent,
        booked=booked,
    )
