"""Pull master data with the ERP's own validators; hand on what is new, keep what is known.

304 counts and changes nothing. 200 with the same content counts as unchanged. A record that the
receiver refuses is kept with the refusal and offered again when any page changes. When the ERP
is away the last known good page stands, with its age.
"""

import hashlib
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Engine, select
from sqlalchemy.engine import Connection
from sqlalchemy.sql.base import Executable

from core.clock import iso, now, parse_iso
from core.errors import Conflict, Refused
from erp import tables
from erp.errors import ErpUnreachable
from erp.port import (
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

STALE_CYCLES = 3
log = logging.getLogger("batchwright.erp")
pages, records = tables.pull_page, tables.pull_record
ENCODER = msgspec.json.Encoder(order="sorted")


@dataclass(frozen=True, slots=True, kw_only=True)
class PullState:
    """What a screen says about one kind of master data."""

    kind: Kind
    url: str
    etag: str | None
    fetched_at: str | None
    checked_at: str | None
    status: str
    fault: str | None
    count_200: int
    count_304: int
    count_unchanged: int
    count_failed: int
    age_s: int | None
    is_stale: bool
    refused: tuple[tuple[str, str], ...]


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
        clock: Callable[[], datetime] = now,
    ) -> None:
        """Make a puller; `wanted` is asked in each round which kinds the policy lets in."""
        self._port = port
        self._wanted = wanted
        self._engine = engine
        self._receivers = receivers
        self._kinds = kinds
        self._every_s = every_s
        self._target = target
        self._clock = clock
        self._has_news = False
        self._told: ErpClock | None = None
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
        answers = {kind: self.poll(kind) for kind in kinds}
        if "200" in answers.values():
            self._has_news = True
        if self._has_news:
            for kind in kinds:
                self._offer(kind)
            self._has_news = False
        return answers

    @property
    def clock(self) -> ErpClock | None:
        """What the ERP last said the time is, None where it never said."""
        return self._told

    def _ask_time(self) -> None:
        """Keep what the ERP says the time is; the last answer stands while it says nothing."""
        asked = self._clock()
        try:
            erp_at = self._port.server_time()
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
        known = self._page(kind)
        # A restarted process holds no records: it asks for the whole page once.
        fresh = kind not in self._kept
        cond = None if known is None or fresh else Validators(known["etag"], known["last_modified"])
        try:
            page = self._port.pull(kind, None, cond)
        except ErpUnreachable as fault:
            self._note(kind, {"status": "failed", "fault": str(fault)}, count="count_failed")
            return "failed"
        at = iso(self._clock())
        if page.records is None:
            self._note(kind, {"status": "304", "checked_at": at, "fault": None}, count="count_304")
            return "304"
        return self._take(kind, page, at=at, known=known)

    def _take(self, kind: Kind, page: Page, *, at: str, known: Mapping[str, Any] | None) -> str:
        found = page.records or ()
        sha256 = hashlib.sha256("".join(map(digest_of, found)).encode()).hexdigest()
        provenance = Provenance(page.url, page.validators.etag, sha256, parse_iso(at))
        same = known is not None and known["sha256"] == sha256 and not page.faults
        was_kept = kind in self._kept
        self._kept[kind] = {name_of(record): (record, provenance) for record in found}
        values: dict[str, Any] = {
            "url": page.url,
            "etag": page.validators.etag,
            "last_modified": page.validators.last_modified,
            "checked_at": at,
            "status": "unchanged" if same else "200",
            "fault": "; ".join(page.faults)[:2000] or None,
        }
        if not same:
            values |= {"sha256": sha256, "body": page.body, "fetched_at": at}
        self._note(kind, values, count="count_unchanged" if same else "count_200")
        # After a restart even an equal page is offered: the last process may not have come to it.
        return "unchanged" if same and was_kept else "200"

    def _offer(self, kind: Kind) -> None:
        """Hand on the records whose content is new or was refused before."""
        seen = self._seen(kind)
        kept = self._kept.get(kind, {})
        for name, (record, provenance) in kept.items():
            sha256 = digest_of(record)
            if seen.get(name) == (sha256, True):
                continue
            fault = self._hand_on(record, provenance)
            self._mark(kind, name, sha256=sha256, fault=fault)
        if kind in self._kept:
            self._flag_vanished(kind, set(kept))

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
        limit = timedelta(seconds=self._every_s * STALE_CYCLES)
        found = []
        for kind in self._kinds:
            page = self._page(kind)
            if page is None:
                continue
            checked = page["checked_at"]
            age = self._clock() - parse_iso(checked) if checked else None
            found.append(
                PullState(
                    kind=kind,
                    age_s=int(age.total_seconds()) if age is not None else None,
                    is_stale=age is None or age > limit,
                    refused=self._refused(kind),
                    **{
                        name: page[name]
                        for name in PullState.__slots__
                        if name not in ("kind", "age_s", "is_stale", "refused")
                    },
                )
            )
        return found

    def _read(self, query: Executable) -> list[Any]:
        with self._engine.connect().execution_options(reads=True) as connection:
            return list(connection.execute(query).mappings())

    def _page(self, kind: Kind) -> Mapping[str, Any] | None:
        where = (pages.c.target == self._target) & (pages.c.kind == kind)
        found = self._read(select(pages).where(where))
        return found[0] if found else None

    def _note(self, kind: Kind, values: dict[str, Any], *, count: str) -> None:
        where = (pages.c.target == self._target) & (pages.c.kind == kind)
        with self._engine.begin() as connection:
            self._ensure(connection, kind)
            counted = {**values, count: pages.c[count] + 1}
            connection.execute(pages.update().where(where).values(counted))

    def _ensure(self, connection: Connection, kind: Kind) -> None:
        where = (pages.c.target == self._target) & (pages.c.kind == kind)
        if connection.execute(select(pages.c.kind).where(where)).first() is None:
            zero = dict.fromkeys(("count_200", "count_304", "count_unchanged", "count_failed"), 0)
            connection.execute(
                pages.insert().values(
                    target=self._target, kind=kind, url="", status="never", **zero
                )
            )

    def _seen(self, kind: Kind) -> dict[str, tuple[str, bool]]:
        where = (records.c.target == self._target) & (records.c.kind == kind)
        return {
            row["name"]: (row["sha256"], bool(row["accepted"]))
            for row in self._read(select(records).where(where))
        }

    def _refused(self, kind: Kind) -> tuple[tuple[str, str], ...]:
        where = (records.c.target == self._target) & (records.c.kind == kind)
        found = self._read(select(records).where(where, records.c.fault.is_not(None)))
        return tuple((row["name"], row["fault"]) for row in found)

    def _mark(self, kind: Kind, name: str, *, sha256: str, fault: str | None) -> None:
        key = {"target": self._target, "kind": kind, "name": name}
        with self._engine.begin() as connection:
            connection.execute(
                records.delete().where(*(records.c[part] == value for part, value in key.items()))
            )
            connection.execute(
                records.insert().values(
                    **key, sha256=sha256, accepted=int(fault is None), fault=fault
                )
            )

    def _flag_vanished(self, kind: Kind, listed: set[str]) -> None:
        """Note what the ERP no longer lists, and what it lists again; nothing is deleted here."""
        where = (records.c.target == self._target) & (records.c.kind == kind)
        for row in self._read(select(records.c.name, records.c.vanished_at).where(where)):
            is_gone = row["name"] not in listed
            if is_gone is (row["vanished_at"] is not None):
                continue
            at = iso(self._clock()) if is_gone else None
            with self._engine.begin() as connection:
                same = records.update().where(where, records.c.name == row["name"])
                connection.execute(same.values(vanished_at=at))
