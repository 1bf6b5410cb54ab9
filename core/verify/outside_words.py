"""What a passkey or a sign-in provider said about a signature, checked by its entry alone."""

from __future__ import annotations

import base64
import calendar
import hashlib
import json
import time
from contextlib import suppress
from typing import Any

from core.verify.bundle import ENCODER
from core.verify.ecdsa_rsa import CURVES, P256, der_pair, ecdsa_holds, pss_holds, rsa_holds
from core.verify.public_keys import signature_holds

LEEWAY_S = 10  # between a provider's clock and the server's
PRESENT_AND_VERIFIED = 0x05


def url_bytes(text: str) -> bytes:
    """The bytes of base64url without padding, in its one spelling."""
    blob = b""
    with suppress(ValueError):
        blob = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(blob).rstrip(b"=").decode("ascii") != text:
        raise ValueError("base64url is malformed")
    return blob


def url_number(text: str) -> int:
    return int.from_bytes(url_bytes(text), "big")


def cbor_item(blob: bytes, at: int) -> tuple[Any, int]:
    """The number or bytes of a key in COSE that begin at a place, and where they end."""
    kind, count = blob[at] >> 5, blob[at] & 31
    at += 1
    if count >= 24:
        size = {24: 1, 25: 2, 26: 4}[count]
        count, at = int.from_bytes(blob[at : at + size], "big"), at + size
    if kind in (0, 1):
        return (-1 - count if kind else count), at
    if kind != 2 or at + count > len(blob):
        raise ValueError("the public key is no key in COSE form")
    return blob[at : at + count], at + count


def cose_key(blob: bytes) -> dict[Any, Any]:
    """The parts of a public key in COSE form, a map of up to 23 pairs."""
    found: dict[Any, Any] = {}
    count, at = blob[0] - 0xA0, 1
    for _ in range(count):
        name, at = cbor_item(blob, at)
        found[name], at = cbor_item(blob, at)
    if at != len(blob) or len(found) != count:
        raise ValueError("the public key is no key in COSE form")
    return found


def device_signed(key: dict[Any, Any], signature: bytes, message: bytes) -> bool:
    """Whether a signature holds under a key in COSE form: EdDSA, ES256 or RS256."""
    if (key[1], key[3]) == (1, -8) and key[-1] == 6:
        return signature_holds(key[-2], signature, message)
    if (key[1], key[3]) == (2, -7) and key[-1] == 1:
        point = int.from_bytes(key[-2], "big"), int.from_bytes(key[-3], "big")
        digest = hashlib.sha256(message).digest()
        return ecdsa_holds(P256, point, der_pair(signature), digest=digest)
    if (key[1], key[3]) == (3, -257):
        n, e = int.from_bytes(key[-1], "big"), int.from_bytes(key[-2], "big")
        return rsa_holds(n, e, signature, message=message, hashed="sha256")
    raise ValueError("its key is of a kind that this verifier does not know")


def token_signed(key: dict[str, str], alg: str, signature: bytes, *, message: bytes) -> bool:
    """Whether a token's signature holds under a key in JWK form, with the algorithm it names."""
    hashed = f"sha{alg[2:]}"
    if alg not in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"):
        raise ValueError(f"its token is signed with {alg}, which proves nothing")
    if alg[:2] == "ES":
        name = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}[alg]
        half = len(signature) // 2
        size = (CURVES[name].order.bit_length() + 7) // 8
        if key["kty"] != "EC" or key["crv"] != name or len(signature) != 2 * size:
            return False
        pair = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
        point = url_number(key["x"]), url_number(key["y"])
        digest = hashlib.new(hashed, message).digest()
        return ecdsa_holds(CURVES[name], point, pair, digest=digest)
    n, e = url_number(key["n"]), url_number(key["e"])
    holds = rsa_holds if alg[:2] == "RS" else pss_holds
    return key["kty"] == "RSA" and holds(n, e, signature, message=message, hashed=hashed)


def passkey_fault(said: dict[str, str], digest: bytes) -> str:
    """What does not hold of a passkey's answer to the digest of a statement (WebAuthn, 7.2)."""
    client, data = url_bytes(said["client_data"]), url_bytes(said["authenticator_data"])
    asked = json.loads(client)
    if asked["type"] != "webauthn.get" or url_bytes(asked["challenge"]) != digest:
        return "its passkey answered another statement"
    if data[:32] != hashlib.sha256(said["rp_id"].encode("utf-8")).digest():
        return "its passkey was used for another site"
    if data[32] & PRESENT_AND_VERIFIED != PRESENT_AND_VERIFIED:
        return "its passkey did not verify the person"
    message = data + hashlib.sha256(client).digest()
    key, signature = cose_key(url_bytes(said["public_key"])), url_bytes(said["signature"])
    if not device_signed(key, signature, message):
        return "the signature of its passkey does not hold"
    return ""


def token_fault(said: dict[str, Any], digest: bytes, *, shown_at: str, at: str) -> str:
    """What does not hold of a sign-in provider's word (OpenID Connect Core, 2 and 3.1.3.7)."""
    head, _, rest = said["token"].partition(".")
    body, _, signature = rest.partition(".")
    named, message, key = json.loads(url_bytes(head)), f"{head}.{body}".encode("ascii"), said["key"]
    is_other = any(name in key and named.get(name, key[name]) != key[name] for name in NAMED)
    blob = url_bytes(signature)
    if is_other or "crit" in named or not token_signed(key, named["alg"], blob, message=message):
        return "the token of its sign-in provider is not signed by the key it is kept with"
    claims = json.loads(url_bytes(body))
    if any(claims[short] != said[name] for short, name in CLAIMS):
        return "the token of its sign-in provider names another sign-in"
    if claims["nonce"] != digest.hex():
        return "the token of its sign-in provider answers another statement"
    if not seconds(shown_at) - LEEWAY_S <= claims["auth_time"] <= seconds(at) + LEEWAY_S:
        return "its sign-in provider did not ask for the secret again"
    return ""


NAMED, CLAIMS = ("kid", "alg"), (("iss", "issuer"), ("sub", "subject"), ("auth_time", "auth_time"))


def seconds(instant: str) -> int:
    return calendar.timegm(time.strptime(instant[:19], "%Y-%m-%dT%H:%M:%S"))


def proof_fault(entry: dict[str, Any]) -> str:  # 8.
    """What does not hold of what somebody beside the ledger said about a signature, in words."""
    data, signed = entry["data"], entry["data"]["manifest"]
    digest = hashlib.sha256(ENCODER.encode(signed).encode("utf-8")).digest()
    for component, name in (("passkey", "assertion"), ("provider", "vouched")):
        if (component in data["components"]) != (data.get(name) is not None):
            return f"what its {component} said and what it says it was signed by do not fit"
    try:
        if data.get("assertion") is not None:
            return passkey_fault(data["assertion"], digest)
        if data.get("vouched") is not None:
            return token_fault(data["vouched"], digest, shown_at=signed["at"], at=entry["at"])
    except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as fault:
        return f"what its passkey or sign-in provider said is malformed, {fault}"
    return ""
