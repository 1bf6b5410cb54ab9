"""What a sign-in provider's token proves about a signature (OpenID Connect Core 1.0, section 2).

The provider is asked for the person's secret again with the digest of the manifest as `nonce`,
so the token that it signs is about this manifest and nothing else. The token and the key that
signed it are kept with the signature, so that the check needs nothing but the stored entry, for
ever. Whether the key is the provider's own is checked once, when the token comes.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from core.clock import parse_iso
from core.errors import Refused
from core.manifest import Manifest, Vouched, manifest_digest

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
PUBLIC = ("kty", "n", "e", "crv", "x", "y", "kid", "alg")  # what a kept key may hold
LEEWAY = timedelta(seconds=10)  # between the provider's clock and ours
LONGEST_TOKEN = 16_000


class ProviderRefused(Refused):
    """What the sign-in provider sent back proves nothing about this signature."""

    is_evidence = True

    def __init__(self, issuer: str, why: str) -> None:
        super().__init__(
            f"{issuer}: {why}, so nothing is signed. Read the statement again and sign, or use"
            " badge and secret.",
            issuer=issuer,
            why=why,
        )


def nonce_of(manifest: Manifest) -> str:
    """Return the nonce that a provider is asked with: the digest of the manifest."""
    return manifest_digest(manifest).hex()


def token_sha256(vouched: Vouched) -> str:
    """Return the digest by which a token is named where it is not shown."""
    return sha256(vouched.token.encode("ascii", "replace")).hexdigest()


def public_part(key: Mapping[str, Any]) -> dict[str, str]:
    """Return of a JWK what checks a signature, and nothing that makes one."""
    return {name: str(key[name]) for name in PUBLIC if isinstance(key.get(name), str)}


def claims_of(token: str, key: Mapping[str, str]) -> dict[str, Any] | None:
    """Return what a token says, None where that key did not sign it."""
    from joserfc import jwt  # noqa: PLC0415 - slow, and rarely needed
    from joserfc.errors import JoseError  # noqa: PLC0415
    from joserfc.jwk import KeySet  # noqa: PLC0415

    try:
        keys = KeySet.import_key_set({"keys": [dict(key)]})
        return dict(jwt.decode(token, keys.keys[0], ALGORITHMS).claims)
    except (JoseError, ValueError, KeyError, TypeError):
        return None


def check_vouched(vouched: Vouched, manifest: Manifest, *, at: datetime) -> None:
    """Refuse a provider's word that is not about exactly this manifest, given after it was shown.

    1. The kept key signed the token, with an asymmetric algorithm.
    2. Issuer and subject are those named.
    3. The nonce is the digest of the manifest.
    4. The secret was asked for after the manifest was shown and not after `at`, when the
       signature was recorded.

    Raises:
        ProviderRefused: with the first of these that does not hold.
    """
    claims = claims_of(vouched.token, vouched.key)
    if claims is None:
        raise ProviderRefused(vouched.issuer, "its token is not signed by the key it names")
    named = (claims.get("iss"), claims.get("sub"), claims.get("auth_time"))
    if named != (vouched.issuer, vouched.subject, vouched.auth_time):
        raise ProviderRefused(vouched.issuer, "its token names another sign-in")
    if claims.get("nonce") != nonce_of(manifest):
        raise ProviderRefused(vouched.issuer, "its token answers another statement")
    try:
        asked = datetime.fromtimestamp(vouched.auth_time, UTC)
    except (OverflowError, OSError, ValueError) as fault:
        raise ProviderRefused(vouched.issuer, "its token is of no time") from fault
    if not parse_iso(manifest.at) - LEEWAY <= asked <= at + LEEWAY:
        raise ProviderRefused(vouched.issuer, "it did not ask for the secret again")


def vouched_words(vouched: Vouched) -> str:
    """Return in words who vouches for what, after `check_vouched`."""
    asked = datetime.fromtimestamp(vouched.auth_time, UTC)
    return (
        f"account {vouched.subject} at {vouched.issuer}, which asked for the secret at"
        f" {asked:%Y-%m-%d %H:%M:%S} UTC; token SHA-256 {token_sha256(vouched)}"
    )
