"""How long batches were made, reviewed and waited for a decision; and how many went right."""

from dataclasses import dataclass
from datetime import date
from fractions import Fraction

import duckdb


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewTimes:
    """Decided batches of one product. Times are medians in microseconds, None where none is known.

    `right_first_time` is the share of decided batches that were released without any exception.
    """

    product: str
    batches: int
    released: int
    rejected: int
    make_us: int | None
    review_us: int | None
    lead_us: int | None
    exceptions: int
    right_first_time: Fraction | None


def review_times(
    reader: duckdb.DuckDBPyConnection, *, from_day: date | None = None, to_day: date | None = None
) -> list[ReviewTimes]:
    """Return one row per product with its batches created in the days given, both included."""
    rows = reader.execute(
        "select t.product, count(*), count(*) filter (where decision = 'released'),"
        " count(*) filter (where decision = 'rejected'), median(make_us)::bigint,"
        " median(review_us)::bigint, median(lead_us)::bigint, sum(exceptions)::bigint,"
        " count(*) filter (where decision = 'released' and exceptions = 0)"
        " from batch_lead_time as t join base.batch as b using (batch)"
        " where ($from_day is null or b.day >= $from_day) and ($to_day is null or b.day <= $to_day)"
        " group by t.product order by t.product",
        {"from_day": from_day, "to_day": to_day},
    ).fetchall()
    found = []
    for *row, right in rows:
        decided = row[2] + row[3]
        share = Fraction(right, decided) if decided else None
        names = ReviewTimes.__slots__
        found.append(ReviewTimes(**dict(zip(names, (*row, share), strict=True))))
    return found
