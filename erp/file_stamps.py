"""Time stamps for files while somebody waits for them: soon, or not at all.

An authority that was silent is not asked again for a minute: a print that follows does not wait.
"""

import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.serialization import Encoding

from core.ledger.timestamp import stamped_digest
from erp.timestamp import Authority, AuthoritySilent, client_of, posted

TIMEOUT_S = 5.0
REST_S = 60.0


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

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
