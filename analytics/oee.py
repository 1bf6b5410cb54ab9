"""OEE after ISO 22400: sums of integer elements, ratios formed last, unknown never a number.

A ratio is an exact fraction or None with its reason; nothing is capped or rounded here.
Quality is weighted with ideal time, so that A x P x Q = OEE at every level of a roll-up.

Source:
    ISO 22400-2 (elements PBT, APT, PRI, PQ, GQ); its text was not at hand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from fractions import Fraction
from typing import Any

import duckdb

from analytics.rules import HOUR_US

KEYS = ("line", "shift", "business_date", "hour_us", "order_id", "batch", "sku")
COVERAGE_LIMIT = Fraction(95, 100)

NOT_PLANNED = "no time was planned"
NOT_RUN = "the line did not run"
NOT_COUNTED = "nothing was counted"
NOT_RATED = "no ideal rate is set for some of the SKUs"
ALL_SCRAP_UNRATED = "the counted pieces have no ideal time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Elements:
    """The additive base: integer microseconds and counts; add them, divide last."""

    calendar_us: int = 0
    planned_us: int = 0
    run_us: int = 0
    minor_stop_us: int = 0
    setup_us: int = 0
    breakdown_us: int = 0
    blocked_starved_us: int = 0
    regulated_us: int = 0
    other_us: int = 0
    unlabeled_us: int = 0
    no_order_us: int = 0
    unknown_us: int = 0
    unknown_after_run_us: int = 0
    unplanned_run_us: int = 0
    stops: int = 0
    minor_stops: int = 0
    pq: int = 0
    gq: int = 0
    sq: int = 0
    rq: int = 0
    rated_pq: int = 0
    ideal_total_us: int = 0
    ideal_good_us: int = 0
    estimated_pq: int = 0

    def __add__(self, other: "Elements") -> "Elements":
        names = [one.name for one in fields(Elements)]
        sums = {name: getattr(self, name) + getattr(other, name) for name in names}
        return Elements(**sums)

    # -- ratios: None where unknown, with the reason from `why` -------------------------------

    @property
    def availability(self) -> Fraction | None:
        """APT / PBT, unknown time taken as down: the low bound."""
        return _ratio(self.run_us, self.planned_us)

    @property
    def availability_high(self) -> Fraction | None:
        """APT / PBT, unknown time taken as the last known state."""
        return _ratio(self.run_us + self.unknown_after_run_us, self.planned_us)

    @property
    def performance(self) -> Fraction | None:
        """PRI x PQ / APT (effectiveness); above 1 it is shown as it is."""
        if self.pq == 0 or self.rated_pq != self.pq:
            return None
        return _ratio(self.ideal_total_us, self.run_us)

    @property
    def quality(self) -> Fraction | None:
        """Good ideal time / all ideal time."""
        return _ratio(self.ideal_good_us, self.ideal_total_us) if self._is_rated else None

    @property
    def oee(self) -> Fraction | None:
        """Good ideal time / PBT; 0 where planned time passed without running."""
        if not self._is_rated or (self.pq == 0 and self.run_us > 0):
            return None
        return _ratio(self.ideal_good_us, self.planned_us)

    @property
    def nee(self) -> Fraction | None:
        """OEE with setup not counted as a loss: (APT + AUST) / PBT x P x Q."""
        performance, quality = self.performance, self.quality
        if performance is None or quality is None or self.planned_us == 0:
            return None
        return Fraction(self.run_us + self.setup_us, self.planned_us) * performance * quality

    @property
    def teep(self) -> Fraction | None:
        """Good ideal time / calendar time."""
        return None if self.oee is None else _ratio(self.ideal_good_us, self.calendar_us)

    @property
    def calendar_utilisation(self) -> Fraction | None:
        """PBT / calendar time."""
        return _ratio(self.planned_us, self.calendar_us)

    @property
    def coverage(self) -> Fraction | None:
        """The part of planned time in which the line's state is known."""
        return _ratio(self.planned_us - self.unknown_us, self.planned_us)

    @property
    def reduced_speed_us(self) -> int | None:
        """Run time that is neither minor stops nor ideal time; None while not counted."""
        if self.pq == 0 or not self._is_rated:
            return None
        return self.run_us - self.minor_stop_us - self.ideal_total_us

    @property
    def _is_rated(self) -> bool:
        return self.rated_pq == self.pq

    @property
    def why(self) -> Mapping[str, str]:
        """Return the reason of each ratio that is None."""
        found: dict[str, str] = {}
        if self.planned_us == 0:
            found |= dict.fromkeys(("availability", "coverage", "oee"), NOT_PLANNED)
        if self.run_us == 0:
            found["performance"] = NOT_RUN
        elif self.pq == 0:
            found |= {"performance": NOT_COUNTED, "oee": found.get("oee", NOT_COUNTED)}
        if self.pq == 0:
            found["quality"] = NOT_COUNTED
        elif not self._is_rated:
            names = ("performance", "quality", "oee")
            found = {**dict.fromkeys(names, NOT_RATED), **found}
        elif self.ideal_total_us == 0:
            found["quality"] = ALL_SCRAP_UNRATED
        return found

    @property
    def flags(self) -> tuple[str, ...]:
        """Return what a reader must know beside the numbers, as sentences."""
        found = []
        if self.performance is not None and self.performance > 1:
            found.append(
                "Performance is above 100 %: counted pieces and run time disagree."
                " Check the ideal rate and the counter."
            )
        if self.pq > 0 and self.run_us == 0:
            found.append("Pieces were counted while the line did not run. Check the state signal.")
        if self.coverage is not None and self.coverage < COVERAGE_LIMIT:
            found.append(
                f"The state is known for {float(self.coverage):.1%} of planned time,"
                f" less than {float(COVERAGE_LIMIT):.0%}: no figure is valid. Read the bounds."
            )
        if self.unplanned_run_us:
            found.append("The line ran in a break or outside a shift; that time counts as planned.")
        if self.estimated_pq:
            found.append(f"{self.estimated_pq} pieces are estimated across a counter gap.")
        return tuple(found)

    @property
    def valid(self) -> bool:
        """Whether coverage is high enough for any figure to stand."""
        return self.coverage is not None and self.coverage >= COVERAGE_LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class OeeRow(Elements):
    """Elements of one group; keys that were not asked for are None."""

    line: str | None = None
    shift: str | None = None
    business_date: date | None = None
    hour_us: int | None = None
    order_id: str | None = None
    batch: str | None = None
    sku: str | None = None
    seq: int = 0
    telemetry_id: int = 0
    definition: str = field(default="oee-1")


NAMES = tuple(one.name for one in fields(Elements))


def _ratio(part: int, whole: int) -> Fraction | None:
    return Fraction(part, whole) if whole > 0 else None


def oee(
    reader: duckdb.DuckDBPyConnection,
    by: Sequence[str] = ("line", "business_date", "shift"),
    *,
    line: str | None = None,
    shift: str | None = None,
    sku: str | None = None,
    order_id: str | None = None,
    from_date: date | None = None,
    to_date: date | None = None,
) -> list[OeeRow]:
    """Return one row per group of `by` (any of `KEYS`), in the order of the keys.

    Args:
        reader: a cursor of `Projector.reader()`.
        by: nothing gives the plant's total, if there is any time at all.
        from_date: first business date, included.
        to_date: last business date, included.
    """
    unknown = set(by) - set(KEYS)
    if unknown:
        raise ValueError(f"by: {', '.join(sorted(unknown))} is none of {', '.join(KEYS)}.")
    asked: dict[str, Any] = {
        "line": line, "shift": shift, "sku": sku, "order_id": order_id,
        "from_date": from_date, "to_date": to_date,
    }  # fmt: skip
    tests = {"from_date": "business_date >= $from_date", "to_date": "business_date <= $to_date"}
    given = {name: value for name, value in asked.items() if value is not None}
    where = " and ".join(tests.get(name, f"{name} = ${name}") for name in given) or "true"
    keys = ", ".join(by)
    sums = ", ".join(f"sum({name})::bigint as {name}" for name in NAMES)
    head = f"{keys}, " if by else ""
    tail = f" group by {keys} order by {keys}" if by else " having count(*) > 0"
    query = f"select {head}{sums} from line_hour where {where}{tail}"
    rows = reader.execute(query, given or None).fetchall()
    mark = reader.execute("select seq, interval_id from as_of").fetchall()[0]
    columns = (*by, *NAMES)
    return [
        OeeRow(**dict(zip(columns, row, strict=True)), seq=mark[0], telemetry_id=mark[1])
        for row in rows
    ]


def total(rows: Sequence[Elements]) -> Elements:
    """Return the sum of elements: the only way to put figures together."""
    found = Elements()
    for row in rows:
        found += row
    return found


def check_sums(reader: duckdb.DuckDBPyConnection) -> list[str]:
    """Return what does not add up, as sentences; a sound projection gives none.

    Time of states equals elapsed time in each line and hour; roll-up equals raw, to the
    microsecond.
    """
    found = []
    uneven = reader.execute(
        "select p.line, p.hour_us, sum(p.end_us - p.start_us)::bigint as told,"
        " least(p.hour_us + ?, any_value(s.upto_us))"
        " - greatest(p.hour_us, any_value(s.first_us)) as elapsed"
        " from base.piece as p join base.line_span as s using (line)"
        " group by p.line, p.hour_us having told <> elapsed order by 1, 2",
        [HOUR_US],
    ).fetchall()
    found += [
        f"{line}, hour {hour_us}: states tell {told} µs, {elapsed} µs passed."
        for line, hour_us, told, elapsed in uneven
    ]
    for what, query in _SAME:
        raw, rolled = reader.execute(query).fetchall()[0]
        if raw != rolled:
            found.append(f"{what}: raw rows tell {raw}, the roll-up {rolled}.")
    return found


_SAME = (
    (
        "Time, µs",
        "select (select coalesce(sum(end_us - start_us), 0)::bigint from base.piece),"
        " (select coalesce(sum(planned_us + off_us), 0)::bigint from base.hour_time)",
    ),
    (
        "Pieces",
        "select (select coalesce(sum(good + scrap), 0)::bigint from base.produced),"
        " (select coalesce(sum(pq), 0)::bigint from base.hour_count)",
    ),
)


def percent(value: Fraction | None, places: int = 1) -> str:
    """Return a ratio for people; a dash where it is unknown.

    >>> percent(Fraction(1, 3))
    '33.3 %'
    """
    return "—" if value is None else f"{float(value * 100):.{places}f} %"
