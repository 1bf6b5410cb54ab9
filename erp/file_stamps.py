"""Time stamps for files while somebody waits for them: soon, or not at all.

An authority that was silent is not asked again for a minute: a print that follows does not wait.
What it says of revoked certificates is fetched from where its certificates say, and left out where
it is not there: a stamp stands without it, and cannot be extended for every reader.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlsplit

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from core.ledger.timestamp import stamped_digest
from erp.timestamp import Authority, AuthoritySilent, client_of, posted

TIMEOUT_S = 5.0
REST_S = 60.0
LIST_S = 3600.0
LIST_LIMIT = 1024 * 1024
log = logging.getLogger("batchwright.timestamp")


class FileStamps:
    """Asks a plant's authority for stamps; safe from any thread."""

    def __init__(
        self,
        authority: Authority,
        *,
        within_s: float = TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._authority, self._clock, self._within_s = authority, clock, within_s
        self._client = client_of(within_s)
        self._lock = threading.Lock()
        self._rests_until = float("-inf")
        self._lists: dict[str, tuple[float, bytes | None]] = {}
        self.place = str(urlsplit(authority.address).hostname)
        self.trusted = tuple(one.public_bytes(Encoding.DER) for one in authority.trusted)

    def answer(self, request: bytes, digest: bytes, nonce: int) -> bytes:
        """Return the authority's answer to a request to stamp a SHA-256; it was checked.

        Raises:
            AuthoritySilent: it does not answer, or did not a moment ago.
            TimestampBroken: its answer is no stamp of this, or not by this authority.
        """
        address = self._authority.address
        with self._lock:
            if self._clock() < self._rests_until:
                raise AuthoritySilent(address, f"did not answer within the last {REST_S:g} s")
        try:
            found = posted(self._client, address, request, within_s=self._within_s)
        except AuthoritySilent:
            with self._lock:
                self._rests_until = self._clock() + REST_S
            raise
        stamped_digest(found, digest, self._authority.trusted, nonce=nonce)
        return found

    def revocations(self, certificates: Sequence[bytes]) -> list[bytes]:
        """Return the revocation lists that certificates (DER) name, DER; those that are there."""
        found = {}
        for one in certificates:
            for address in _list_addresses(x509.load_der_x509_certificate(one)):
                body = self._list(address)
                if body is not None:
                    found[address] = body
        return list(found.values())

    def _list(self, address: str) -> bytes | None:
        """Return a list as it was within the last hour; one that failed rests a minute."""
        with self._lock:
            until, kept = self._lists.get(address, (float("-inf"), None))
        if self._clock() < until:
            return kept
        try:
            found = _fetched(self._client, address, within_s=self._within_s)
        except (httpx.HTTPError, OSError, ValueError) as fault:
            log.warning("event=revocation-list-missing address=%s reason=%s", address, fault)
            found = None
        with self._lock:
            rest = REST_S if found is None else LIST_S
            self._lists[address] = (self._clock() + rest, found)
        return found

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _list_addresses(certificate: x509.Certificate) -> Iterator[str]:
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return
    for point in points:
        for name in point.full_name or ():
            if str(name.value).startswith(("http://", "https://")):
                yield str(name.value)


def _fetched(client: httpx.Client, address: str, *, within_s: float) -> bytes:
    """Return a revocation list; whose it is, a reader checks.

    Raises:
        httpx.HTTPError, OSError, ValueError: it is not there, too large, too slow, or none.
    """
    until, found = time.monotonic() + within_s, bytearray()
    with client.stream("GET", address) as answer:
        answer.raise_for_status()
        for part in answer.iter_bytes():
            found += part
            if len(found) > LIST_LIMIT or time.monotonic() > until:
                raise ValueError("is too large or too slow")
    return x509.load_der_x509_crl(bytes(found)).public_bytes(Encoding.DER)
