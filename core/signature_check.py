"""Stored signatures looked at again: whose they are, over which version, and what came after.

Source:
    21 CFR 11.70.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from core.clock import parse_iso
from core.errors import LedgerBroken
from core.ledger.entry import Entry
from core.ledger.store import Ledger
from core.manifest import manifest_digest
from core.passkey import key_words
from core.passkey_proof import PasskeyRefused, check_stored
from core.provider_proof import ProviderRefused, check_vouched, vouched_words
from core.signature import SignatureApplied

SIGNED = "signature.applied"


class SignatureBroken(LedgerBroken):
    """A stored signature does not belong where it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A stored signature as it stands: the version it is over, and the record's newest one.

    `current` counts no signatures and nothing that the signed act itself wrote. `proof` says who
    beside the ledger proves it, after the check; it is empty where the signer gave a secret.
    """

    signature: SignatureApplied
    signed: int
    current: int
    proof: str

    @property
    def is_stale(self) -> bool:
        """Whether the record went on after what was signed."""
        return self.current > self.signed

    def __str__(self) -> str:
        """Return the versions in words."""
        text = f"signed version {self.signed}"
        return f"{text}; current {self.current}" if self.is_stale else text


def signature_in(entry: Entry) -> SignatureApplied:
    """Return the signature that an entry of type `signature.applied` holds."""
    return msgspec.convert({**entry.data, "type": entry.type}, SignatureApplied)


def current_version(record: Sequence[Entry], signed: int, *, idem: str | None) -> int:
    """Return the version of the newest entry after `signed` that a signature does not cover.

    `record` is the signed stream from its start, `idem` the id of the signed act.
    """
    after = (one.ver for one in record[signed:] if one.type != SIGNED and one.idem != idem)
    return max(after, default=signed)


def standing(
    entry: Entry, record: Sequence[Entry], *, head: Callable[[int], str | None]
) -> Standing:
    """Return how a stored signature stands, after checking what it is bound to.

    Args:
        entry: the signature.
        record: all entries of the stream that it names.
        head: the leaf hash of that stream's entry at a version, None where there is none.

    Raises:
        SignatureBroken: it is not of this record, version, person or statement, or what its
            passkey or its sign-in provider said does not hold.
    """
    signature = signature_in(entry)
    manifest = signature.manifest
    stream = _signed_stream(entry, signature)
    check_signature(signature, stream=stream, actor=entry.actor, head=head)
    proof = check_proof(entry)
    current = current_version(record, manifest.ver, idem=entry.idem)
    return Standing(signature=signature, signed=manifest.ver, current=current, proof=proof)


def _signed_stream(entry: Entry, signature: SignatureApplied) -> str:
    """Return the stream that a signature must be over: its own, but for one that reopens a batch.

    An amendment keeps the signature over the closed batch that it reopens.
    """
    record = signature.manifest.record
    reopens = entry.stream.startswith("amendment/") and record.startswith("batch/")
    return record if reopens else entry.stream


@dataclass(frozen=True, slots=True)
class Checked:
    """How many stored signatures hold, and how many of them somebody beside the ledger proves."""

    signatures: int
    proven: int


def check_signatures(ledger: Ledger, seqs: Iterable[int]) -> Checked:
    """Check the signatures in these entries of a ledger whose entries hold.

    Raises:
        SignatureBroken: with the first that does not belong where it stands.
    """
    count = proven = 0
    for seq in seqs:
        entry = ledger.entry(seq)
        assert entry is not None, seq
        signature = signature_in(entry)
        stream = _signed_stream(entry, signature)

        def head(ver: int, stream: str = stream) -> str | None:
            leaf = ledger.leaf_of(stream, ver)
            return None if leaf is None else leaf.hex()

        check_signature(signature, stream=stream, actor=entry.actor, head=head)
        count, proven = count + 1, proven + bool(check_proof(entry))
    return Checked(count, proven)


def check_proof(entry: Entry) -> str:
    """Return in words who beside the ledger proves a stored signature, empty where nobody does.

    Raises:
        SignatureBroken: what they said is not about this signature.
    """
    if not {"assertion", "vouched"} & set(entry.data):
        return ""
    signature = signature_in(entry)
    try:
        if signature.assertion is not None:
            origin = check_stored(signature.assertion, signature.manifest)
            return f"passkey with key {key_words(signature.assertion.public_key)}, used at {origin}"
        if signature.vouched is not None:
            check_vouched(signature.vouched, signature.manifest, at=parse_iso(entry.at))
            return vouched_words(signature.vouched)
    except (PasskeyRefused, ProviderRefused) as fault:
        raise SignatureBroken(f"{entry.stream}: entry {entry.seq}: {fault}") from fault
    return ""


def check_signature(
    signature: SignatureApplied, *, stream: str, actor: str, head: Callable[[int], str | None]
) -> None:
    """Refuse a stored signature that is not of this record, version, person and statement.

    `head` returns the leaf hash of the stream's entry at a version, None where there is none.
    It needs the ledger's own entries only; that they were not changed is what the log proves.

    Raises:
        SignatureBroken: with the first thing that does not fit.
    """
    it = signature.manifest
    where = f"{stream}: a signature of {it.name} over version {it.ver}"
    if manifest_digest(it).hex() != signature.manifest_sha256:
        raise SignatureBroken(f"{where} has another statement than its digest. Call QA.")
    if it.record != stream:
        raise SignatureBroken(f"{where} was made for {it.record}. Call QA.")
    if it.signer != actor:
        raise SignatureBroken(f"{where} stands under the name of {actor}. Call QA.")
    # The first entry of a record may be a signature: then nothing came before it.
    if (head(it.ver) if it.ver else "") != it.head:
        raise SignatureBroken(f"{where} was made over other content. Call QA.")
