"""The keys of a boundary that runs: what the ledger says is live is taken from the vault at once.

A secret is kept before its name is signed for, so that whoever agrees finds it. Of several that
wait the one that begins is taken, the others go. A key that has ended proves what it signed, and
signs and accepts nothing any more.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from core.erp_key import Direction, ErpKey
from core.vault import ERP_RECEIVE, ERP_SEND, Vault
from erp.connected import Signs
from erp.signing import Keys, key_id, secret_text

type Shelf = Literal["", "next", "past"]

WAYS: tuple[Direction, ...] = ("send", "receive")
NAMES: Mapping[Direction, str] = {"send": ERP_SEND, "receive": ERP_RECEIVE}
WAITING: Shelf = "next"
PAST: Shelf = "past"
MOST_WAITING = 4
log = logging.getLogger("batchwright.erp")


@dataclass
class AtRest:
    """The keys of a boundary that does not run, as its vault holds them."""

    sends: Keys
    receipts: Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStand:
    """What a screen says of one direction: live keys, keys that wait, and what is missing here."""

    direction: Direction
    live: tuple[str, ...]
    waiting: tuple[str, ...]
    missing: tuple[str, ...]


class LiveKeys:
    """Both directions of one boundary. Safe to use from several threads."""

    def __init__(
        self,
        port: Signs,
        vault: Callable[[], Vault],
        held: Callable[[Direction], ErpKey | None],
        *,
        names: Mapping[Direction, str] = NAMES,
    ) -> None:
        self._port, self._vault, self._held, self._names = port, vault, held, names
        self._lock = threading.RLock()
        self._missing: dict[Direction, tuple[str, ...]] = {}

    def live(self, way: Direction) -> Keys:
        """Return the keys in use, newest first."""
        return self._port.sends if way == "send" else self._port.receipts

    def proving(self, way: Direction) -> Keys:
        """Return the keys that prove what was signed: those in use, and those that have ended."""
        live = self.live(way).keys
        return Keys((*live, *(key for key in self._kept(way, PAST) if key not in live)))

    def stands(self) -> tuple[KeyStand, ...]:
        """Return what a screen says of both directions."""
        return tuple(
            KeyStand(
                direction=way,
                live=self.live(way).ids,
                waiting=tuple(key_id(key) for key in self._kept(way, WAITING)),
                missing=self._missing.get(way, ()),
            )
            for way in WAYS
        )

    def overdue(self, at: datetime) -> int:
        """Return how many older keys have outlived the days that two people gave them."""
        held = (self._held(way) for way in WAYS)
        return sum(it is not None and it.until is not None and it.until <= at for it in held)

    def keep(self, way: Direction, secret: str) -> str:
        """Keep a secret that is to begin, and return its key's name.

        Raises:
            ValueError: it is no `whsec_` text of 24 to 64 bytes.
        """
        [key] = Keys.of([secret]).keys
        with self._lock:
            others = [one for one in self._kept(way, WAITING) if one != key]
            self._put(way, WAITING, [key, *others][:MOST_WAITING])
        return key_id(key)

    def look(self) -> bool:
        """Take up what the ledger says since the last look; return whether that changed a key."""
        changed = False
        with self._lock:
            for way in WAYS:
                held = self._held(way)
                if held is not None and held.begun_at is not None:
                    changed |= self._take_up(way, held)
        return changed

    def _take_up(self, way: Direction, held: ErpKey) -> bool:
        wanted = tuple(name for name in (held.newest, held.older) if name)
        live = self.live(way)
        if live.ids == wanted:
            return False
        found = {key_id(key): key for key in (*live.keys, *self._kept(way, ""))}
        found |= {key_id(key): key for key in self._kept(way, WAITING)}
        missing = tuple(name for name in wanted if name not in found)
        if missing != self._missing.get(way, ()):
            log.warning("event=erp-key-missing direction=%s keys=%s", way, ",".join(missing))
        self._missing[way] = missing
        if missing:
            return False
        keys = Keys(tuple(found[name] for name in wanted))
        ended = [key for key in live.keys if key not in keys.keys]
        self._put(way, PAST, [*ended, *(key for key in self._kept(way, PAST) if key not in ended)])
        self._put(way, "", keys.keys)
        if held.older is not None:
            self._put(way, WAITING, [])
        if way == "send":
            self._port.sends = keys
        else:
            self._port.receipts = keys
        log.info("event=erp-keys-live direction=%s keys=%s", way, ",".join(keys.ids))
        return True

    def _name(self, way: Direction, shelf: Shelf) -> str:
        return f"{self._names[way]}-{shelf}" if shelf else self._names[way]

    def _kept(self, way: Direction, shelf: Shelf) -> tuple[bytes, ...]:
        text = self._vault().get(self._name(way, shelf))
        return Keys.of(text.split()).keys if text else ()

    def _put(self, way: Direction, shelf: Shelf, keys: Sequence[bytes]) -> None:
        name, vault = self._name(way, shelf), self._vault()
        if keys:
            vault.put(name, " ".join(secret_text(key) for key in keys))
        elif name in vault.names():
            vault.drop(name)
