"""What no place outside has confirmed yet: so much could still be changed without being seen.

Whoever has the server, the database and the key can write the entries after the last outside anchor
anew. The number stands on `/audit`, and as `exposure.json` in each export.
"""

from datetime import datetime
from typing import NamedTuple

from core.clock import iso, parse_iso
from core.ledger.entry import canonical
from core.ledger.store import Ledger

NAME = "exposure.json"


class Exposed(NamedTuple):
    """The ledger's size, and the largest that a place outside has confirmed, 0 where none has.

    `since` is when the oldest entry after it was recorded, by the server's clock.
    """

    size: int
    anchored: int
    place: str
    anchored_at: datetime | None
    since: datetime | None

    @property
    def entries(self) -> int:
        return self.size - self.anchored

    def seconds(self, at: datetime) -> int:
        """Return how long the oldest of them stands alone; 0 where the clock was set back since."""
        return 0 if self.since is None else max(0, int((at - self.since).total_seconds()))


def exposed(ledger: Ledger) -> Exposed:
    """Return how much of a ledger no outside place has confirmed."""
    anchors = ledger.anchors()
    size = ledger.size()  # read after them: a place may confirm what was just recorded
    newest = anchors[-1] if anchors else None
    anchored = newest.size if newest else 0
    first = ledger.entry(anchored + 1) if size > anchored else None
    return Exposed(
        size=size,
        anchored=anchored,
        place=newest.place if newest else "",
        anchored_at=parse_iso(newest.at) if newest else None,
        since=None if first is None else parse_iso(first.at),
    )


def exposure_file(it: Exposed, at: datetime) -> bytes:
    """Return the numbers as a file of an export, as of `at`; times are UTC."""
    return canonical(
        {
            "as_of": iso(at),
            "size": it.size,
            "anchored": it.anchored,
            "place": it.place,
            "anchored_at": None if it.anchored_at is None else iso(it.anchored_at),
            "entries": it.entries,
            "oldest_since": None if it.since is None else iso(it.since),
            "seconds": it.seconds(at),
        }
    )
