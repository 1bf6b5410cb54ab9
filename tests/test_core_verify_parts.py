"""The stand-alone verifier reads a long log in parts: joined, they say what one pass says."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from core.ledger.checkpoint import sign
from core.ledger.merkle import Range, leaf_hash
from dashboards.bench.proofs import make_bundle
from tests.ledgers import KEY
from tests.test_core_verify import SIZE, edit, exported, flip, verify, whole
from tests.verifier import stand_alone

__all__ = ["exported", "whole"]  # fixtures
LONG = stand_alone.STEP * 2 + 5


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long") / "bundle"
    make_bundle(folder, LONG)
    return folder


def signed_anew(bundle: Path) -> None:
    """Let the log's own key sign whatever lines there are now."""
    tree, leaves = Range(), []
    for line in (bundle / "entries.jsonl").read_bytes().split(b"\n")[:-1]:
        tree.add(leaf_hash(line))
        leaves.append(leaf_hash(line).hex() + "\n")
    (bundle / "leaves.txt").write_text("".join(leaves), "ascii")
    (bundle / "checkpoint").write_text(sign(KEY, SIZE, tree.root()).note, "utf-8")


def said(bundle: Path, anchor: Path | None = None) -> str:
    try:
        return stand_alone.verify(str(bundle), None, None if anchor is None else str(anchor))
    except stand_alone.Broken as fault:
        return str(fault)


@pytest.mark.requirement("K1")
@pytest.mark.parametrize("step", [1, 4, 8, 32, 64])
def test_parts_of_any_size_lead_to_the_signed_root(
    whole: Path, exported: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = said(whole, exported / "anchor")
    assert expected.startswith(f"OK: {SIZE} entries, continues the anchor of 12\n")
    monkeypatch.setattr(stand_alone, "STEP", step)
    assert said(whole, exported / "anchor") == expected


@pytest.mark.parametrize(
    "change",
    [
        flip(17, b'"1000.50"', b'"1000.51"'),
        flip(16, b'"ver":', b'"ver":9'),
        flip(33, b'"prev":"', b'"prev":"0'),
        lambda lines: lines[:-1],
        lambda lines: lines[:8],
        lambda lines: [],
        lambda lines: [*lines, lines[-1]],
        lambda lines: [*lines[:4], *lines[5:]],
        lambda lines: [lines[20], *lines[1:20], lines[0], *lines[21:]],
    ],
)
def test_parts_name_the_same_first_broken_entry(
    whole: Path, change: Callable[[list[bytes]], list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(whole / "entries.jsonl", change)
    expected = said(whole)
    assert expected.startswith("entry ")
    monkeypatch.setattr(stand_alone, "STEP", 8)
    assert said(whole) == expected


def test_a_link_that_is_broken_between_two_parts_is_named(
    whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sign the log again with another `prev` in the first line of a part."""
    edit(whole / "entries.jsonl", flip(33, b'"prev":"', b'"prev":"0'))
    signed_anew(whole)
    expected = said(whole)
    assert expected.startswith("entry 33: does not follow version")
    monkeypatch.setattr(stand_alone, "STEP", 32)
    assert said(whole) == expected


def test_processes_say_what_one_says(long: Path, tmp_path: Path) -> None:
    alone, shared = verify(long, "--jobs", "1"), verify(long, "--jobs", "2")
    assert alone == shared
    assert alone[1].startswith(f"OK: {LONG} entries\n")
    broken = Path(shutil.copytree(long, tmp_path / "broken"))
    edit(broken / "entries.jsonl", flip(stand_alone.STEP + 7, b'"1000.50"', b'"1000.51"'))
    expected = f"NOT PROVEN: entry {stand_alone.STEP + 7}: is not what was committed"
    alone, shared = verify(broken, "--jobs", "1"), verify(broken, "--jobs", "2")
    assert alone == shared
    assert alone[1].startswith(expected)


def test_where_no_process_can_be_started_it_reads_alone(
    long: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(jobs: int) -> None:
        raise NotImplementedError

    monkeypatch.setattr(stand_alone, "ProcessPoolExecutor", none)
    found = stand_alone.verify(str(long), None, None, jobs=2)
    assert found.startswith(f"OK: {LONG} entries\n")


@pytest.mark.requirement("K1")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'{"actor"', b'{ "actor"'),
        (b',"at":', b' ,"at":'),
        (b"}\n", b"} \n"),
        (b"}\n", b"}{}\n"),
        (b"}\n", b"},{}\n"),
        (b'"1000.50"', b'"\\u0031000.50"'),
        (b'"v":1', b'"v":1,"v":1'),
    ],
)
@pytest.mark.parametrize("at_once", [1, 4, 64])
def test_a_line_that_is_not_canonical_is_named_before_a_later_fault(
    whole: Path, old: bytes, new: bytes, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines are compared many at a time; the first fault is named all the same."""
    edit(whole / "entries.jsonl", flip(5, old, new))
    edit(whole / "entries.jsonl", flip(8, b'"prev":"', b'"prev":"0'))
    signed_anew(whole)
    monkeypatch.setattr(stand_alone, "LINES", at_once)
    assert said(whole) == "entry 5: is not in canonical form"
