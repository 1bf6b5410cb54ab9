"""Statements that were shown and wait for their signature, in this process's memory.

Each is bound to one person at one place, for one command under one id, and can be taken once. A
sign-in provider's answer waits beside the statement that it is about.

Source:
    21 CFR 11.70.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from secrets import token_urlsafe
from threading import Lock

from core.errors import Refused
from core.fact import Signer
from core.manifest import Manifest, Vouched
from core.provider_proof import ProviderRefused
from core.signature import LIFE, ShownTooLongAgo, SignatureApplied

MOST_PENDING, MOST_OF_ONE = 5_000, 50


class NotShown(Refused):
    """What is to be signed was not shown to this person, here, for this command; or is signed."""

    is_evidence = True

    def __init__(self) -> None:
        super().__init__(
            "Signature: what was shown is signed already, or was shown to another person, at"
            " another place or for another act. Read it again, then sign."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a pending manifest is bound to: command and reason by digest, command id, place."""

    sha256: str
    idem: str
    place: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class _Pending:
    manifest: Manifest
    request: Request
    asked_by: str
    expires_at: datetime
    answer: str = ""
    said: Vouched | ProviderRefused | None = None


class Statements:
    """What was shown and is not signed yet; safe from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pending: dict[str, _Pending] = {}
        self._vouched_for: dict[str, Signer] = {}

    def keep(
        self, event: SignatureApplied, request: Request, *, at: datetime, asked_by: str
    ) -> tuple[str, datetime]:
        """Keep a manifest until it is signed or too old; return its name and when it ends.

        Whoever asks for many at once loses their own oldest ones, and nobody else's.
        """
        pending, expires_at = token_urlsafe(24), at + LIFE
        with self._lock:
            own = [name for name, one in self._pending.items() if one.asked_by == asked_by]
            too_many = set(own[: len(own) + 1 - MOST_OF_ONE] if len(own) >= MOST_OF_ONE else ())
            for old, one in tuple(self._pending.items()):
                is_full = len(self._pending) >= MOST_PENDING
                if old in too_many or is_full or at - one.expires_at > LIFE:
                    del self._pending[old]
            self._pending[pending] = _Pending(event.manifest, request, asked_by, expires_at)
        return pending, expires_at

    def shown(self, pending: str) -> Manifest | None:
        """Return a pending manifest without using it up."""
        with self._lock:
            found = self._pending.get(pending)
        return None if found is None else found.manifest

    def take(self, pending: str, person: str, request: Request, *, at: datetime) -> Manifest:
        """Return the manifest that was shown for a request; it can be taken once.

        Raises:
            NotShown: it is used up, unknown, or was shown for something else.
            ShownTooLongAgo: its life is over.
        """
        with self._lock:
            found = self._pending.pop(pending, None)
        if found is None or found.request != request or found.manifest.signer != person:
            raise NotShown
        if at > found.expires_at:
            raise ShownTooLongAgo(found.manifest.record, shown_at=found.manifest.at)
        return found.manifest

    def answered(self, pending: str, said: Vouched | ProviderRefused) -> str | None:
        """Keep what the sign-in provider said about a statement; only who asked it may call this.

        Returns the name by which the answer is used, once; None where nothing is shown any more.
        """
        answer = token_urlsafe(24)
        with self._lock:
            found = self._pending.get(pending)
            if found is None:
                return None
            self._pending[pending] = replace(found, answer=answer, said=said)
        return answer

    def answer(self, pending: str, answer: str) -> tuple[Manifest, Vouched]:
        """Return what was shown and what the provider said about it; its answer is used up.

        Raises:
            NotShown: it is used up, or answers another statement.
            ProviderRefused: it was that nothing is proven.
        """
        with self._lock:
            found = self._pending.get(pending)
            if found is None or found.said is None or found.answer != answer:
                raise NotShown
            self._pending[pending] = replace(found, answer="", said=None)
        if isinstance(found.said, ProviderRefused):
            raise found.said
        return found.manifest, found.said

    def proven(self, answer: str, signer: Signer) -> None:
        """Remember for whom an answer was, so that a repeat of its request is known."""
        with self._lock:
            while len(self._vouched_for) >= MOST_PENDING:
                del self._vouched_for[next(iter(self._vouched_for))]
            self._vouched_for[answer] = signer

    def proved(self, answer: str) -> Signer | None:
        """Return for whom a used answer was."""
        with self._lock:
            return self._vouched_for.get(answer)
