"""Pull master data with the ERP's own validators; hand on what is new, keep what is known.

304 counts and changes nothing. 200 with the same content counts as unchanged. A record that the
receiver refuses is kept with the refusal and offered again when any page changes. When the ERP
is away the last known good page stands, with its age.

Where the ERP can be asked for changes since a time, the question begins at its own clock less an
overlap, and stays the same question, so that its validators hold, until something new comes. What
such questions cannot see, deletes and rows below a record, the nightly sweep of the whole finds.
"""

import hashlib
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any

import msgspec
from sqlalchemy import Engine

from core.clock import iso, now, parse_iso
from core.errors import Conflict, Refused
from erp.errors import ErpUnreachable
from erp.port import (
    Cursor,
    ErpAdapter,
    ErpBom,
    ErpCustomer,
    ErpItem,
    ErpOrder,
    Kind,
    Page,
    Provenance,
    Record,
    Validators,
)
from erp.pull_store import PullState as PullState  # who shows it takes it from here
from erp.pull_store import PullStore

STALE_CYCLES = 3
RELEASES = (Kind.ITEM, Kind.BOM, Kind.ORDER)  # what a new order rests on
OVERLAP = timedelta(minutes=5)  # at least; longer where the ERP's transactions are
log = logging.getLogger("batchwright.erp")
ENCODER = msgspec.json.Encoder(order="sorted")


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpClock:
    """What the ERP said the time is; its answer took `took`, and is known to half of that."""

    read_at: datetime
    ahead: timedelta
    took: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Receivers:
    """Where new and changed records go; a refusal they raise is kept beside the record."""

    on_order: Callable[[ErpOrder, Provenance], None]
    on_bom: Callable[[ErpBom, Provenance], None] = lambda _record, _provenance: None
    on_item: Callable[[ErpItem, Provenance], None] = lambda _record, _provenance: None
    on_customer: Callable[[ErpCustomer, Provenance], None] = lambda _record, _provenance: None


def name_of(record: Record) -> str:
    """Return what a record is called within its kind."""
    match record:
        case ErpOrder(id=name) | ErpItem(code=name) | ErpCustomer(code=name):
            return name
        case ErpBom(product=name):
            return name


def digest_of(record: Record) -> str:
    """Return the digest of a record's canonical bytes; key order does not count."""
    return hashlib.sha256(ENCODER.encode(record)).hexdigest()


def _cursor_of(page: Mapping[str, Any]) -> Cursor | None:
    since = page["cursor_since"]
    return None if since is None else Cursor(parse_iso(since))


def _digest_of_all(kept: Mapping[str, tuple[Record, Provenance]]) -> str:
    """Return the digest of everything that is kept of a kind, in the order of the names."""
    digests = (digest_of(kept[name][0]) for name in sorted(kept))
    return hashlib.sha256("".join(digests).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """When the whole pages are read: once a day at a time of a zone, the first time at once."""

    zone: tzinfo = UTC
    at: time = time(2)

    def is_due(self, last: datetime | None, at: datetime) -> bool:
        """Return whether a night's time lies between the last sweep and an instant."""
        if last is None:
            return True
        return self.next_after(last) <= at

    def next_after(self, at: datetime) -> datetime:
        """Return the first night's time after an instant."""
        day = at.astimezone(self.zone).date()
        tonight = datetime.combine(day, self.at, self.zone).astimezone(UTC)
        if tonight > at:
            return tonight
        return datetime.combine(day + timedelta(days=1), self.at, self.zone).astimezone(UTC)


class Puller:
    """Asks the ERP again and again, in a thread of its own."""

    def __init__(
        self,
        port: ErpAdapter,
        engine: Engine,
        receivers: Receivers,
        *,
        kinds: tuple[Kind, ...] = (Kind.ITEM, Kind.BOM, Kind.CUSTOMER, Kind.ORDER),
        every_s: float = 30.0,
        target: str = "erp",
        wanted: Callable[[Kind], bool] = lambda _: True,
        night: Night | None = None,
        clock: Callable[[], datetime] = now,
    ) -> None:
        """Make a puller; `wanted` is asked in each round which kinds the policy lets in."""
        self._night = night or Night()
        self._overlap = max(OVERLAP, timedelta(seconds=port.profile.longest_s))
        self._erp_at: datetime | None = None
        self._port = port
        self._wanted = wanted
        self._receivers = receivers
        self._kinds = kinds
        self._every_s = every_s
        self._store = PullStore(engine, target)
        self._clock = clock
        self._has_news = False
        self._blind: set[Kind] = set()  # kinds whose last page held something unreadable
        self._told: ErpClock | None = None
        self._good: dict[Kind, datetime] = {}
        for kind in kinds:
            page = self._store.page(kind)
            if page is not None and page["checked_at"]:
                self._good[kind] = parse_iso(page["checked_at"])
        self._asked = tuple(self._good)
        self._kept: dict[Kind, dict[str, tuple[Record, Provenance]]] = {}
        self._waking = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="erp-pull", daemon=True)

    def start(self) -> None:
        """Begin; the first round is at once."""
        self._thread.start()

    def stop(self) -> None:
        """End after the round under way."""
        self._stopping.set()
        self._waking.set()
        if self._thread.ident is not None:
            self._thread.join()

    def wake(self) -> None:
        """Ask now."""
        self._waking.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.round()
            except Exception:
                # The thread must outlive a locked or missing database; the next round tries again.
                log.exception("event=pull-round-broken")
            self._waking.wait(self._every_s)
            self._waking.clear()

    def round(self) -> dict[Kind, str]:
        """Ask for every kind once and return what each answered: 200, 304, unchanged or failed."""
        self._ask_time()
        kinds = [kind for kind in self._kinds if self._wanted(kind)]
        self._asked = tuple(kinds)
        answers = {kind: self.poll(kind) for kind in kinds}
        if "200" in answers.values():
            self._has_news = True
        if self._has_news:
            for kind in kinds:
                self._offer(kind)
            self._has_news = False
        return answers

    def is_asked(self) -> bool:
        """Return whether orders are released on anything that the ERP states; no I/O."""
        return any(kind in RELEASES for kind in self._asked)

    def good_since(self) -> datetime | None:
        """Return since when what orders are released on is known to be as the ERP says; no I/O.

        What was never read is not what an order rests on; None where nothing was.
        """
        asked, good = self._asked, dict(self._good)
        return min((good[one] for one in asked if one in RELEASES and one in good), default=None)

    @property
    def clock(self) -> ErpClock | None:
        """What the ERP last said the time is, None where it never said."""
        return self._told

    def _ask_time(self) -> None:
        """Keep what the ERP says the time is; the last answer stands while it says nothing."""
        asked = self._clock()
        self._erp_at = None
        try:
            erp_at = self._erp_at = self._port.server_time()
        except ErpUnreachable:
            return
        took = self._clock() - asked
        self._told = ErpClock(read_at=asked + took, ahead=erp_at - (asked + took / 2), took=took)

    def offer_again(self) -> None:
        """Hand refused records on once more in the next round: their cause may be gone."""
        self._has_news = True
        self.wake()

    def poll(self, kind: Kind) -> str:
        """Ask for one kind, note the answer and hand nothing on yet."""
        known = self._store.page(kind)
        # A restarted process holds no records: it reads the whole page once, as every night.
        whole = known is None or kind not in self._kept or self._is_night(known)
        cursor, cond = None, None
        if known is not None and not whole:
            cursor = _cursor_of(known)
            cond = Validators(known["etag"], known["last_modified"])
        try:
            page = self._port.pull(kind, cursor, cond)
        except ErpUnreachable as fault:
            self._store.note(kind, {"status": "failed", "fault": str(fault)}, count="count_failed")
            return "failed"
        at = self._good[kind] = self._clock()
        if page.records is None:
            values = {"status": "304", "checked_at": iso(at), "fault": None}
            self._store.note(kind, values, count="count_304")
            return "304"
        return self._take(kind, page, cursor, at=at, whole=whole)

    def _is_night(self, known: Mapping[str, Any]) -> bool:
        last = known["swept_at"]
        return self._night.is_due(parse_iso(last) if last else None, self._clock())

    def _take(
        self, kind: Kind, page: Page, cursor: Cursor | None, *, at: datetime, whole: bool
    ) -> str:
        """Keep a page's records; with a cursor they come on top of those that are kept."""
        known = self._store.page(kind)
        found = page.records or ()
        sha256 = hashlib.sha256("".join(map(digest_of, found)).encode()).hexdigest()
        provenance = Provenance(page.url, page.validators.etag, sha256, at)
        before = self._kept.get(kind)
        # What could not be read is still listed: the last known good of it stands.
        is_part = cursor is not None or bool(page.faults)
        (self._blind.add if page.faults else self._blind.discard)(kind)
        kept = dict(before or {}) if is_part else {}
        for record in found:
            kept[name_of(record)] = (record, provenance)
        total = _digest_of_all(kept)
        same = known is not None and known["sha256"] == total and not page.faults
        if same and before is not None:
            kept = before  # with the provenance of the page that brought each record
        self._kept[kind] = kept
        values: dict[str, Any] = {
            "url": page.url,
            "etag": page.validators.etag,
            "last_modified": page.validators.last_modified,
            "checked_at": iso(at),
            "status": "unchanged" if same else "200",
            "fault": "; ".join(page.faults)[:2000] or None,
        }
        if page.faults:  # the same page again would be no news, and its fault would look mended
            values |= {"etag": None, "last_modified": None}
        if whole:
            values["swept_at"] = iso(at)
        if whole or not same:
            values |= self._next_cursor(kind)
        if not same:
            values |= {"sha256": total, "body": page.body, "fetched_at": iso(at)}
        self._store.note(kind, values, count="count_unchanged" if same else "count_200")
        # After a restart even an equal page is offered: the last process may not have come to it.
        return "unchanged" if same and before is not None else "200"

    def _next_cursor(self, kind: Kind) -> dict[str, Any]:
        """Return where the next question begins: the ERP's time of this round, less the overlap.

        Validators belong to their own question, so a new one begins without.
        """
        if kind not in self._port.profile.deltas or self._erp_at is None:
            return {"cursor_since": None}  # the whole page, whose validators hold
        since = iso(self._erp_at - self._overlap)
        return {"cursor_since": since, "etag": None, "last_modified": None}

    def _offer(self, kind: Kind) -> None:
        """Hand on the records whose content is new or was refused before."""
        seen = self._store.seen(kind)
        kept = self._kept.get(kind, {})
        for name, (record, provenance) in kept.items():
            sha256 = digest_of(record)
            if seen.get(name) == (sha256, True):
                continue
            fault = self._hand_on(record, provenance)
            self._store.mark(kind, name, sha256=sha256, fault=fault)
        if kind in self._kept and kind not in self._blind:
            self._store.flag_vanished(kind, set(kept), at=self._clock())

    def _hand_on(self, record: Record, provenance: Provenance) -> str | None:
        """Return the refusal, or None where the record was taken."""
        to = self._receivers
        try:
            match record:
                case ErpOrder():
                    to.on_order(record, provenance)
                case ErpBom():
                    to.on_bom(record, provenance)
                case ErpItem():
                    to.on_item(record, provenance)
                case ErpCustomer():
                    to.on_customer(record, provenance)
        except (Refused, Conflict) as refusal:  # a store that failed is no refusal: try again
            return str(refusal)
        return None

    def states(self) -> list[PullState]:
        """Return what a screen says, one row per kind that was ever asked for."""
        fresh_for = timedelta(seconds=self._every_s * STALE_CYCLES)
        found = (
            self._store.state(kind, at=self._clock(), fresh_for=fresh_for) for kind in self._kinds
        )
        return [state for state in found if state is not None]
