"""Every claim about damage is tried, and every harness is shown to see what it looks for."""

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from dashboards.faults import crowded, double, flips, kills, servers, tamper
from dashboards.faults.run import HARNESSES, line_of, run_all
from dashboards.faults.trial import Run, Tally

SEED = 20261123
FEW: list[tuple[Run, int]] = [
    (double.run, 30),
    (kills.run, 3),
    (crowded.run, 4),
    (flips.in_file, 60),
    (flips.in_wal, 12),
    (tamper.run, 36),
    (servers.run, 5),
]


@pytest.mark.requirement("H5")
@pytest.mark.parametrize(("run", "count"), FEW, ids=[one.name for one in HARNESSES])
def test_nothing_is_violated_and_the_control_fails(run: Run, count: int, tmp_path: Path) -> None:
    tally = run(Random(SEED), tmp_path, count)
    assert tally.trials >= count
    assert tally.violations == 0
    assert 0 < tally.control_violations <= tally.control_trials
    assert tally.holds


def test_the_quick_run_tries_every_harness_that_the_full_one_tries() -> None:
    assert [run for run, _ in FEW] == [one.run for one in HARNESSES]
    assert all(0 < one.quick < one.full for one in HARNESSES)


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((9, 0, 3, 1), "holds"),
        ((9, 1, 3, 1), "FAILS"),
        ((9, 0, 3, 0), "BLIND: its control did not fail"),
    ],
)
def test_a_violation_or_a_control_without_any_fails_the_run(
    counts: tuple[int, int, int, int], said: str
) -> None:
    tally = Tally("x", "y", "z", *counts)
    assert tally.holds is (said == "holds")
    assert line_of(tally).endswith(said)


def test_a_seed_repeats_its_run() -> None:
    first, second = (run_all(SEED, lambda line: None, quick=True, only="servers") for _ in "ab")
    keys = ("trials", "violations", "control_trials", "control_violations")
    [one], [other] = first["harnesses"], second["harnesses"]
    assert [one[key] for key in keys] == [other[key] for key in keys]


def test_the_command_writes_the_counts_and_ends_with_0(tmp_path: Path) -> None:
    report = tmp_path / "faults.json"
    done = faults("--quick", "--only", "wal-flips", "--seed", "7", "--json", str(report))
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(report.read_text("utf-8"))
    assert found["seed"] == 7
    [harness] = found["harnesses"]
    assert (harness["name"], harness["trials"], harness["violations"]) == ("bit flips, WAL", 60, 0)
    assert harness["control_trials"] == 60
    assert harness["control_violations"] > 0


def test_the_command_refuses_a_harness_that_it_does_not_have() -> None:
    done = faults("--only", "fire")
    assert done.returncode == 1
    assert done.stderr.startswith("fire: no such harness. Name one of double, ")


def faults(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dashboards.cli", "faults", *options],
        capture_output=True, encoding="utf-8", timeout=110, env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
