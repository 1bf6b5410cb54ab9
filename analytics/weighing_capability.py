"""How well materials are weighed: bias against the target and what is given away, in grams."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

import duckdb

BY = ("material", "scale", "person", "room")


@dataclass(frozen=True, slots=True, kw_only=True)
class WeighingRow:
    """Finished weighings of one group: each step counts once, with its whole sum."""

    name: str
    count: int
    outside: int
    target_g: Decimal
    net_g: Decimal
    over_g: Decimal
    under_g: Decimal
    mean_of_tolerance: Fraction | None

    @property
    def giveaway_g(self) -> Decimal:
        """What was weighed above target, less what was weighed below."""
        return self.net_g - self.target_g

    @property
    def bias_g(self) -> Fraction | None:
        """The mean of net minus target."""
        return Fraction(self.giveaway_g) / self.count if self.count else None


def weighing_capability(
    reader: duckdb.DuckDBPyConnection,
    by: str = "material",
    *,
    from_day: date | None = None,
    to_day: date | None = None,
) -> list[WeighingRow]:
    """Return one row per material, scale, person or room, in order of the name.

    `mean_of_tolerance` is the mean of (net - target) / (high - target or target - low): 1 is the
    limit, 0 the target.
    """
    if by not in BY:
        raise ValueError(f"by: {by} is none of {', '.join(BY)}.")
    rows = reader.execute(
        f"select {by}, sum_g, target_g, low_g, high_g, within from weighing where last"
        " and target_g is not null"
        " and ($from_day is null or day >= $from_day) and ($to_day is null or day <= $to_day)"
        f" order by {by}, seq",
        {"from_day": from_day, "to_day": to_day},
    ).fetchall()
    groups: dict[str, list[tuple[Decimal, ...]]] = {}
    for name, *row in rows:
        groups.setdefault(name, []).append(tuple(row))
    return [_row(name, found) for name, found in groups.items()]


def _row(name: str, rows: list[tuple[Decimal, ...]]) -> WeighingRow:
    errors = [net - target for net, target, *_ in rows]
    shares = []
    for net, target, low, high, _ in rows:
        room = high - target if net >= target else target - low
        if room:
            shares.append(Fraction(net - target) / Fraction(room))
    zero = Decimal(0)
    return WeighingRow(
        name=name,
        count=len(rows),
        outside=sum(1 for *_, within in rows if not within),
        target_g=sum((row[1] for row in rows), zero),
        net_g=sum((row[0] for row in rows), zero),
        over_g=sum((error for error in errors if error > 0), zero),
        under_g=-sum((error for error in errors if error < 0), zero),
        mean_of_tolerance=sum(shares, Fraction(0)) / len(shares) if shares else None,
    )
