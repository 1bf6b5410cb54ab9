"""Every claim about damage is tried, and every harness is shown to see what it looks for."""

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from dashboards.faults import flips, power
from dashboards.faults.postgres import VARIABLE, NoServer, cluster
from dashboards.faults.power import NotRecorded, check_whole
from dashboards.faults.power_disk import Step
from dashboards.faults.run import BY_NAME, HARNESSES, line_of
from dashboards.faults.trial import NotRun, Tally

SEED = 20261123
FEW = {
    "power": 12,
    "syncs": 12,
    "kills": 3,
    "postgres-writers": 2,
    "postgres-several": 2,
    "postgres-server": 1,
    "disk-limit": 3,
    "disk-full": 3,
    "file-flips": 60,
    "wal-flips": 12,
    "tamper": 36,
    "bundles": 33,
    "clocks": 6,
    "double": 20,
    "postgres-double": 10,
    "servers": 5,
}


@pytest.mark.requirement("H5")
@pytest.mark.parametrize("name", FEW)
def test_nothing_is_violated_and_the_control_fails(name: str, tmp_path: Path) -> None:
    if name == "disk-full" and os.geteuid() != 0:
        with pytest.raises(NotRun, match="run as root to try both"):
            BY_NAME[name].run(Random(SEED), tmp_path, FEW[name])
        return
    tally = BY_NAME[name].run(Random(SEED), tmp_path, FEW[name])
    assert tally.trials >= FEW[name]
    assert (tally.violations, tally.found) == (0, [])
    assert 0 < tally.control_violations <= tally.control_trials
    assert tally.holds


def test_the_quick_run_tries_every_harness_that_the_full_one_tries() -> None:
    assert list(FEW) == [one.name for one in HARNESSES]
    assert all(0 < one.quick < one.full for one in HARNESSES)
    assert sum(one.full for one in HARNESSES if one.name == "power") == 10_000
    kills = ("kills", "postgres-writers", "postgres-server")
    assert sum(BY_NAME[name].full for name in kills) == 2_000


def test_power_is_not_tried_without_a_compiler_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotRun) as refusal:
        power.run(Random(SEED), tmp_path, 1)
    assert str(refusal.value) == (
        "Power cuts: no C compiler (cc) is found, and the recorder of writes is C."
        " Install one, as with apt install gcc, or run the other harnesses."
    )


def test_a_record_that_lacks_a_write_is_no_record(tmp_path: Path) -> None:
    """A call that goes past the recorder would make every cut of it pass for nothing."""
    (tmp_path / "log.db").write_bytes(b"onetwo")
    (tmp_path / "log.db-shm").write_bytes(b"never looked at")
    calls = [
        Step("c", "log.db", 0, b""),
        Step("w", "log.db", 0, b"one"),
        Step("w", "log.db", 3, b"two"),
    ]
    check_whole(calls, tmp_path)
    with pytest.raises(NotRecorded) as lacking:
        check_whole(calls[:-1], tmp_path)
    assert str(lacking.value) == "log.db: its writes do not lead to the file that is there"
    (tmp_path / "unseen").write_bytes(b"")
    with pytest.raises(NotRecorded, match="unseen: its writes"):
        check_whole(calls, tmp_path)


def test_a_server_that_may_be_killed_is_asked_for_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboards.faults.postgres.system_binaries", lambda: None)
    with pytest.raises(NoServer) as refusal, cluster():
        pass
    assert str(refusal.value) == (
        "PostgreSQL: no server is found that this account may start."
        f" Install postgresql, or set {VARIABLE} to one on which databases may be made."
    )


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
    trials, violations, control_trials, control_violations = counts
    tally = Tally(
        "x", "y", "z", trials=trials, violations=violations,
        control_trials=control_trials, control_violations=control_violations,
    )  # fmt: skip
    assert tally.holds is (said == "holds")
    assert line_of(tally).endswith(said)


def test_a_seed_repeats_its_run(tmp_path: Path) -> None:
    tallies = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        tallies.append(flips.in_file(Random(SEED), tmp_path / name, 30))
    assert tallies[0] == tallies[1]


def test_parts_add_up() -> None:
    one = Tally("x", "y", "z", trials=3, control_trials=2, control_violations=1, counts={"a": 1})
    one.add(Tally("x", "y", "z", trials=4, violations=1, counts={"a": 2, "b": 3}, found=["w"]))
    assert Tally.of(one.as_json()) == one
    assert (one.trials, one.violations, one.control_violations) == (7, 1, 1)
    assert (one.counts, one.found) == ({"a": 3, "b": 3}, ["w"])
    assert one.as_json()["rate_below_95"] is None


def test_the_command_writes_the_counts_and_ends_with_0(tmp_path: Path) -> None:
    report = tmp_path / "faults.json"
    done = faults("--quick", "--only", "wal-flips", "--seed", "7", "--json", str(report))
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(report.read_text("utf-8"))
    assert found["seed"] == 7
    [harness] = found["harnesses"]
    quick = BY_NAME["wal-flips"].quick
    assert (harness["name"], harness["trials"]) == ("bit flips, WAL", quick)
    assert (harness["violations"], harness["control_trials"]) == (0, quick)
    assert harness["rate_below_95"] == 3 / quick
    assert harness["control_violations"] > 0


def test_the_command_refuses_a_harness_that_it_does_not_have() -> None:
    done = faults("--only", "fire")
    assert done.returncode == 1
    assert done.stderr.startswith("fire: no such harness. Name one of power, ")


def faults(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dashboards.cli", "faults", *options],
        capture_output=True, encoding="utf-8", timeout=110, env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
