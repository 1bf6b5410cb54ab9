"""The plant's own certificates for sealing documents, made on first use and kept in its folder.

A P-256 authority signs the plant's signer, and one for each person whose signature is repeated on
paper. The server holds all keys: who signed the record stands in the ledger.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from core import clock

AUTHORITY_FOR = timedelta(days=3652)
SIGNER_FOR = timedelta(days=730)
# A seal without a time stamp can be checked while its certificate lasts: for a year at least.
RENEWED_BEFORE = timedelta(days=365)
LIST_FOR = timedelta(days=1)
AUTHORITY_KEY, AUTHORITY = "authority.key", "authority.pem"
SIGNER_KEY, SIGNER = "signer.key", "signer.pem"
EARLIER = timedelta(minutes=5)  # for readers whose clocks are behind
USES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
    "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SealFiles:
    """Where the signer's key and both certificates are, as PEM."""

    key: Path
    certificate: Path
    authority: Path


def seal_files(folder: Path, plant: str, *, now: Callable[[], datetime] = clock.now) -> SealFiles:
    """Return the plant's seal; make it where there is none, or the signer ends within a year.

    Each seal is a folder of its own, `seal-001` and on, which appears whole: of several who make
    the first one at once, all use the same. The authority goes on while it outlives its signer.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    at = now()
    made = _seals(folder)
    if made and lasts(made[-1] / SIGNER, at):
        return _files(made[-1])
    draft = Path(mkdtemp(dir=folder, prefix="seal-new-"))
    _make(draft, plant, at, before=made[-1] if made else None)
    target = folder / f"seal-{len(made) + 1:03d}"
    try:
        draft.rename(target)
    except OSError:  # somebody else was first
        shutil.rmtree(draft)
    return _files(target)


def person_files(
    folder: Path, plant: str, *, person: str, name: str, now: Callable[[], datetime] = clock.now
) -> SealFiles:
    """Return the certificate of a person under the plant's present authority, made on first use.

    It is for one person under one printed name; a folder appears whole, as with the plant's seal.
    """
    authority = seal_files(folder, plant, now=now).authority.parent
    at = now()
    people = folder / "people"
    people.mkdir(exist_ok=True, mode=0o700)
    stem = sha256(f"{person}\n{name}".encode()).hexdigest()[:16]
    made = sorted(people.glob(f"{stem}-[0-9][0-9][0-9]"))
    if made and lasts(made[-1] / SIGNER, at) and _same(made[-1], authority):
        return _files(made[-1])
    draft = Path(mkdtemp(dir=people, prefix="new-"))
    _copy_authority(authority, draft, with_key=False)
    subject = _name(name, person=person, plant=plant)
    _make_signer(draft, subject, at, authority=authority)
    target = people / f"{stem}-{len(made) + 1:03d}"
    try:
        draft.rename(target)
    except OSError:  # somebody else was first
        shutil.rmtree(draft)
    return _files(target)


def lasts(certificate: Path, at: datetime) -> bool:
    """Return whether a signer is still used: what it seals can be checked for a year."""
    return ends(certificate) - RENEWED_BEFORE > at


def revocation_lists(folder: Path, *, now: Callable[[], datetime] = clock.now) -> list[bytes]:
    """Return what each of the plant's authorities says of revoked certificates, DER: none is.

    A reader of the far future asks for it, as of the time of a stamp. An authority that has ended
    says nothing more.
    """
    at, known = now(), {}
    for seal in _seals(folder):
        if ends(seal / AUTHORITY) > at:
            known[(seal / AUTHORITY).read_bytes()] = seal
    return [_none_revoked(seal, at) for seal in known.values()]


def authorities(folder: Path) -> list[bytes]:
    """Return the certificates of all authorities that the plant had, PEM, the first one first."""
    return list(dict.fromkeys((one / AUTHORITY).read_bytes() for one in _seals(folder)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SealTerms:
    """Until when the plant's certificates hold, and when another one follows.

    A signer follows by itself. Another authority must be given to every reader: `made_at` says when
    the present one was made, `followed_at` when the first seal under the next one is made.
    """

    signer_ends: datetime
    signer_follows_at: datetime
    authority: Path
    made_at: datetime
    authority_ends: datetime
    followed_at: datetime
    former: int


def seal_terms(folder: Path) -> SealTerms | None:
    """Return how long the present seal lasts, None while none was made."""
    made = _seals(folder)
    if not made:
        return None
    authority = x509.load_pem_x509_certificate((made[-1] / AUTHORITY).read_bytes())
    last = authority.not_valid_after_utc
    follows = at = ends(made[-1] / SIGNER) - RENEWED_BEFORE
    while last > at + SIGNER_FOR:
        at += SIGNER_FOR - RENEWED_BEFORE
    return SealTerms(
        signer_ends=ends(made[-1] / SIGNER),
        signer_follows_at=follows,
        authority=made[-1] / AUTHORITY,
        made_at=authority.not_valid_before_utc + EARLIER,
        authority_ends=last,
        followed_at=at,
        former=len(authorities(folder)) - 1,
    )


def _seals(folder: Path) -> list[Path]:
    return sorted(folder.glob("seal-[0-9][0-9][0-9]"))


def _none_revoked(seal: Path, at: datetime) -> bytes:
    key: Any = load_pem_private_key((seal / AUTHORITY_KEY).read_bytes(), None)
    issuer = x509.load_pem_x509_certificate((seal / AUTHORITY).read_bytes())
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    made = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(at - EARLIER)
        .next_update(at + LIST_FOR)
        .add_extension(x509.CRLNumber(int(at.timestamp())), critical=False)
        .add_extension(above, critical=False)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.DER)


def _same(one: Path, other: Path) -> bool:
    return (one / AUTHORITY).read_bytes() == (other / AUTHORITY).read_bytes()


def _copy_authority(source: Path, folder: Path, *, with_key: bool) -> None:
    for name in (AUTHORITY_KEY, AUTHORITY) if with_key else (AUTHORITY,):
        _write(folder / name, (source / name).read_bytes())


def _files(folder: Path) -> SealFiles:
    return SealFiles(folder / SIGNER_KEY, folder / SIGNER, folder / AUTHORITY)


def _make(folder: Path, plant: str, at: datetime, *, before: Path | None) -> None:
    """Write both keys and certificates, with the authority of the seal before if it still lasts."""
    if before is not None and ends(before / AUTHORITY) > at + SIGNER_FOR:
        _copy_authority(before, folder, with_key=True)
    else:
        key = ec.generate_private_key(ec.SECP256R1())
        _write(folder / AUTHORITY_KEY, _private(key))
        _write(folder / AUTHORITY, _authority(key, plant, at).public_bytes(Encoding.PEM))
    subject = _name(f"Batchwright plant {plant}, record seal")
    _make_signer(folder, subject, at, authority=folder)


def _make_signer(folder: Path, subject: x509.Name, at: datetime, *, authority: Path) -> None:
    issuer_key: Any = load_pem_private_key((authority / AUTHORITY_KEY).read_bytes(), None)
    issuer = x509.load_pem_x509_certificate((authority / AUTHORITY).read_bytes())
    key = ec.generate_private_key(ec.SECP256R1())
    signer = _signer(key, subject, at, issuer=issuer, issuer_key=issuer_key)
    _write(folder / SIGNER_KEY, _private(key))
    _write(folder / SIGNER, signer.public_bytes(Encoding.PEM))


def ends(path: Path) -> datetime:
    """Return when a certificate ends."""
    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, body: bytes) -> None:
    """Write a new file for its owner alone."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())


def _name(text: str, *, person: str = "", plant: str = "") -> x509.Name:
    parts = [(NameOID.ORGANIZATION_NAME, plant), (NameOID.COMMON_NAME, text)]
    parts.append((NameOID.SERIAL_NUMBER, person))
    return x509.Name([x509.NameAttribute(oid, value[:64]) for oid, value in parts if value])


def _usage(*wanted: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{use: use in wanted for use in USES})


def _base(key: ec.EllipticCurvePrivateKey, at: datetime, span: timedelta) -> Any:
    return (
        x509.CertificateBuilder()
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - EARLIER)
        .not_valid_after(at + span)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _authority(key: ec.EllipticCurvePrivateKey, plant: str, at: datetime) -> x509.Certificate:
    name = _name(f"Batchwright plant {plant}, authority")
    made: x509.Certificate = (
        _base(key, at, AUTHORITY_FOR)
        .subject_name(name)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        .sign(key, hashes.SHA256())
    )
    return made


def _signer(
    key: ec.EllipticCurvePrivateKey,
    subject: x509.Name,
    at: datetime,
    *,
    issuer: x509.Certificate,
    issuer_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    made: x509.Certificate = (
        _base(key, at, SIGNER_FOR)
        .subject_name(subject)
        .issuer_name(issuer.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature", "content_commitment"), critical=True)
        .add_extension(above, critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    return made
