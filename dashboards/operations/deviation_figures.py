"""Deviations as `/deviations` shows them: rates with n, limits only where they mean something."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction
from typing import Any
from urllib.parse import urlencode

from analytics.deviations import (
    PER,
    RECURS_DAYS,
    ParetoRow,
    RatePoint,
    Recurrence,
    pareto,
    recurrences,
    trend,
)
from analytics.projector import Watermark
from analytics.store import read
from core.clock import now
from dashboards.operations.figures import Figures

HERE = "/deviations"
FIELDS = ("by", "cause", "days", "name")
CAUSES = {
    "kind": "Kind", "material": "Material", "step_title": "Step", "room": "Room",
    "product": "Product", "severity": "Severity",
}  # fmt: skip
DAYS = (1, 7, 30, 90)
LEAST_POINTS, LEAST_FOUND = 8, 4  # before that, limits would say more than is known
LISTED = 50


@dataclass(frozen=True, slots=True)
class Ask:
    """What the URL asks for."""

    by: str = "day"
    cause: str = "kind"
    days: int = 30
    name: str = ""

    def url(self, **change: object) -> str:
        """Return the address of this state with some of it changed."""
        it = replace(self, **change)  # type: ignore[arg-type]
        query = {
            "by": it.by if it.by != "day" else "",
            "cause": it.cause if it.cause != "kind" else "",
            "days": str(it.days) if it.days != 30 else "",
            "name": it.name,
        }
        given = urlencode({name: value for name, value in query.items() if value})
        return f"{HERE}?{given}" if given else HERE


def ask_of(query: Mapping[str, str]) -> Ask:
    """Return what a query asks for; what cannot be read asks for nothing.

    >>> ask_of({"by": "hour", "days": "7", "cause": "moon"})
    Ask(by='hour', cause='kind', days=7, name='')
    """
    days = query.get("days", "")
    return Ask(
        by="hour" if query.get("by") == "hour" else "day",
        cause=query["cause"] if query.get("cause") in CAUSES else "kind",
        days=int(days) if days in map(str, DAYS) else 30,
        name=query.get("name", "")[:80],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviationView:
    """All that `/deviations` shows. A rate is None where no step was executed."""

    mark: Watermark
    from_day: date
    to_day: date
    points: tuple[RatePoint, ...]
    causes: tuple[ParetoRow, ...]
    recurring: tuple[Recurrence, ...]
    deviations: tuple[Mapping[str, Any], ...]
    refusals: tuple[Mapping[str, Any], ...]
    rules: tuple[tuple[str, int], ...]
    refused: int

    @property
    def found(self) -> int:
        """How many deviations were raised."""
        return sum(point.deviations for point in self.points)

    @property
    def steps(self) -> int:
        """How many steps were executed."""
        return sum(point.steps for point in self.points)

    @property
    def rate(self) -> Fraction | None:
        """Deviations per 1,000 executed steps."""
        return Fraction(self.found * PER, self.steps) if self.steps else None

    @property
    def refusal_rate(self) -> Fraction | None:
        """Refused attempts per 1,000 executed steps."""
        return Fraction(self.refused * PER, self.steps) if self.steps else None

    @property
    def has_limits(self) -> bool:
        """Whether there is enough for limits: buckets with steps, and deviations."""
        buckets = sum(1 for point in self.points if point.steps)
        return buckets >= LEAST_POINTS and self.found >= LEAST_FOUND

    @property
    def open(self) -> tuple[Mapping[str, Any], ...]:
        """Deviations that wait for a disposition, the oldest first."""
        waiting = [row for row in self.deviations if row["state"] == "open"]
        return tuple(sorted(waiting, key=lambda row: row["raised_us"]))


def view_of(figures: Figures, ask: Ask) -> DeviationView:
    """Return the view of a selection at the newest watermark."""
    today = now().astimezone(figures.zone).date()
    key = ("deviations", ask.by, ask.cause, ask.days, today)
    return figures.shared(key, lambda reader, mark: read_view(reader, mark, ask, today=today))


def read_view(reader: Any, mark: Watermark, ask: Ask, *, today: date) -> DeviationView:
    """Return the view of the days up to and with one."""
    first = today - timedelta(days=ask.days - 1)
    within = {"first": first, "last": today}
    where = "where day >= $first and day <= $last"
    deviations = read(
        reader,
        "select seq, deviation, batch, product, room, step, step_title, material, kind, severity,"
        " says, why, raised_by, raised_us, raised_at, state, disposition, open_us"
        f" from deviation {where} order by raised_us desc limit {LISTED}",
        within,
    )
    refusals = read(
        reader,
        "select seq, batch, step, material, rule, says, person, station, refused_at"
        f" from refusal {where} order by at_us desc limit {LISTED}",
        within,
    )
    rules = reader.execute(
        f"select rule, count(*) from refusal {where} group by 1 order by 2 desc, 1", within
    ).fetchall()
    return DeviationView(
        mark=mark,
        from_day=first,
        to_day=today,
        points=tuple(trend(reader, ask.by, from_day=first, to_day=today)),
        causes=tuple(pareto(reader, ask.cause, from_day=first, to_day=today)),
        recurring=tuple(recurrences(reader, on=today, days=RECURS_DAYS)),
        deviations=tuple(deviations),
        refusals=tuple(refusals),
        rules=tuple(rules),
        refused=sum(count for _, count in rules),
    )
