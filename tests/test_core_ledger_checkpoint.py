"""The signed note and its key."""

import stat
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest

from core.ledger.checkpoint import (
    LogKey,
    NoteBroken,
    load_or_create_key,
    parse_vkey,
    sign,
    verify,
)
from tests.ledgers import KEY, ORIGIN

ROOT = sha256(b"root").digest()
NOTE = sign(KEY, 20000, ROOT).note


@pytest.mark.requirement("H5")
def test_a_note_is_the_c2sp_text() -> None:
    head, signature = NOTE.split("\n\n")
    assert head == f"{ORIGIN}\n20000\n{b64encode(ROOT).decode()}"
    assert signature.startswith(f"\u2014 {ORIGIN} ")
    assert signature.endswith("\n")
    public = KEY.verifier.public
    assert KEY.verifier.key_id == sha256(ORIGIN.encode() + b"\n\x01" + public).digest()[:4]


@pytest.mark.requirement("H5")
def test_a_signed_note_reads_back() -> None:
    assert verify(NOTE, KEY.verifier) == (20000, ROOT, NOTE)
    assert verify(NOTE, parse_vkey(KEY.vkey)) == (20000, ROOT, NOTE)


@pytest.mark.requirement("H5")
def test_unknown_signatures_are_left_alone_and_known_ones_must_hold() -> None:
    assert verify(f"{NOTE}\u2014 qa.example/w1 AAAAAAAA\n", KEY.verifier).size == 20000
    bad = b64encode(KEY.verifier.key_id + bytes(64)).decode()
    with pytest.raises(NoteBroken) as refusal:
        verify(f"{NOTE}\u2014 {ORIGIN} {bad}\n", KEY.verifier)
    assert str(refusal.value) == (
        f"Checkpoint: the signature of {ORIGIN} does not hold. Stop, and call QA."
    )


@pytest.mark.requirement("H5")
@pytest.mark.parametrize(
    ("note", "why"),
    [
        ("", "no newline at the end"),
        (NOTE.replace("\n\n", "\n"), "no empty line"),
        (NOTE.replace("\n20000\n", "\n020000\n"), "size is no plain decimal number"),
        (NOTE.replace("\n20000\n", "\n2_0000\n"), "size is no plain decimal number"),
        (NOTE.replace("\n20000\n", "\n+20000\n"), "size is no plain decimal number"),
        (NOTE.replace("\n20000\n", "\n20001\n"), "the signature of .* does not hold"),
        (NOTE.replace("\n20000\n", "\n20000\nextension\n"), "must be three lines"),
        (NOTE.replace("tablets\n2", "salad\n2"), "origin is batchwright.example/salad, must be"),
        (NOTE.replace("\n\n\u2014", "\n\n\u2014\u2014"), "a signature line is malformed"),
        (NOTE.replace("\n", "\r\n"), "control characters"),
        (NOTE + "junk", "no newline at the end"),
        (sign(LogKey(ORIGIN, bytes(32)), 20000, ROOT).note, "no signature of"),
    ],
)
def test_a_note_that_is_not_as_signed_is_refused(note: str, why: str) -> None:
    with pytest.raises(NoteBroken, match=why):
        verify(note, KEY.verifier)


@pytest.mark.parametrize(
    "vkey", ["", "a+b", KEY.vkey.replace("+", "+0", 1), f"x{KEY.vkey}", KEY.vkey + "A"]
)
def test_a_vkey_whose_id_is_not_its_own_is_refused(vkey: str) -> None:
    with pytest.raises(ValueError, match=r"vkey|base64|padding|data"):
        parse_vkey(vkey)


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "log.key"
    first = load_or_create_key(path, ORIGIN)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["log.key"]
    assert load_or_create_key(path, ORIGIN).vkey == first.vkey
    assert verify(sign(first, 1, ROOT).note, first.verifier).size == 1
    with pytest.raises(ValueError, match=f"is the key of {ORIGIN}, not of other"):
        load_or_create_key(path, "other")
    path.chmod(0o640)
    with pytest.raises(ValueError, match=r"others may read this key\. Run: chmod 600"):
        load_or_create_key(path, ORIGIN)


def test_a_key_does_not_show_itself() -> None:
    assert repr(KEY) == f"LogKey('{ORIGIN}')"


@pytest.mark.parametrize("name", ["with space", "with+plus", ""])
def test_a_key_name_without_space_and_plus_only(name: str) -> None:
    with pytest.raises(ValueError, match=r"a key name has no space and no \+"):
        LogKey(name, bytes(32))
