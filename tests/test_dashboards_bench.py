"""The bench of the ledger: its shape, its peers in the same run, and what it calls noisy."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from dashboards.bench.ledger import FULL, QUICK, Size, bench
from dashboards.bench.measure import in_turns, is_noisy, measured, rate, ratios
from dashboards.bench.proofs import make_bundle
from dashboards.faults.trial import memory_folder
from tests.patience import PATIENCE_S
from tests.verifier import stand_alone

SMALL = Size(slices=1, alone=3, each=1, verify=300, rebuild=200)
KEYS = {"name", "value", "unit", "against", "target", "holds"}


@pytest.mark.postgres
def test_every_figure_is_measured_with_its_peer_in_one_run(postgres_url: str) -> None:
    said: list[str] = []
    found = bench(said.append, size=SMALL, postgres=postgres_url)
    assert [one for one in found["left_out"] if "slower disk" not in one] == []
    assert isinstance(found["noisy"], bool)
    assert found["machine"]["processors"] == os.cpu_count()
    assert all(one.keys() >= KEYS for one in found["measures"])
    names = [one["name"] for one in found["measures"]]
    for home in ("SQLite", "PostgreSQL"):
        for callers in (8, 32, 128):
            assert f"{home}, {callers} callers, entries per sync" in names
            assert f"{home}, {callers} callers, whole ledger" in names
            assert f"{home}, {callers} callers, bound: rows alone" in names
            assert f"{home}, {callers} callers, processor time" in names
        assert f"{home}, 32 callers, another event store" in names
    slow = [one for one in found["measures"] if one["name"].endswith("syncs 4 ms longer")]
    assert [one["name"].split(", syncs")[0] for one in slow[:3]] == [
        "SQLite, one durable append",
        "SQLite, 8 callers, entries per sync",
        "SQLite, 8 callers, whole ledger",
    ]
    assert names[:4] == [
        "SQLite, one durable append",
        "bound: one bare row committed",
        "bound: rows alone",
        "SQLite, one durable append, processor time",
    ]
    assert names[-6:] == [
        "verify, whole log",
        "verify, against hashing alone",
        "verify, processor time an entry",
        "verify, batch bundle",
        "rebuild, per million entries",
        "rebuild, processor time of a million entries",
    ]
    assert all(one["value"] > 0 for one in found["measures"])
    assert len(said) >= len(names)


@pytest.mark.timeout(300)
def test_the_command_writes_the_report_and_says_what_it_left_out(tmp_path: Path) -> None:
    report = tmp_path / "bench.json"
    small = (  # the command, but for how much it measures
        "from dashboards.bench import ledger; from dashboards.cli import main;"
        f" ledger.QUICK = ledger.Size{tuple(SMALL)}; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", small, "bench", "ledger", "--quick", "--json", report],
        capture_output=True, encoding="utf-8", timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(report.read_text("utf-8"))
    assert {"machine", "noisy", "measures"} <= found.keys()
    assert all(one in done.stdout for one in found["left_out"])


def test_a_slower_disk_that_is_not_slower_is_no_measure() -> None:
    """Control: without the library before the others, the syncs are those of this machine."""
    with tempfile.TemporaryDirectory(dir=memory_folder()) as folder:
        done = subprocess.run(
            [sys.executable, "-m", "dashboards.bench.slow_disk", folder, "1", "1"],
            capture_output=True, encoding="utf-8", timeout=PATIENCE_S,
        )  # fmt: skip
    assert done.returncode == 1
    assert "NotSlow: the raw disk made" in done.stderr
    assert done.stdout == ""


@pytest.mark.requirement("H8")
def test_the_bundle_that_is_timed_is_a_real_one(tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle", 30)
    assert stand_alone.verify(str(tmp_path / "bundle"), None, None).startswith("OK: 30 entries\n")


@pytest.mark.parametrize(
    ("found", "limits", "holds"),
    [
        ([0.1, 0.9, 5], {"at_least": 0.9}, True),
        ([0.1, 0.89, 5], {"at_least": 0.9}, False),
        ([50, 50, 90], {"at_most": 50}, True),
        ([50, 51, 90], {"at_most": 50}, False),
        ([50, 51, 90], {}, None),
    ],
)
def test_the_median_is_held_against_the_target(
    found: list[float], limits: dict[str, float], holds: bool | None
) -> None:
    one = measured("x", found, unit="ms", against="y", **limits)
    assert (one.value, one.low, one.high) == (found[1], found[0], found[2])
    assert one.holds is holds
    assert one.target == next(iter(limits.values()), None)


def test_peers_take_turns_and_each_turn_has_its_ratio() -> None:
    order: list[str] = []
    first, second = in_turns(3, lambda: order.append("a") or 4.0, lambda: order.append("b") or 2.0)
    assert order == ["a", "b"] * 3
    assert ratios(first, second) == [2.0, 2.0, 2.0]


def test_an_append_that_fails_fails_the_measure() -> None:
    def append(key: str) -> None:
        raise ValueError(key)

    with pytest.raises(ValueError, match=r"0\.0"):
        rate(append, 1, 1)


def test_a_probe_that_is_not_steady_is_called_noisy() -> None:
    assert is_noisy([100.0, 201.0])
    assert QUICK.slices >= 3
    assert all(quick < full for quick, full in zip(QUICK, FULL, strict=True))
