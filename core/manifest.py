"""What a signature commits to: the record as it was seen, the statement, the person, the time.

The bytes of a manifest are canonical: the digest of a signature is over them, a passkey signs
it, and a sign-in provider's token holds it as its nonce. A field at its default is left out, so
that fields can be added for ever.

Source:
    21 CFR 11.50, 11.70.
"""

from hashlib import sha256

import msgspec
from msgspec import Struct


class Seen(Struct, frozen=True, kw_only=True):
    """What the signer's screen showed: a stream, its version, its newest leaf hash."""

    stream: str
    ver: int
    head: str


class Manifest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything a signature commits to; `comment` is empty where the signer wrote none."""

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
    comment: str = ""


class Assertion(Struct, frozen=True, kw_only=True):
    """A passkey's answer to the digest of a manifest, with all that its check needs.

    Bytes are base64url without padding; the public key is in COSE form.
    """

    credential: str
    public_key: str
    rp_id: str
    authenticator_data: str
    client_data: str
    signature: str


class Vouched(Struct, frozen=True, kw_only=True):
    """A sign-in provider's word that a person gave their secret again, for one manifest.

    `token` is the ID token as the provider signed it, `key` the public key (JWK) that it is signed
    with: the check needs neither the provider nor this server. `auth_time` is in seconds of 1970.
    """

    issuer: str
    subject: str
    auth_time: int
    token: str
    key: dict[str, str]


def manifest_bytes(manifest: Manifest) -> bytes:
    """Return the bytes that the digest is over: sorted keys, no spaces."""
    return msgspec.json.encode(manifest, order="sorted")


def manifest_digest(manifest: Manifest) -> bytes:
    """Return the SHA-256 of a manifest's bytes: the challenge that a passkey answers."""
    return sha256(manifest_bytes(manifest)).digest()
