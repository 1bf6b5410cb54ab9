"""Electronic signatures: who, when, with which meaning, over exactly what was seen.

A signature is an entry in the signed record's own stream. Its manifest names the stream, the
version and the leaf hash of the newest entry that the signer's screen showed, so it cannot be
moved to another record or another version.

Source:
    21 CFR 11.50, 11.70, 11.200(a).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256

import msgspec
from msgspec import Struct

from core.clock import iso
from core.errors import Conflict, Refused
from core.fact import Context, Event, Plant

PERIOD = timedelta(minutes=10)  # longest pause between two signings of one period


class Seen(Struct, frozen=True, kw_only=True):
    """What the signer's screen showed: a stream, its version, its newest leaf hash."""

    stream: str
    ver: int
    head: str


class Manifest(Struct, frozen=True, kw_only=True):
    """Everything a signature commits to."""

    record: str
    ver: int
    head: str
    step: str | None
    meaning: str
    words: str
    signer: str
    name: str
    at: str
    zone: str
    nonce: str


class SignatureApplied(Event, frozen=True, kw_only=True, tag="signature.applied"):
    """A person signed; the digest is over the manifest's canonical bytes."""

    manifest: Manifest
    manifest_sha256: str
    components: tuple[str, ...]


class SignatureRequired(Refused):
    """The action stands only with a signature."""

    def __init__(self, meaning: str) -> None:
        super().__init__(
            f'Signature: "{meaning}" needs badge or user id, and secret. Sign to go on.',
            meaning=meaning,
        )


class RecordMoved(Conflict):
    """The record changed between the look and the signature."""

    def __init__(self, stream: str, *, seen: int, current: int) -> None:
        super().__init__(
            f"{stream}: changed while you looked; you saw version {seen}, it is now {current}."
            " Read what changed and sign again.",
            stream=stream,
            seen=seen,
            current=current,
        )


class WrongRecord(Refused):
    """The signer's screen showed another record than the one that is to be signed."""

    is_evidence = True

    def __init__(self, seen: str, *, record: str) -> None:
        super().__init__(
            f"{record}: the signature is for {seen}. Open {record}, read it, and sign there.",
            seen=seen,
            record=record,
        )


class FirstSigningNeedsBoth(Refused):
    """The secret alone is enough only within a continuous signing period."""

    def __init__(self) -> None:
        super().__init__(
            "Signature: the first signing of a period needs badge or user id, and secret."
            " Give both."
        )


@dataclass(frozen=True, slots=True)
class SigningPeriod:
    """A continuous period of controlled access at one station (21 CFR 11.200(a)(1)(i))."""

    person: str
    station: str
    last_at: datetime

    def covers(self, station: str, at: datetime) -> bool:
        """Return whether the secret alone is enough at this station and instant."""
        # A clock that was set back must not lengthen the period.
        return station == self.station and timedelta(0) <= at - self.last_at <= PERIOD

    def renewed(self, at: datetime) -> "SigningPeriod":
        """Return the period after a signing at `at`."""
        return replace(self, last_at=at)


def manifest_bytes(manifest: Manifest) -> bytes:
    """Return the bytes that the digest is over: sorted keys, no spaces."""
    return msgspec.json.encode(manifest, order="sorted")


def sign(
    plant: Plant,
    context: Context,
    seen: Seen,
    *,
    record: str,
    meaning: str,
    words: str,
    step: str | None = None,
) -> SignatureApplied:
    """Return the signature event of the person who has just authenticated.

    `record` is the stream that the command concerns, which must be the one that was seen.

    Raises:
        SignatureRequired: nobody authenticated for this command.
        WrongRecord: the signer saw another stream.
        RecordMoved: the stream is not where the signer saw it.
    """
    if context.signer is None:
        raise SignatureRequired(meaning)
    if seen.stream != record:
        raise WrongRecord(seen.stream, record=record)
    head = plant.head(seen.stream)
    if (head.ver, head.leaf) != (seen.ver, seen.head):
        raise RecordMoved(seen.stream, seen=seen.ver, current=head.ver)
    manifest = Manifest(
        record=seen.stream,
        ver=seen.ver,
        head=seen.head,
        step=step,
        meaning=meaning,
        words=words,
        signer=context.signer.person,
        name=context.signer.name,
        at=iso(context.at),
        zone=context.zone,
        nonce=sha256(context.idem.encode()).hexdigest()[:32],
    )
    return SignatureApplied(
        manifest=manifest,
        manifest_sha256=sha256(manifest_bytes(manifest)).hexdigest(),
        components=context.signer.components,
    )
