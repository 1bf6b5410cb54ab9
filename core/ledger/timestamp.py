"""Time stamps of RFC 3161 over checkpoints: somebody outside says when a checkpoint existed.

What is stamped is the whole signed note, as bytes, under SHA-256. So anybody can check a stamp
with OpenSSL alone: `openssl ts -verify -in SIZE.tsr -data SIZE.note -CAfile authority.pem`.
An authority's configuration must not name `certs=`: the certificates would stand unsorted in its
answer, and a strict reader refuses that.
"""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from core.errors import LedgerBroken
from core.ledger.store import Ledger

PREFIX = "rfc3161:"  # of an anchor's receipt; the answer follows in base64
type Certificates = Sequence[x509.Certificate]
HASH_OIDS = {"2.16.840.1.101.3.4.2.1"}  # SHA-256: what we ask for, and what we take


class TimestampBroken(LedgerBroken):
    """An authority's answer does not prove that it saw this checkpoint."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"Time stamp: {why}. It is no anchor. Compare the authority's certificate, and its"
            " address."
        )


class Question(NamedTuple):
    """A request as it is sent, and the number that its answer must repeat."""

    body: bytes
    nonce: int


def question(note: str) -> Question:
    """Return the request to stamp a checkpoint's note; every call has another number."""
    asked = (
        TimestampRequestBuilder()
        .data(note.encode("utf-8"))
        .hash_algorithm(HashAlgorithm.SHA256)
        .cert_request(cert_request=True)
        .nonce(nonce=True)
        .build()
    )
    assert asked.nonce is not None
    return Question(asked.as_bytes(), asked.nonce)


def certificates(path: Path) -> list[x509.Certificate]:
    """Return the certificates in a PEM file.

    Raises:
        TimestampBroken: there is no such file, or it holds none.
    """
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as fault:
        raise TimestampBroken(f"{path} holds no certificate, {fault}") from fault


def stamped_at(
    answer: bytes, note: str, trusted: Certificates, *, nonce: int | None = None
) -> datetime:
    """Return when the authority saw a checkpoint's note, by its own clock.

    Args:
        answer: the response as it was received, DER.
        note: the note that was stamped.
        trusted: certificates the authority's must lead to.
        nonce: the request's number, while the answer is fresh.

    Raises:
        TimestampBroken: the answer is no stamp of this note by this authority.
    """
    return stamped_digest(answer, sha256(note.encode("utf-8")).digest(), trusted, nonce=nonce)


def stamped_digest(
    answer: bytes, digest: bytes, trusted: Certificates, *, nonce: int | None = None
) -> datetime:
    """Return when the authority saw a SHA-256, by its own clock.

    Raises:
        TimestampBroken: the answer is no stamp of it by this authority.
    """
    builder = VerifierBuilder(roots=list(trusted), nonce=nonce)
    try:
        response = decode_timestamp_response(answer)
        if response.status != 0:
            raise TimestampBroken(f"the authority did not grant it, status {response.status}")
        found = response.tst_info
        if found.message_imprint.hash_algorithm.dotted_string not in HASH_OIDS:
            raise TimestampBroken("it is not over a SHA-256")
        builder.build().verify(response, digest)
    except (VerificationError, ValueError) as fault:
        raise TimestampBroken(str(fault).rstrip(".")) from fault
    return found.gen_time


def check_stamps(ledger: Ledger, trusted: Certificates) -> int:
    """Check every kept time stamp again; return how many there are.

    Each is over the note of a checkpoint that this ledger has. That the authority made it is
    checked where its certificates are `trusted`; without any, only what it is over.

    Raises:
        TimestampBroken, LedgerBroken: with the first that does not hold.
    """
    count = 0
    for row in ledger.anchors():
        try:
            answer = from_receipt(row.receipt)
        except ValueError as fault:
            raise TimestampBroken(f"that of {row.size} entries is unreadable") from fault
        if answer is None:
            continue
        checkpoint = ledger.checkpoint_for(row.size)
        if checkpoint is None or checkpoint.size != row.size:
            raise TimestampBroken(f"that of {row.size} entries is over no checkpoint of this log")
        if ledger.root(row.size) != checkpoint.root:
            raise TimestampBroken(f"the log has another root at {row.size} entries")
        if trusted:
            stamped_at(answer, checkpoint.note, trusted)
        else:
            _over(answer, checkpoint.note)
        count += 1
    return count


def _over(answer: bytes, note: str) -> None:
    """Refuse a stamp that is over something else than a note."""
    try:
        stamped = decode_timestamp_response(answer).tst_info.message_imprint.message
    except ValueError as fault:
        raise TimestampBroken(str(fault).rstrip(".")) from fault
    if stamped != sha256(note.encode("utf-8")).digest():
        raise TimestampBroken("it is over another note")


def to_receipt(answer: bytes) -> str:
    """Return an answer as an anchor's receipt."""
    return PREFIX + b64encode(answer).decode("ascii")


def from_receipt(receipt: str) -> bytes | None:
    """Return the answer in an anchor's receipt, None where the place is no authority."""
    if not receipt.startswith(PREFIX):
        return None
    return b64decode(receipt.removeprefix(PREFIX), validate=True)
