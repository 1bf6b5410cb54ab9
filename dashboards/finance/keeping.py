"""Keeps the match over restarts, so that a start reads only what is new; all of it may be lost."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from analytics.reconciliation.kept import DoesNotFit, KeptMatch, NotKept, version
from analytics.reconciliation.store import MatchStore
from erp.following import Follower
from erp.messages import Site
from erp.port import ErpAdapter

KEEP_S = 600.0  # how much reading is lost at most where a server is killed
log = logging.getLogger("batchwright.finance")


class KeptSide(Protocol):
    """The boundary, as far as its match is kept; None keeps nothing."""

    kept: Path | None
    site: Site

    @property
    def port(self) -> ErpAdapter: ...
    def follower(self) -> Follower: ...


class Keeper:
    """Restores the match at the first look and writes it now and then; for one store."""

    def __init__(self, side: KeptSide) -> None:
        self._side = side
        self._kept = None if side.kept is None else KeptMatch(side.kept)
        self._number, self._at = 0, -KEEP_S

    def begin(self, store: MatchStore) -> Follower:
        """Return a follower: where an earlier process stood if that fits, else at the beginning."""
        follower = self._side.follower()
        if self._kept is None:
            return follower
        try:
            found = self._kept.find(version=self._version(store))
            if found is None:
                return follower
            path, kept = found
            if not follower.restore(kept.marks):
                raise DoesNotFit("made of another ledger or outbox")
            store.restore(path, kept)
        except DoesNotFit as why:
            log.warning("event=match-made-anew why=%r", str(why))
            self._kept.drop()
            return self._side.follower()
        self._number, self._at = kept.position.number, time.monotonic()
        log.info("event=match-restored upto_seq=%d", kept.position.upto_seq)
        return follower

    def is_due(self) -> bool:
        """Return whether it is time to write again."""
        return self._kept is not None and time.monotonic() - self._at >= KEEP_S

    def hold(self, store: MatchStore, follower: Follower | None) -> Callable[[], None] | None:
        """Take hold of the state as it is; return what writes it, None where nothing is new.

        Call it while nothing is read; what it returns may run beside further readings.
        """
        number = store.position.number
        if self._kept is None or follower is None or number <= self._number:
            return None
        marks = follower.marks()
        write_to = store.written(self._kept, self._version(store))
        self._number, self._at = number, time.monotonic()

        def write() -> None:
            try:
                write_to(marks)
            except NotKept as fault:  # saved work only: the next start reads everything anew
                log.warning("event=match-not-kept fault=%r", str(fault))

        return write

    def _version(self, store: MatchStore) -> str:
        of = f"{self._side.site.plant} {self._side.site.zone.key} {self._side.port.profile!r}"
        return version(store.rules, of)
