"""What passkeys and sign-in providers signed, checked offline by the verifier alone."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cbor2
import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from core.fact import Site
from core.ledger.entry import Entry
from core.ledger.export import export_bundle, export_streams
from core.passkey_proof import encode
from core.provider_proof import ALGORITHMS
from tests.authenticator import ORIGIN, RP_ID, Device
from tests.floor import KEY, Floor, open_floor
from tests.ledgers import reading
from tests.relogged import relogged
from tests.test_core_passkey import LOT, asserted, change, prepare, register, submit
from tests.verifier import stand_alone

SECONDS = 1_772_439_300  # 2026-03-02T08:15:00Z
MANIFEST = {
    "at": "2026-03-02T08:15:00.000001Z", "head": "ab" * 32, "meaning": "I released it",
    "name": "Quinn Łuka", "nonce": "n", "record": "lot/L1", "signer": "quinn", "step": None,
    "ver": 1, "words": "Lot L1 is released.", "zone": "Europe/Vienna",
}  # fmt: skip
DIGEST = hashlib.sha256(stand_alone.ENCODER.encode(MANIFEST).encode()).digest()


# -- what each kind of key signs -------------------------------------------------------------------


def es256() -> tuple[bytes, Callable[[bytes], bytes]]:
    key = ec.generate_private_key(ec.SECP256R1())
    it = key.public_key().public_numbers()
    x, y = it.x.to_bytes(32, "big"), it.y.to_bytes(32, "big")
    public = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y})
    return public, lambda text: key.sign(text, ec.ECDSA(hashes.SHA256()))


def eddsa() -> tuple[bytes, Callable[[bytes], bytes]]:
    key = ed25519.Ed25519PrivateKey.generate()
    public = cbor2.dumps({1: 1, 3: -8, -1: 6, -2: key.public_key().public_bytes_raw()})
    return public, key.sign


def rs256() -> tuple[bytes, Callable[[bytes], bytes]]:
    key = rsa.generate_private_key(65537, 2048)
    it = key.public_key().public_numbers()
    public = cbor2.dumps({
        1: 3, 3: -257, -1: it.n.to_bytes(256, "big"), -2: it.e.to_bytes(3, "big")
    })  # fmt: skip
    return public, lambda text: key.sign(text, padding.PKCS1v15(), hashes.SHA256())


def signed_entry(component: str, **said: Any) -> dict[str, Any]:
    data = {"manifest": MANIFEST, "components": [component], **said}
    return {"seq": 7, "at": "2026-03-02T08:15:30.000000Z", "data": data}


def by_passkey(
    kind: Callable[[], tuple[bytes, Callable[[bytes], bytes]]] = es256, *, flags: int = 5,
    challenge: bytes = DIGEST, rp_id: str = RP_ID, says: str = "webauthn.get",
) -> dict[str, Any]:  # fmt: skip
    public, sign = kind()
    client = json.dumps({"type": says, "challenge": encode(challenge), "origin": ORIGIN}).encode()
    data = hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + bytes(4)
    said = {
        "credential": encode(b"c" * 32), "public_key": encode(public), "rp_id": RP_ID,
        "authenticator_data": encode(data), "client_data": encode(client),
        "signature": encode(sign(data + hashlib.sha256(client).digest())),
    }  # fmt: skip
    return signed_entry("passkey", assertion=said)


@pytest.fixture(scope="module")
def keys() -> dict[str, Any]:
    made: dict[str, Any] = {"RSA": RSAKey.generate_key(2048, {"kid": "k1"})}
    curves = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
    return made | {alg: ECKey.generate_key(name, {"kid": "k1"}) for alg, name in curves.items()}


def by_provider(
    key: Any, alg: str = "RS256", *, auth_time: int = SECONDS + 20, **claims: Any
) -> dict[str, Any]:
    claims = {
        "iss": "https://idp.example", "sub": "s-quinn", "auth_time": auth_time,
        "nonce": DIGEST.hex(),
    } | claims  # fmt: skip
    token = jwt.encode({"alg": alg, "kid": "k1"}, claims, key, [alg])
    said = {
        "issuer": "https://idp.example", "subject": "s-quinn", "auth_time": auth_time,
        "token": token, "key": key.as_dict(private=False),
    }  # fmt: skip
    return signed_entry("provider", vouched=said)


@pytest.mark.requirement("H3", "H8")
@pytest.mark.parametrize("kind", [es256, eddsa, rs256])
def test_each_kind_of_passkey_is_checked(
    kind: Callable[[], tuple[bytes, Callable[[bytes], bytes]]],
) -> None:
    assert stand_alone.proof_fault(by_passkey(kind)) == ""
    entry = by_passkey(kind)
    entry["data"]["assertion"]["signature"] = by_passkey(kind)["data"]["assertion"]["signature"]
    assert stand_alone.proof_fault(entry) == "the signature of its passkey does not hold"


@pytest.mark.requirement("H3", "H8")
@pytest.mark.parametrize("alg", ALGORITHMS)
def test_each_kind_of_token_is_checked(keys: dict[str, Any], alg: str) -> None:
    key = keys.get(alg, keys["RSA"])
    entry = by_provider(key, alg)
    assert stand_alone.proof_fault(entry) == ""
    head, body, signature = entry["data"]["vouched"]["token"].split(".")
    other = "A" if signature[10] != "A" else "B"
    entry["data"]["vouched"]["token"] = f"{head}.{body}.{signature[:10]}{other}{signature[11:]}"
    says = stand_alone.proof_fault(entry)
    assert "is not signed by the key it is kept with" in says


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"challenge": b"x" * 32}, "its passkey answered another statement"),
        ({"says": "webauthn.create"}, "its passkey answered another statement"),
        ({"rp_id": "evil.example"}, "its passkey was used for another site"),
        ({"flags": 1}, "its passkey did not verify the person"),
        ({"flags": 4}, "its passkey did not verify the person"),
    ],
)
def test_answer_to_something_else_is_no_signature(wrong: dict[str, Any], says: str) -> None:
    assert stand_alone.proof_fault(by_passkey(**wrong)) == says


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"nonce": "00" * 32}, "answers another statement"),
        ({"iss": "https://evil.example"}, "names another sign-in"),
        ({"sub": "s-x"}, "names another sign-in"),
        ({"auth_time": SECONDS - 11}, "did not ask for the secret again"),
        ({"auth_time": SECONDS + 41}, "did not ask for the secret again"),
    ],
)
def test_word_about_something_else_is_no_signature(
    keys: dict[str, Any], wrong: dict[str, Any], says: str
) -> None:
    assert says in stand_alone.proof_fault(by_provider(keys["RSA"], **wrong))


@pytest.mark.parametrize("auth_time", [SECONDS - 10, SECONDS + 40])
def test_clocks_of_provider_and_server_may_differ_by_ten_seconds(
    keys: dict[str, Any], auth_time: int
) -> None:
    assert stand_alone.proof_fault(by_provider(keys["RSA"], auth_time=auth_time)) == ""


def test_token_without_a_signature_or_under_a_shared_secret_proves_nothing(
    keys: dict[str, Any],
) -> None:
    entry = by_provider(keys["RSA"])
    _, body, _ = entry["data"]["vouched"]["token"].split(".")
    for alg in ("none", "HS256"):
        head = base64.urlsafe_b64encode(json.dumps({"alg": alg}).encode()).rstrip(b"=").decode()
        entry["data"]["vouched"]["token"] = f"{head}.{body}."
        says = stand_alone.proof_fault(entry)
        assert f"its token is signed with {alg}, which proves nothing" in says


def test_what_it_was_signed_by_must_be_there() -> None:
    for entry in (signed_entry("passkey"), signed_entry("provider")):
        assert "do not fit" in stand_alone.proof_fault(entry)
    taken = by_passkey()
    taken["data"]["components"] = ["secret"]
    assert "do not fit" in stand_alone.proof_fault(taken)
    assert stand_alone.proof_fault(signed_entry("secret")) == ""


ONE = {"assertion": by_passkey(), "vouched": by_provider(RSAKey.generate_key(2048, {"kid": "k1"}))}
# what no signature is over: the verifier compares it with the entry that gave it to the signer
ELSEWHERE = {"credential"}


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_every_changed_sign_of_what_was_signed_is_seen(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(ONE)))
    entry = json.loads(json.dumps(ONE[name]))
    said = entry["data"][name]
    field = data.draw(st.sampled_from(sorted({*said} - ELSEWHERE)))
    inner = said[field] if field == "key" else said
    field = data.draw(st.sampled_from(sorted(inner))) if field == "key" else field
    if isinstance(inner[field], int):
        inner[field] += data.draw(st.sampled_from([-1, 1]))
    else:
        at = data.draw(st.integers(0, len(inner[field]) - 1))
        other = data.draw(st.sampled_from("AQgw-_09.ab").filter(lambda c: c != inner[field][at]))
        inner[field] = inner[field][:at] + other + inner[field][at + 1 :]
    assert stand_alone.proof_fault(entry) != ""


# -- a plant ---------------------------------------------------------------------------------------


@dataclass
class Signed:
    """A lot that quinn released by a passkey, and every entry of the plant."""

    device: Device
    entries: list[Entry]
    seq: int


@pytest.fixture(scope="module")
def signed(seeded_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signed]:
    folder = tmp_path_factory.mktemp("by-passkey") / "plant"
    shutil.copytree(seeded_folder, folder)
    with open_floor(folder) as floor:
        yield _released(floor)


def _released(floor: Floor) -> Signed:
    floor.execution.signing.site = Site(RP_ID, (ORIGIN,))
    device = Device()
    register(floor, device)
    command = change(floor)
    shown = prepare(floor, command)
    submit(floor, command, shown, asserted(device, shown))
    entries = floor.execution.ledger.entries(0, 10_000)
    [seq] = [one.seq for one in entries if one.data.get("assertion")]
    return Signed(device, entries, seq)


def bundles(entries: list[Entry], folder: Path, changed: Any) -> list[Path]:
    """Return the whole log and the lot's own bundle, written anew by somebody who has the key."""
    with reading(relogged(entries, folder / "ledger.db", changed)) as ledger:
        streams = [f"lot/{LOT}", *sorted({
            one.stream for one in entries if one.stream.startswith("passkey/")
            and ledger.head(one.stream)
        })]  # fmt: skip
        export_bundle(ledger, folder / "whole", vkey=KEY.vkey)
        export_streams(ledger, streams, folder / "part", vkey=KEY.vkey)
    return [folder / "whole", folder / "part"]


def refused(bundle: Path) -> str:
    with pytest.raises(stand_alone.Broken) as refusal:
        stand_alone.verify(str(bundle), KEY.vkey, None)
    return str(refusal.value)


@pytest.mark.requirement("H8")
def test_bundle_signed_by_a_passkey_proves_it_without_the_server(
    signed: Signed, tmp_path: Path
) -> None:
    for bundle in bundles(signed.entries, tmp_path, lambda one: one.data):
        said = stand_alone.verify(str(bundle), KEY.vkey, None)
        assert said.startswith("OK: ")
        assert ", 1 proven by passkey or company account\n" in said


@pytest.mark.requirement("H3", "H8")
@pytest.mark.parametrize(
    "field", ["signature", "client_data", "authenticator_data", "public_key", "credential"]
)
def test_one_changed_byte_is_refused_by_its_entry_though_the_log_was_signed_anew(
    signed: Signed, tmp_path: Path, field: str
) -> None:
    def changed(one: Entry) -> dict[str, Any]:
        if one.seq != signed.seq:
            return dict(one.data)
        said = dict(one.data["assertion"])
        blob = bytearray(stand_alone.url_bytes(said[field]))
        blob[-1] ^= 1
        return {**one.data, "assertion": {**said, field: encode(bytes(blob))}}

    for bundle in bundles(signed.entries, tmp_path, changed):
        says = refused(bundle)
        assert says.startswith(f"entry {signed.seq}: is a signature"), says


def test_passkey_that_is_nobodys_or_another_persons_signs_nothing(
    signed: Signed, tmp_path: Path
) -> None:
    def of_ines(one: Entry) -> dict[str, Any]:
        gives = one.type == "passkey.registered" and one.stream.startswith("passkey/")
        return {**one.data, "person": "ines"} if gives else dict(one.data)

    def of_nobody(one: Entry) -> dict[str, Any] | None:
        return None if one.stream.startswith("passkey/") else dict(one.data)

    (tmp_path / "ines").mkdir()
    (tmp_path / "none").mkdir()
    for bundle in bundles(signed.entries, tmp_path / "ines", of_ines):
        assert f"entry {signed.seq}: is a signature by passkey/" in (says := refused(bundle))
        assert says.endswith("gave to another")
    for bundle in bundles(signed.entries, tmp_path / "none", of_nobody):
        assert "which nobody holds at that entry" in refused(bundle)


def test_passkey_that_was_revoked_before_signs_nothing(signed: Signed, tmp_path: Path) -> None:
    [gives] = [
        one for one in signed.entries
        if one.type == "passkey.registered" and one.stream.startswith("passkey/")
    ]  # fmt: skip
    ends = {"person": "quinn", "credential": signed.device.credential, "why": "Lost."}
    ended = msgspec.structs.replace(
        gives, seq=gives.seq, type="passkey.revoked", data=ends, idem="test:ended"
    )
    early = [*signed.entries[: gives.seq], ended, *signed.entries[gives.seq :]]
    late = [*signed.entries, ended]
    (tmp_path / "early").mkdir()
    (tmp_path / "late").mkdir()
    unique = [_renumbered(one, number) for number, one in enumerate(early, 1)]
    whole, _ = bundles(unique, tmp_path / "early", lambda one: one.data)
    assert "which nobody holds at that entry" in refused(whole)
    unique = [_renumbered(one, number) for number, one in enumerate(late, 1)]
    for bundle in bundles(unique, tmp_path / "late", lambda one: one.data):
        assert stand_alone.verify(str(bundle), KEY.vkey, None).startswith("OK: ")


def _renumbered(one: Entry, number: int) -> Entry:
    return msgspec.structs.replace(one, seq=number)
