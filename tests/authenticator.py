"""A person's device in software: makes keys, and answers challenges as the standard says."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import token_bytes

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from core.passkey_proof import encode
from core.signing import PasskeyAnswer

RP_ID, ORIGIN = "localhost", "http://localhost:8000"
PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


@dataclass
class Device:
    """One key. Every part of an answer can be made wrong."""

    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    id: bytes = field(default_factory=lambda: token_bytes(32))
    count: int = 0

    @property
    def credential(self) -> str:
        return encode(self.id)

    def _data(self, *, rp_id: str, flags: int, more: bytes = b"") -> bytes:
        count = self.count.to_bytes(4, "big")
        return sha256(rp_id.encode()).digest() + bytes([flags]) + count + more

    @staticmethod
    def _client(kind: str, challenge: bytes, origin: str) -> bytes:
        said = {"type": kind, "challenge": encode(challenge), "origin": origin}
        return json.dumps(said | {"crossOrigin": False}).encode()

    def made(
        self,
        challenge: bytes,
        *,
        origin: str = ORIGIN,
        rp_id: str = RP_ID,
        verified: bool = True,
    ) -> tuple[str, str]:
        """Return client data and attestation of a new key, in base64url."""
        numbers = self.key.public_key().public_numbers()
        public = cbor2.dumps({
            1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")
        })  # fmt: skip
        more = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + public
        flags = PRESENT | ATTESTED | (VERIFIED if verified else 0)
        data = self._data(rp_id=rp_id, flags=flags, more=more)
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", challenge, origin)
        return encode(client), encode(attestation)

    def answers(
        self,
        challenge: bytes,
        *,
        origin: str = ORIGIN,
        rp_id: str = RP_ID,
        verified: bool = True,
        kind: str = "webauthn.get",
    ) -> PasskeyAnswer:
        """Return the key's answer to a challenge."""
        data = self._data(rp_id=rp_id, flags=PRESENT | (VERIFIED if verified else 0))
        client = self._client(kind, challenge, origin)
        signature = self.key.sign(data + sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return PasskeyAnswer(
            credential=self.credential,
            authenticator_data=encode(data),
            client_data=encode(client),
            signature=encode(signature),
        )
