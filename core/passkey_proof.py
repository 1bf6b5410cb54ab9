"""What a passkey proves, checked with the standard's own rules (WebAuthn Level 2).

A passkey signs `authenticator data || SHA-256(client data)`. The client data names the challenge
(here the digest of a manifest) and the origin of the page; the authenticator data the relying
party, whether the person was verified, and a count. All of it is kept with the signature, so
that `check_stored` needs nothing but the stored entry, for ever.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from core.errors import Refused
from core.manifest import Assertion, Manifest, manifest_digest

COUNT_AT = slice(33, 37)  # of the authenticator data: big-endian, after 32 bytes and the flags


class PasskeyRefused(Refused):
    """What the passkey sent proves nothing here."""

    is_evidence = True

    def __init__(self, why: str, *, credential: str | None = None) -> None:
        super().__init__(
            f"Passkey: {why}. Read the statement again and sign, or use badge and secret.",
            why=why,
            credential=credential,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key that a person's device has just made."""

    credential: str
    public_key: str
    sign_count: int
    origin: str


def encode(raw: bytes) -> str:
    """Return bytes as base64url without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """Return the bytes of base64url text.

    Raises:
        PasskeyRefused: it is none.
    """
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (NotBase64, ValueError) as fault:
        raise PasskeyRefused("what was sent is not base64url") from fault


def registration_challenge(person: str, *, ver: int, head: str) -> bytes:
    """Return what a new key answers: it belongs to one person, at one state of their record."""
    return sha256(f"batchwright passkey\n{person}\n{ver}\n{head}".encode()).digest()


def origin_of(client_data: bytes) -> str:
    """Return the origin that client data names, empty where it names none."""
    try:
        found = json.loads(client_data)
    except ValueError:
        return ""
    return str(found.get("origin", "")) if isinstance(found, dict) else ""


def new_key(
    client_data: str,
    attestation: str,
    *,
    challenge: bytes,
    rp_id: str,
    origins: Sequence[str],
) -> NewKey:
    """Return the key in a device's answer to a registration.

    Raises:
        PasskeyRefused: the answer is for another challenge, origin or relying party, or the
            person was not verified.
    """
    from webauthn import verify_registration_response  # noqa: PLC0415 - slow, and rarely needed

    raw = decode(client_data)
    credential = {
        "id": "",
        "rawId": "",
        "type": "public-key",
        "response": {"clientDataJSON": client_data, "attestationObject": attestation},
    }
    credential["id"] = credential["rawId"] = encode(_credential_id(decode(attestation)))
    try:
        found = verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=rp_id,
            expected_origin=list(origins),
            require_user_verification=True,
        )
    except Exception as fault:  # whatever a forged answer makes the library raise
        raise PasskeyRefused(_why(fault)) from fault
    return NewKey(
        credential=encode(found.credential_id),
        public_key=encode(found.credential_public_key),
        sign_count=found.sign_count,
        origin=origin_of(raw),
    )


def _credential_id(attestation: bytes) -> bytes:
    from webauthn.helpers import parse_attestation_object  # noqa: PLC0415 - slow, rarely needed

    try:
        data = parse_attestation_object(attestation).auth_data.attested_credential_data
    except Exception as fault:  # as above
        raise PasskeyRefused(_why(fault)) from fault
    if data is None:
        raise PasskeyRefused("the device sent no key")
    return data.credential_id


def sign_count(assertion: Assertion) -> int:
    """Return the count that the device gave with an assertion."""
    return int.from_bytes(decode(assertion.authenticator_data)[COUNT_AT], "big")


def check_count(assertion: Assertion, last: int) -> int:
    """Return the new count. Devices that count nothing send 0, always.

    Raises:
        PasskeyRefused: it is not above the last one: the key, or an old answer, was copied.
    """
    count = sign_count(assertion)
    if (count or last) and count <= last:
        raise PasskeyRefused(
            f"its count is {count}, must be above {last}", credential=assertion.credential
        )
    return count


def check_assertion(assertion: Assertion, manifest: Manifest, origins: Sequence[str]) -> None:
    """Refuse an assertion that is not the key's own over exactly this manifest.

    1. The type is `webauthn.get` and the challenge the SHA-256 of the manifest's bytes.
    2. The origin is one of `origins`, the relying party the one named.
    3. The person was present and verified.
    4. The signature holds under the public key.

    Raises:
        PasskeyRefused: with the first of these that does not hold.
    """
    from webauthn import verify_authentication_response  # noqa: PLC0415 - slow, rarely needed

    response = {
        "clientDataJSON": assertion.client_data,
        "authenticatorData": assertion.authenticator_data,
        "signature": assertion.signature,
    }
    credential: dict[str, Any] = {
        "id": assertion.credential,
        "rawId": assertion.credential,
        "type": "public-key",
        "response": response,
    }
    try:
        verify_authentication_response(
            credential=credential,
            expected_challenge=manifest_digest(manifest),
            expected_rp_id=assertion.rp_id,
            expected_origin=list(origins),
            credential_public_key=decode(assertion.public_key),
            credential_current_sign_count=max(sign_count(assertion) - 1, 0),  # see check_count
            require_user_verification=True,
        )
    except PasskeyRefused:
        raise
    except Exception as fault:  # as above
        raise PasskeyRefused(_why(fault), credential=assertion.credential) from fault


def check_stored(assertion: Assertion, manifest: Manifest) -> str:
    """Return the origin at which a stored assertion was made, after checking it by itself.

    Raises:
        PasskeyRefused: it is not the key's signature over this manifest.
    """
    origin = origin_of(decode(assertion.client_data))
    check_assertion(assertion, manifest, (origin,))
    return origin


REASONS = (
    ("challenge", "it answers another statement"),
    ("origin", "it was used on another site"),
    ("RP ID", "it was used for another site"),
    ("User verification", "the person was not verified by the device"),
    ("verify authentication signature", "the signature does not hold"),
    ("client data type", "it is an answer to another question"),
)


def _why(fault: Exception) -> str:
    return next((says for word, says in REASONS if word in str(fault)), "its answer does not hold")
