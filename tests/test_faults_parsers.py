"""Whatever bytes come in, a parser answers, or refuses in its own words; it never hangs."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from capture.barcode import LONGEST, Scan, read
from capture.reading import Status
from capture.scales import mtsics
from core.ledger.checkpoint import NoteBroken, parse_vkey, sign, verify
from core.ledger.export import export_bundle, export_streams
from tests.ledgers import KEY, fill, reading, writing
from tests.verifier import stand_alone

NOTE = sign(KEY, 20000, bytes(32)).note
SCALE = st.binary(max_size=40) | st.from_regex(rb"(S|SI|I4|E) ?[SDIAL+\-]? ?[ -~]{0,20}\r?\n?")
FILES = ("entries.jsonl", "leaves.txt", "checkpoint", "log.vkey", "manifest-sha256.txt")


@pytest.mark.requirement("D1")
@given(SCALE)
@example(b"")
@example(b"S S     100.00 g\n")
@example(b"S S   1e9999999 g\r\n")
@example(b"S S \xff\xfe\r\n")
@example(b"S S   100.0[0] g\r\nS S     200.00 g\r\n")
def test_a_scale_line_is_a_weight_as_it_was_sent_or_none(line: bytes) -> None:
    answer = mtsics.parse(line)
    assert (answer.value is not None) == (answer.status in (Status.STABLE, Status.DYNAMIC))
    if answer.value is not None:
        sent = line.decode("ascii").replace("[", "").replace("]", "")
        assert str(answer.value) in sent
    serial = mtsics.parse_identity(line)
    assert serial is None or serial.encode("ascii", "replace") in line.replace(b"\xff", b"?")


@pytest.mark.requirement("E2")
@given(
    st.text(max_size=2 * LONGEST)
    | st.from_regex(r"\](d2|C1|E0|Q3)[0-9A-Z()\x1d]{0,60}")
    | st.from_regex(r"(\([0-9]{2,4}\)[0-9A-Z]{0,20}){1,6}")
    | st.binary(max_size=60).map(lambda raw: raw.decode("utf-8", "replace"))
)
@example("]d2" + "\x1d" * 200)
@example("(01)" * 60)
@example("]C13103\u0660\u0661\u0662\u0663\u0664\u0665")
@example("]E0\u00b2\u00b3")
@example("]d230")  # a count without digits
@example("]d23102\u0661\u0661\u0661\u0661\u0661\u0661")
def test_a_scan_is_read_or_has_a_fault_in_words(text: str) -> None:
    scan = read(text)
    assert isinstance(scan, Scan)
    assert scan.kind in ("gs1", "plain")
    assert scan.lot is not None or scan.kind == "gs1" or scan.faults
    assert all(fault.endswith(".") for fault in scan.faults)


def damaged(text: str) -> st.SearchStrategy[str]:
    """A text with a piece of it replaced by another."""
    places = st.tuples(st.integers(0, len(text)), st.integers(0, 12))
    return st.builds(
        lambda place, piece: text[: place[0]] + piece + text[sum(place) :],
        places,
        st.text(max_size=12) | st.sampled_from(["\n\n", "\n", "_", "=", "+", " ", "\u2014 "]),
    )


@pytest.mark.requirement("H5", "H8")
@given(st.text(max_size=200) | damaged(NOTE))
@example(NOTE.replace("\n20000\n", "\n2_0000\n"))
@example("\n\n\n")
@example("\n\n0\n")
@example(NOTE.replace("\n\n", "\n\n\n\n"))
def test_a_note_that_is_not_as_signed_is_refused_by_both_readers(text: str) -> None:
    if text == NOTE:
        return
    with pytest.raises(NoteBroken):
        verify(text, KEY.verifier)
    try:
        stand_alone.read_checkpoint(text, [stand_alone.parse_vkey(KEY.vkey)], "it")
    except stand_alone.Broken:
        return
    raise AssertionError("the bundle's own reader takes what the ledger refuses")


@given(st.text(max_size=120) | damaged(KEY.vkey))
@example("a+b+c")
@example("a+00000000+====")
def test_a_key_line_is_its_own_or_refused(text: str) -> None:
    try:
        found = parse_vkey(text)
    except ValueError:
        return
    assert found.text == text.strip()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    with writing(folder / "ledger.db") as writer, reading(folder / "ledger.db") as ledger:
        fill(writer, 6, streams=2)
        export_bundle(ledger, folder / "whole", vkey=KEY.vkey)
        export_streams(ledger, ["batch/B1"], folder / "part", vkey=KEY.vkey, anchors=[2])
    return folder


def put(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.requirement("H8")
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["whole", "part"]),
    name=st.sampled_from([*FILES, "proofs.json"]),
    start=st.integers(0, 2000),
    length=st.integers(1, 40),
    piece=st.binary(max_size=40) | st.sampled_from([b"NaN", b"1e999", b"[" * 300, b'"a":1,', b""]),
)
@example(kind="part", name="proofs.json", start=0, length=2000, piece=b"[]")
@example(kind="part", name="proofs.json", start=0, length=2000, piece=b'{"streams":[{}]}')
@example(kind="whole", name="checkpoint", start=0, length=2000, piece=b"\xff")
@example(kind="whole", name="log.vkey", start=0, length=2000, piece=b"")
def test_a_damaged_bundle_is_refused_in_the_verifiers_own_words(
    exported: Path, tmp_path: Path, *, kind: str, name: str, start: int, length: int, piece: bytes
) -> None:
    bundle = tmp_path / "bundle"
    shutil.rmtree(bundle, ignore_errors=True)
    shutil.copytree(exported / kind, bundle)
    if not (bundle / name).exists():
        return
    before = (bundle / name).read_bytes()
    place = start % (len(before) + 1)
    put(bundle / name, lambda raw: raw[:place] + piece + raw[place + length :])
    after = (bundle / name).read_bytes()
    try:
        said = stand_alone.verify(str(bundle), KEY.vkey, None)
    except stand_alone.Broken:
        return
    # the key comes from outside, and blank lines of the unsigned list say nothing
    assert name in ("log.vkey", "manifest-sha256.txt") or after == before, said


@pytest.mark.requirement("H8")
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
@example(b"PK\x03\x04")
@example(b"PK\x05\x06" + bytes(18))
def test_a_file_that_is_no_bundle_is_refused(tmp_path: Path, blob: bytes) -> None:
    (tmp_path / "bundle.zip").write_bytes(blob)
    with pytest.raises(stand_alone.Broken):
        stand_alone.verify(str(tmp_path / "bundle.zip"), KEY.vkey, None)
