"""What the URL asks of `/oee`: every state of the page is an address."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import urlencode

HERE = "/oee"
FIELDS = ("line", "date", "shift", "trend", "drill")
TRENDS = ("shift", "hour")


@dataclass(frozen=True, slots=True)
class Ask:
    """A selection. No date means the newest shift; a date without a shift the whole day."""

    line: str = ""
    day: date | None = None
    shift: str = ""
    trend: str = "shift"
    drill: str = ""

    def url(self, **change: object) -> str:
        """Return the address of this state with some of it changed."""
        it = replace(self, **change)  # type: ignore[arg-type]
        query = {
            "line": it.line,
            "date": it.day.isoformat() if it.day else "",
            "shift": it.shift if it.day else "",
            "trend": it.trend if it.trend != "shift" else "",
            "drill": it.drill,
        }
        given = urlencode({name: value for name, value in query.items() if value})
        return f"{HERE}?{given}" if given else HERE

    @property
    def window(self) -> tuple[date | None, str]:
        """The time that is asked for."""
        return self.day, self.shift if self.day else ""


def ask_of(query: Mapping[str, str]) -> Ask:
    """Return what a query asks for; what cannot be read asks for nothing.

    >>> ask_of({"line": "L1", "date": "2026-11-23", "shift": "early"}).url()
    '/oee?line=L1&date=2026-11-23&shift=early'
    >>> ask_of({"date": "yesterday", "trend": "week"})
    Ask(line='', day=None, shift='', trend='shift', drill='')
    """
    try:
        day = date.fromisoformat(query.get("date", ""))
    except ValueError:
        day = None
    trend = query.get("trend", "")
    return Ask(
        line=query.get("line", "")[:40],
        day=day,
        shift=query.get("shift", "")[:40] if day else "",
        trend=trend if trend in TRENDS else "shift",
        drill=query.get("drill", "")[:120],
    )
