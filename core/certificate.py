"""The plant's own certificates for sealing documents, made on first use and kept in its folder.

A P-256 authority signs one signer. The seal shows that a file came from this plant unchanged; who
signed the record stands in the ledger.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
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
    """Return the plant's seal; make it where there is none, the signer anew when it has expired."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    at = now()
    authority_key, authority = folder / "seal-ca.key", folder / "seal-ca.pem"
    files = SealFiles(folder / "seal.key", folder / "seal.pem", authority)
    if not authority.exists() or _ends(authority) <= at:
        key = ec.generate_private_key(ec.SECP256R1())
        made = _authority(key, plant, at)
        _write(authority_key, _private(key))
        _write(authority, made.public_bytes(Encoding.PEM))
        files.certificate.unlink(missing_ok=True)
    if not files.certificate.exists() or _ends(files.certificate) <= at:
        issuer_key: Any = load_pem_private_key(authority_key.read_bytes(), None)
        issuer = x509.load_pem_x509_certificate(authority.read_bytes())
        key = ec.generate_private_key(ec.SECP256R1())
        made = _signer(key, plant, at, issuer=issuer, issuer_key=issuer_key)
        _write(files.key, _private(key))
        _write(files.certificate, made.public_bytes(Encoding.PEM))
    return files


def _ends(path: Path) -> datetime:
    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, body: bytes) -> None:
    """Write a file for its owner alone, whole or not at all."""
    draft = path.with_suffix(path.suffix + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


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
    plant: str,
    at: datetime,
    *,
    issuer: x509.Certificate,
    issuer_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    made: x509.Certificate = (
        _base(key, at, SIGNER_FOR)
        .subject_name(_name(f"Batchwright plant {plant}, record seal"))
        .issuer_name(issuer.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature", "content_commitment"), critical=True)
        .add_extension(above, critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    return made
