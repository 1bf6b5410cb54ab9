"""Standard Webhooks signatures: HMAC-SHA256 over `<id>.<unix seconds>.<raw body>`.

A secret is the text `whsec_` + base64 of 24 to 64 random bytes; the key is the decoded bytes.
Several secrets may live at once: the sender signs with each, the receiver accepts any, so that
a rotation never loses a message. Each direction has its own secret, so that no request can be
reflected as a receipt.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from erp.errors import SignatureRefused

PREFIX = "whsec_"
TOLERANCE_S = 300


@dataclass(frozen=True, slots=True)
class Keys:
    """The live keys of one direction, newest first."""

    keys: tuple[bytes, ...] = field(repr=False)

    def __post_init__(self) -> None:
        if not self.keys or any(not 24 <= len(key) <= 64 for key in self.keys):
            raise ValueError("webhook keys: give at least one, each of 24 to 64 bytes")

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Keys":
        """Return the keys of secret texts.

        Raises:
            ValueError: a text has no `whsec_` in front or is no base64.
        """
        return cls(tuple(_key(text) for text in texts))

    @property
    def ids(self) -> tuple[str, ...]:
        """What the keys are called on screens and in the ledger, newest first; no key follows."""
        return tuple(key_id(key) for key in self.keys)


def key_id(key: bytes) -> str:
    """Return what a key is called: the start of its SHA-256, from which no key can be found.

    >>> key_id(bytes(32))
    '66687aadf862'
    """
    return hashlib.sha256(key).hexdigest()[:12]


def _key(text: str) -> bytes:
    if not text.startswith(PREFIX):
        raise ValueError(
            "webhook secret: must start with whsec_. Make one with erp.signing.new_secret."
        )
    return base64.b64decode(text.removeprefix(PREFIX), validate=True)


def new_secret() -> str:
    """Return a fresh secret text of 32 random bytes."""
    return secret_text(secrets.token_bytes(32))


def secret_text(key: bytes) -> str:
    """Return the secret text of a key.

    >>> secret_text(bytes(24))
    'whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
    """
    return PREFIX + base64.b64encode(key).decode("ascii")


def _mac(key: bytes, base: bytes) -> bytes:
    return hmac.new(key, base, hashlib.sha256).digest()


def _base(event_id: str, seconds: int, body: bytes) -> bytes:
    return f"{event_id}.{seconds}.".encode("ascii") + body


def sign(keys: Keys, event_id: str, *, at: datetime, body: bytes) -> dict[str, str]:
    """Return the three signature headers of one attempt, made at `at`.

    The receiver allows 300 s between that instant and its own clock, to either side.
    """
    if at.tzinfo is None:
        raise TypeError("naive time: give an aware UTC instant")
    seconds = int(at.timestamp())
    base = _base(event_id, seconds, body)
    marks = (base64.b64encode(_mac(key, base)).decode("ascii") for key in keys.keys)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(f"v1,{mark}" for mark in marks),
    }


def verify(keys: Keys, headers: Mapping[str, str], *, at: datetime, body: bytes) -> str:
    """Return the message id of a signed body, or refuse it; nothing is parsed before.

    Header names are in lower case, or the mapping ignores case.

    Raises:
        SignatureRefused: a header is missing or malformed, the time is more than 300 s away, or no
            signature matches any live key.
    """
    event_id = headers.get("webhook-id") or ""
    stamp = headers.get("webhook-timestamp") or ""
    marks = headers.get("webhook-signature") or ""
    if not event_id or not stamp or not marks:
        raise SignatureRefused(event_id, "a signature header is missing")
    if not event_id.isascii() or "." in event_id or not (stamp.isascii() and stamp.isdigit()):
        raise SignatureRefused(event_id, "a signature header is malformed")
    seconds = int(stamp[:18])
    if abs(seconds - int(at.timestamp())) > TOLERANCE_S:
        raise SignatureRefused(event_id, f"signed more than {TOLERANCE_S} s away from this clock")
    base = _base(event_id, seconds, body)
    expected = [_mac(key, base) for key in keys.keys]
    given = [mark for mark in map(_decoded, marks.split(" ")) if mark is not None]
    # Every pair is compared: the time taken must not tell which key or mark came close.
    matches = [hmac.compare_digest(mine, theirs) for mine in expected for theirs in given]
    if not any(matches):
        raise SignatureRefused(event_id, "no signature matches a live key")
    return event_id


def _decoded(mark: str) -> bytes | None:
    version, _, text = mark.partition(",")
    if version != "v1":
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
