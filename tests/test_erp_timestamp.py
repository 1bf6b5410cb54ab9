"""Time stamps over checkpoints, from a real authority: OpenSSL behind HTTP."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from config.settings import Settings
from config.targets import SettingFaulty
from core.clock import now
from core.ledger.export import export_bundle, newest_stamp
from core.ledger.timestamp import (
    TimestampBroken,
    certificates,
    check_stamps,
    from_receipt,
    question,
    stamped_at,
    to_receipt,
)
from core.ledger.writer import Writer
from erp.timestamp import Authority, AuthoritySilent, Stamping, ask, authority_of
from tests.authority import LocalAuthority, make_authority, openssl, serving
from tests.floor import MovedClock
from tests.ledgers import KEY, draft, fill, job, reading, writing
from tests.verifier import stand_alone

NOTE = "batchwright.example/tablets\n7\ncm9vdA==\n\n— batchwright.example/tablets c2ln\n"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAuthority]:
    with serving(make_authority(tmp_path_factory.mktemp("tsa") / "a", "Alpha")) as found:
        yield found


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAuthority]:
    with serving(make_authority(tmp_path_factory.mktemp("tsa") / "b", "Beta")) as found:
        yield found


@pytest.fixture
def authority(local: LocalAuthority) -> Iterator[Authority]:
    yield Authority(address=local.address, trusted=certificates(local.root), every_entries=20)
    local.fault = ""


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=20) as found:
        yield found


@pytest.fixture
def stamped(local: LocalAuthority, authority: Authority, client: httpx.Client) -> bytes:
    return ask(client, authority, NOTE)[0]


def test_answer_holds_the_time_of_the_authority(
    stamped: bytes, authority: Authority, local: LocalAuthority, tmp_path: Path
) -> None:
    at = stamped_at(stamped, NOTE, authority.trusted)
    assert abs(now() - at) < timedelta(minutes=2)
    assert at.utcoffset() == timedelta(0)
    (tmp_path / "7.note").write_text(NOTE, "utf-8")
    (tmp_path / "7.tsr").write_bytes(stamped)
    said = openssl(
        tmp_path, "ts", "-verify", "-in", "7.tsr", "-data", "7.note", "-CAfile", str(local.root)
    )
    assert "Verification: OK" in said


def test_answer_for_another_note_is_no_anchor(stamped: bytes, authority: Authority) -> None:
    with pytest.raises(TimestampBroken) as refusal:
        stamped_at(stamped, NOTE.replace("\n7\n", "\n8\n"), authority.trusted)
    assert str(refusal.value) == (
        "Time stamp: Mismatch between messages. It is no anchor. Compare the authority's"
        " certificate, and its address."
    )


def test_answer_of_another_authority_is_no_anchor(stamped: bytes, other: LocalAuthority) -> None:
    with pytest.raises(TimestampBroken, match="certificate"):
        stamped_at(stamped, NOTE, certificates(other.root))


def test_kept_stamps_are_checked_again_with_and_without_the_certificates(
    tmp_path: Path, authority: Authority, other: LocalAuthority, client: httpx.Client
) -> None:
    where = tmp_path / "ledger.db"
    with writing(where) as writer, reading(where) as ledger:
        fill(writer, 7)
        assert check_stamps(ledger, authority.trusted) == 0
        newest = ledger.checkpoint()
        assert newest is not None
        answer, at = ask(client, authority, newest.note)
        writer.record_anchor(newest.size, "authority", to_receipt(answer), at=at).result(10)
        assert check_stamps(ledger, authority.trusted) == check_stamps(ledger, ()) == 1
        with pytest.raises(TimestampBroken, match="certificate"):
            check_stamps(ledger, certificates(other.root))
        foreign, _ = ask(client, authority, newest.note.replace("\n7\n", "\n8\n"))
        writer.record_anchor(newest.size, "second", to_receipt(foreign), at=at).result(10)
        with pytest.raises(TimestampBroken, match="Mismatch between messages"):
            check_stamps(ledger, authority.trusted)
        with pytest.raises(TimestampBroken, match="it is over another note"):
            check_stamps(ledger, ())


@pytest.mark.parametrize(
    ("size", "receipt", "says"),
    [
        (7, "rfc3161:!!", "that of 7 entries is unreadable"),
        (7, "rfc3161:AAAA", "Time stamp: "),
        (999, "rfc3161:AAAA", "that of 999 entries is over no checkpoint of this log"),
    ],
)
def test_kept_stamp_that_is_none_is_named(
    tmp_path: Path, size: int, receipt: str, says: str
) -> None:
    where = tmp_path / "ledger.db"
    with writing(where) as writer, reading(where) as ledger:
        fill(writer, 7)
        writer.record_anchor(size, "authority", receipt, at=now()).result(10)
        with pytest.raises(TimestampBroken, match=says):
            check_stamps(ledger, ())


def test_answer_to_another_request_is_no_anchor(stamped: bytes, authority: Authority) -> None:
    with pytest.raises(TimestampBroken, match="Nonce mismatch"):
        stamped_at(stamped, NOTE, authority.trusted, nonce=question(NOTE).nonce)


@pytest.mark.parametrize("at", [3, 60, 400, -20, -1])
def test_flipped_bit_of_an_answer_is_no_anchor(
    stamped: bytes, authority: Authority, at: int
) -> None:
    body = bytearray(stamped)
    body[at] ^= 1
    with pytest.raises(TimestampBroken):
        stamped_at(bytes(body), NOTE, authority.trusted)


@pytest.mark.parametrize("body", [b"", b"<html>", b"\x30\x03\x02\x01\x02"])
def test_answer_that_is_none_is_no_anchor(body: bytes, authority: Authority) -> None:
    with pytest.raises(TimestampBroken):
        stamped_at(body, NOTE, authority.trusted)


def test_authority_that_does_not_answer_is_named(
    local: LocalAuthority, authority: Authority, client: httpx.Client
) -> None:
    local.fault = "down"
    with pytest.raises(AuthoritySilent) as refusal:
        ask(client, authority, NOTE)
    assert str(refusal.value) == (
        f"Time-stamp authority {local.address}: status 503, text/plain. It is asked again later."
    )
    closed = Authority(address="http://127.0.0.1:9/tsa", trusted=authority.trusted)
    with pytest.raises(AuthoritySilent, match="ConnectError"):
        ask(client, closed, NOTE)


def test_replayed_answer_is_refused_while_it_is_fresh(
    local: LocalAuthority, authority: Authority, client: httpx.Client
) -> None:
    ask(client, authority, NOTE)
    local.fault = "replay"
    with pytest.raises(TimestampBroken, match="Nonce mismatch"):
        ask(client, authority, NOTE)


@pytest.mark.requirement("H5")
def test_checkpoint_is_stamped_at_once_then_daily_or_after_enough_entries(
    authority: Authority, local: LocalAuthority, tmp_path: Path
) -> None:
    where, clock = tmp_path / "ledger.db", MovedClock(now())
    with writing(where) as writer, reading(where) as ledger:
        found = Stamping(ledger, writer, authority, clock=clock)
        assert not found.is_due()  # an empty ledger has nothing to stamp
        fill(writer, 5)
        found.tick()
        [row] = ledger.anchors()
        assert (row.size, row.place) == (5, "time-stamp authority 127.0.0.1")
        checkpoint = ledger.checkpoint()
        answer = from_receipt(row.receipt)
        assert checkpoint is not None
        assert answer is not None
        assert stamped_at(answer, checkpoint.note, authority.trusted)
        assert not found.is_due()
        for number in range(19):
            one_more(writer, number)
        assert not found.is_due()  # 24 of 25
        one_more(writer, 19)
        assert found.is_due()
        found.tick()
        assert [one.size for one in ledger.anchors()] == [5, 25]
        one_more(writer, 20)
        clock.pass_time(hours=23, minutes=59)
        assert not found.is_due()
        clock.pass_time(minutes=2)
        assert found.is_due()
        local.fault = "flip"
        found.tick()  # said in the log, asked again after ten minutes
        local.fault = ""
        assert not found.is_due()
        clock.pass_time(minutes=10)
        found.tick()
        assert [one.size for one in ledger.anchors()] == [5, 25, 26]
        found.stop()


def one_more(writer: Writer, number: int) -> None:
    writer.submit(job(f"more:{number}", draft("batch/M", n=number))).result(20)


def test_export_carries_the_newest_stamp_and_the_note_it_is_over(
    authority: Authority, local: LocalAuthority, tmp_path: Path
) -> None:
    where, out = tmp_path / "ledger.db", tmp_path / "out"
    with writing(where) as writer, reading(where) as ledger:
        assert newest_stamp(ledger) == (0, {})
        fill(writer, 8)
        found = Stamping(ledger, writer, authority)
        found.tick()
        found.stop()
        for number in range(3):
            one_more(writer, number)
        stamped, files = newest_stamp(ledger)
        assert stamped == 8
        export_bundle(ledger, out, vkey=KEY.vkey, files=files, key=KEY)
    assert stand_alone.verify(str(out), KEY.vkey, str(out / "anchors" / "8.note")).startswith(
        "OK: 11 entries, continues the anchor of 8\n"
    )
    said = openssl(
        out, "ts", "-verify", "-in", "anchors/8.tsr", "-data", "anchors/8.note",
        "-CAfile", str(local.root),
    )  # fmt: skip
    assert "Verification: OK" in said


def test_nothing_new_is_not_stamped_again(authority: Authority, tmp_path: Path) -> None:
    where, clock = tmp_path / "ledger.db", MovedClock(now())
    with writing(where) as writer, reading(where) as ledger:
        fill(writer, 3)
        found = Stamping(ledger, writer, authority, clock=clock)
        found.tick()
        clock.pass_time(days=3)
        assert not found.is_due()
        found.stop()


def test_receipt_of_another_place_is_no_time_stamp() -> None:
    assert from_receipt("0f" * 32) is None
    assert from_receipt(to_receipt(b"answer")) == b"answer"


def test_settings_name_authority_and_certificate_together(
    local: LocalAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert authority_of(Settings()) is None
    monkeypatch.setenv("BATCHWRIGHT_TSA_URL", "http://tsa.example/rfc3161")
    with pytest.raises(SettingFaulty, match="BATCHWRIGHT_TSA_CERTIFICATES"):
        authority_of(Settings())
    monkeypatch.setenv("BATCHWRIGHT_TSA_CERTIFICATES", str(local.root))
    found = authority_of(Settings())
    assert found is not None
    assert (found.address, found.place) == (
        "http://tsa.example/rfc3161", "time-stamp authority tsa.example",
    )  # fmt: skip
    assert found.every == timedelta(days=1)
    monkeypatch.delenv("BATCHWRIGHT_TSA_URL")
    with pytest.raises(SettingFaulty, match="BATCHWRIGHT_TSA_URL"):
        authority_of(Settings())
