"""The whole record of a batch for reading: the print's own layout, live while the batch runs."""

from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

from markupsafe import Markup

from core.batch_record.model import BatchRecord
from core.batch_record.read import read_record, shown_heads
from core.ledger.store import Ledger
from dashboards import parts
from dashboards.palette import State
from dashboards.record.draw import drawn
from dashboards.record.layout import layout
from dashboards.record.typeset import local

KEPT = 40  # records, the one that was asked for longest ago goes first


@dataclass(frozen=True, slots=True)
class Drawn:
    """A record as HTML, and the heads of the streams that it was made from."""

    heads: tuple[object, ...]
    record: BatchRecord
    html: Markup


@dataclass(slots=True)
class Records:
    """Records of one ledger, drawn anew only when something of the batch changed."""

    lock: Lock = field(default_factory=Lock)
    drawn: dict[str, Drawn] = field(default_factory=dict)
    made: int = 0

    def get(self, ledger: Ledger, batch: str, zone: ZoneInfo) -> Drawn:
        """Return a batch's record as it is now; all who look at it share one drawing.

        Raises:
            Unknown: no such batch.
        """
        with self.lock:
            heads = shown_heads(ledger, batch)
            found = self.drawn.pop(batch, None)
            if found is None or found.heads != heads:
                record = read_record(ledger, batch)
                body = drawn(layout(record, lambda at: local(at, zone)))
                found = Drawn(heads, record, body)
                self.made += 1
            self.drawn[batch] = found
            if len(self.drawn) > KEPT:
                self.drawn.pop(next(iter(self.drawn)))
            return found


_RECORDS: WeakKeyDictionary[Any, Records] = WeakKeyDictionary()
_LOCK = Lock()


def records_of(ledger: Ledger) -> Records:
    """Return the drawn records of a ledger."""
    with _LOCK:
        return _RECORDS.setdefault(ledger, Records())


def record(ledger: Ledger, batch: str, zone: ZoneInfo, *, seals: str = "") -> Markup:
    """Return a batch's whole record, with the way to its print above it.

    `seals` says until when the seals of a copy can be checked.
    """
    found = records_of(ledger).get(ledger, batch, zone)
    return _print_form(found.record, seals) + found.html


def _print_form(it: BatchRecord, seals: str) -> Markup:
    """Return what prints the next copy; from the second one on it asks for a reason."""
    batch, copy = it.header.batch, len(it.prints) + 1
    reason = Markup("")
    if copy > 1:
        reason = Markup(
            '<label>Reason for copy {} <input name="why" required maxlength="400"'
            ' autocomplete="off"></label>'
        ).format(copy)
    links = [parts.link("as JSON", f"/review/batch/{batch}/record.json")]
    links += [
        parts.link(
            f"revision {one.revision} as closed, JSON",
            f"/review/batch/{batch}/record-{one.revision}.json",
        )
        for one in it.revisions
    ]
    form = Markup(
        '<form class="tools print" method="post" action="/review/batch/{}/record.pdf">{}'
        '<button type="submit" data-testid="print">Print copy {} as PDF</button>{}</form>'
    ).format(batch, reason, copy, Markup(" ").join(links))
    return form + parts.paragraph(seals, muted=True) + _closed(it)


def _closed(it: BatchRecord) -> Markup:
    if not it.revisions:
        return Markup("")
    last = it.revisions[-1]
    text = Markup(
        'Revision {} of this record is closed for ever. SHA-256 of its JSON: <code class="hash">{}'
        "</code>"
    ).format(last.revision, last.content_sha256)
    open_ = [one.amendment for one in it.amendments if one.decided is None]
    if not open_:
        return parts.notice(State.OK, "Closed.", text)
    now = Markup(" What is shown here has amendment {} in it, which is open.").format(open_[-1])
    return parts.notice(State.NEAR, "Closed, then reopened.", text + now)
