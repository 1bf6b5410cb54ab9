"""Ask a time-stamp authority for the newest checkpoint, daily or after so many entries.

The answer is checked before it is kept as an anchor. An authority that does not answer stops
nothing: the exposure on `/audit` grows, and it is asked again.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import urlsplit

import httpx
from cryptography import x509

from config.settings import Settings
from core.clock import now, parse_iso
from core.errors import LedgerBroken, MesError
from core.ledger.answer import Answer
from core.ledger.store import Ledger
from core.ledger.timestamp import PREFIX, certificates, question, stamped_at, to_receipt
from erp.trust import trusted

ANSWER_LIMIT = 64 * 1024
TIMEOUT_S = 20.0
TICK_S = 60.0
RETRY = timedelta(minutes=10)
log = logging.getLogger("batchwright.timestamp")


class AuthoritySilent(MesError):
    """The authority gave no time stamp."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"Time-stamp authority {address}: {why}. It is asked again later.")


class Records(Protocol):
    """Whoever keeps anchors: the ledger's writer."""

    def record_anchor(self, size: int, place: str, receipt: str, *, at: datetime) -> Answer[None]:
        """Keep the proof that a place outside holds the checkpoint of this size."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """Where the authority is, whom its certificate must lead to, and when to ask it."""

    address: str
    trusted: Sequence[x509.Certificate]
    every: timedelta = timedelta(days=1)
    every_entries: int = 10_000

    @property
    def place(self) -> str:
        """The authority as an anchor's place."""
        return f"time-stamp authority {urlsplit(self.address).hostname}"


def authority_of(settings: Settings) -> Authority | None:
    """Return the time-stamp authority that the settings name, None for none.

    Raises:
        SettingFaulty: only one of address and certificates is named, or there is no such file.
        TimestampBroken: the file holds no certificate.
    """
    named = settings.authority
    if named is None:
        return None
    return Authority(
        address=named[0],
        trusted=certificates(named[1]),
        every=timedelta(hours=settings.tsa_hours),
        every_entries=settings.tsa_entries,
    )


def client_of(timeout_s: float) -> httpx.Client:
    """Return a client for an authority; it goes to the address that is named, and nowhere else."""
    return httpx.Client(
        timeout=timeout_s, verify=trusted(), trust_env=False, follow_redirects=False
    )


def posted(client: httpx.Client, address: str, body: bytes, *, within_s: float) -> bytes:
    """Return an authority's answer to a request, not checked yet.

    Raises:
        AuthoritySilent: it does not answer whole in time, or answers something else.
    """
    until, found = time.monotonic() + within_s, bytearray()
    headers = {"content-type": "application/timestamp-query"}
    try:
        with client.stream("POST", address, content=body, headers=headers) as answer:
            kind = answer.headers.get("content-type", "").split(";")[0].strip()
            if answer.status_code != 200 or kind != "application/timestamp-reply":
                raise AuthoritySilent(address, f"status {answer.status_code}, {kind or 'empty'}")
            for part in answer.iter_bytes():
                found += part
                if len(found) > ANSWER_LIMIT:
                    raise AuthoritySilent(address, f"answer above {ANSWER_LIMIT} bytes")
                if time.monotonic() > until:
                    raise AuthoritySilent(address, f"no whole answer within {within_s:g} s")
    except httpx.HTTPError as fault:
        raise AuthoritySilent(address, type(fault).__name__) from fault
    return bytes(found)


def ask(client: httpx.Client, authority: Authority, note: str) -> tuple[bytes, datetime]:
    """Return the authority's answer for a note, and the time in it.

    Raises:
        AuthoritySilent: it does not answer, or answers something else.
        TimestampBroken: the answer does not hold.
    """
    asked = question(note)
    answer = posted(client, authority.address, asked.body, within_s=TIMEOUT_S)
    return answer, stamped_at(answer, note, authority.trusted, nonce=asked.nonce)


class Stamping:
    """A thread that keeps the ledger stamped."""

    def __init__(
        self,
        ledger: Ledger,
        records: Records,
        authority: Authority,
        *,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._ledger, self._records, self._authority = ledger, records, authority
        self._clock = clock
        self._client = client_of(TIMEOUT_S)
        self._ending = threading.Event()
        self._retry_at: datetime | None = None
        self._thread = threading.Thread(target=self._run, name="time-stamps", daemon=True)

    def start(self) -> None:
        """Begin: the first stamp comes at once where it is due."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what is asked now, then stop."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()
        self._client.close()

    def is_due(self) -> bool:
        """Return whether the newest stamp is too old, or too many entries came after it."""
        at, size = self._clock(), self._ledger.size()
        if size == 0 or (self._retry_at is not None and at < self._retry_at):
            return False
        stamps = [one for one in self._ledger.anchors() if one.receipt.startswith(PREFIX)]
        if not stamps:
            return True
        newest = stamps[-1]
        is_old = at - parse_iso(newest.at) >= self._authority.every and size > newest.size
        return is_old or size - newest.size >= self._authority.every_entries

    def stamp(self) -> int:
        """Have the newest checkpoint stamped and keep the answer; return the size it covers.

        Raises:
            AuthoritySilent: it does not answer.
            TimestampBroken: its answer does not hold.
        """
        checkpoint = self._ledger.checkpoint()
        assert checkpoint is not None
        answer, at = ask(self._client, self._authority, checkpoint.note)
        kept = self._records.record_anchor(
            checkpoint.size, self._authority.place, to_receipt(answer), at=at
        )
        kept.result(TIMEOUT_S)
        return checkpoint.size

    def tick(self) -> None:
        """Stamp where it is due; a fault is said once and tried again after a while."""
        try:
            if self.is_due():
                size = self.stamp()
                log.info("event=time-stamped size=%d", size)
        except LedgerBroken as fault:
            self._later("time-stamp-broken", fault)
        except MesError as fault:
            self._later("time-stamp-missing", fault)

    def _later(self, event: str, fault: MesError) -> None:
        self._retry_at = self._clock() + RETRY
        log.warning("event=%s reason=%s", event, fault)

    def _run(self) -> None:
        while True:
            try:
                self.tick()
            except Exception:  # the plant goes on without stamps, and /audit shows it
                log.exception("event=time-stamps-broken")
            if self._ending.wait(TICK_S):
                return
