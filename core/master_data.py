"""How old what the ERP last stated may be; what is older releases no new order."""

from dataclasses import dataclass
from datetime import datetime, timedelta

LONGEST = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterData:
    """When the ERP last said that its items, BOMs and orders are as known; None: it never did.

    An age equal to `longest` is still good.
    """

    read_at: datetime | None
    longest: timedelta = LONGEST

    def is_too_old(self, at: datetime) -> bool:
        """Return whether no new order may be released on it."""
        return self.read_at is None or at - self.read_at > self.longest

    def says(self, at: datetime) -> str:
        """Return its age beside the limit.

        >>> noon = datetime(2026, 3, 2, 12)
        >>> MasterData(read_at=noon - timedelta(hours=25, minutes=3)).says(noon)
        "The ERP's items, BOMs and orders were last read 25 h 3 min ago; at most 24 h are allowed."
        """
        limit = f"at most {spoken(self.longest)} are allowed"
        if self.read_at is None:
            return f"The ERP's items, BOMs and orders were never read; {limit}."
        age = spoken(at - self.read_at)
        return f"The ERP's items, BOMs and orders were last read {age} ago; {limit}."


def spoken(span: timedelta) -> str:
    """Return a span in hours and minutes.

    >>> spoken(timedelta(hours=24)), spoken(timedelta(minutes=59, seconds=59))
    ('24 h', '59 min')
    """
    hours, minutes = divmod(max(0, int(span.total_seconds())) // 60, 60)
    parts = [f"{hours} h"] * bool(hours) + [f"{minutes} min"] * bool(minutes or not hours)
    return " ".join(parts)
