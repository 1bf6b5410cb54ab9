"""The demo as anybody starts it: one command, and its report against its own databases.

The command runs until the crew's first batches are released. Everything is then read again without
the product's code: the ledger and the ERP's books with sqlite3, the tree with hashlib, the bundle
by its own verifier.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from erp.events import BY_FACT
from tests.patience import eventually

PATIENCE_S = 240
CLI = [sys.executable, "-P", "-m", "dashboards.cli"]
CONTRACT = {
    "entries", "checkpoint", "orders", "batches_released", "deviations", "refusals", "signatures",
    "erp", "reconciliation", "oee",
}  # fmt: skip
FIGURES = {"availability", "performance", "quality", "oee", "coverage"}

pytestmark = pytest.mark.timeout(2 * PATIENCE_S)


@dataclass(frozen=True)
class Ran:
    """A demo that has ended: its folder, its report, and what it printed."""

    data: Path
    report: dict[str, Any]
    printed: str

    def entries(self) -> list[tuple[str, dict[str, Any]]]:
        """Return (type, entry) of what the report is about, as sqlite3 reads it."""
        asked = "SELECT type, body FROM entry WHERE seq <= ? ORDER BY seq"
        return [
            (kind, json.loads(body))
            for kind, body in rows(self.data / "ledger.db", asked, self.report["entries"])
        ]

    def types(self) -> Counter[str]:
        return Counter(kind for kind, _ in self.entries())


def rows(database: Path, sql: str, *values: object) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(sql, values).fetchall()


def command(*arguments: str, within_s: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CLI, *arguments],
        capture_output=True, encoding="utf-8", timeout=within_s, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Run the demo, once also where these tests are spread over several processes."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    data, kept = folder / "demo" / "data", folder / "demo" / "ran.json"
    kept.parent.mkdir(exist_ok=True)
    with alone(folder / "demo.lock"):
        if not kept.exists():
            kept.write_text(json.dumps(ran(data, folder / "demo" / "report.json")), "utf-8")
    return Ran(data, **json.loads(kept.read_text("utf-8")))


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Let one process in at a time."""
    with lock.open("w") as handle:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def ran(data: Path, report: Path) -> dict[str, Any]:
    """Start the demo as a person does, end it once a batch is released, return what it gave."""
    asked = ["--data", str(data), "--reset", "--port", "0", "--report", str(report)]
    words = report.with_suffix(".txt")
    with words.open("w", encoding="utf-8") as to:
        running = subprocess.Popen([*CLI, "demo", *asked], stdout=to, stderr=to)
    try:
        eventually(lambda: running.poll() is not None or released(data), within_s=PATIENCE_S)
        running.send_signal(signal.SIGINT)
        code = running.wait(PATIENCE_S)
    finally:
        running.kill()
    printed = words.read_text("utf-8")
    assert code == 0, printed
    return {"report": json.loads(report.read_text("utf-8")), "printed": printed}


def released(data: Path) -> bool:
    """Say whether the ledger of a running plant has a released batch."""
    with suppress(sqlite3.OperationalError):  # there is no ledger yet
        return bool(rows(data / "ledger.db", "SELECT 1 FROM entry WHERE type = 'batch.released'"))
    return False


def test_report_keeps_its_contract(demo: Ran) -> None:
    found = demo.report
    assert set(found) >= CONTRACT
    assert set(found["checkpoint"]) == {"size", "root"}
    assert set(found["deviations"]) == {"raised", "dispositioned"}
    assert set(found["erp"]) == {"messages", "receipted", "dead"}
    assert set(found["oee"]) == {"L1", "L2"}
    for figures in found["oee"].values():
        assert set(figures) == FIGURES


def test_plant_was_alive(demo: Ran) -> None:
    found = demo.report
    assert found["batches_released"] >= 1
    assert found["deviations"]["raised"] >= 1
    assert found["deviations"]["dispositioned"] >= 1
    assert found["refusals"] >= 2
    assert found["erp"]["messages"] >= 10
    assert found["erp"] | {"dead": 0} == found["erp"]
    assert found["erp"]["receipted"] == found["erp"]["messages"]
    assert set(found["reconciliation"]) <= {"matched", "in_flight"}
    posted = sum(BY_FACT[kind].posts for kind, _ in demo.entries() if kind in BY_FACT)
    assert sum(found["reconciliation"].values()) == posted
    for line, figures in found["oee"].items():
        for name, figure in figures.items():
            assert figure is not None, (line, name)
            assert 0 < Decimal(figure) <= Decimal("1.2"), (line, name)


def test_counts_are_those_of_the_ledger(demo: Ran) -> None:
    types, found = demo.types(), demo.report
    assert sum(types.values()) == found["entries"]
    assert {
        "orders": types["work-order.received"],
        "batches_released": types["batch.released"],
        "deviations": {
            "raised": types["deviation.opened"],
            "dispositioned": types["deviation.dispositioned"],
        },
        "refusals": types["attempt.refused"],
        "signatures": types["signature.applied"],
    }.items() <= found.items()
    rules = {entry["data"]["rule"] for kind, entry in demo.entries() if kind == "attempt.refused"}
    assert rules >= {"WrongMaterial", "OutOfTolerance", "SamePerson"}


def test_people_of_the_crew_are_marked_as_simulated(demo: Ran) -> None:
    people = [entry["data"] for kind, entry in demo.entries() if kind == "person.registered"]
    assert len(people) >= 9
    assert all(one["simulated"] for one in people)


def node(leaves: list[bytes]) -> bytes:
    """Return the root of a tree by the letter of RFC 6962, section 2.1."""
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01" + node(leaves[:split]) + node(leaves[split:])).digest()


def test_root_is_that_of_the_stored_bytes(demo: Ran) -> None:
    checkpoint = demo.report["checkpoint"]
    asked = "SELECT body FROM entry WHERE seq <= ? ORDER BY seq"
    bodies = [body for (body,) in rows(demo.data / "ledger.db", asked, checkpoint["size"])]
    assert len(bodies) == checkpoint["size"] == demo.report["entries"]
    assert node(bodies).hex() == checkpoint["root"]


@pytest.mark.requirement("K1", "L1")
def test_erp_holds_what_the_floor_did(demo: Ran) -> None:
    erp, outbox = demo.data / "erp" / "erp.db", demo.data / "erp_outbox.db"
    facts = [(kind, entry) for kind, entry in demo.entries() if kind in BY_FACT]
    [(posted,)] = rows(erp, "SELECT count(*) FROM posting")
    [(sent,)] = rows(outbox, "SELECT count(*) FROM erp_message")
    [(proven,)] = rows(outbox, "SELECT count(DISTINCT event_id) FROM erp_receipt")
    assert posted == sent == proven == len(facts) == demo.report["erp"]["messages"]
    moved: dict[str, Decimal] = {}
    asked = (
        "SELECT movement, quantity, unit FROM ledger_line WHERE movement IN ('issue', 'release')"
    )
    for movement, quantity, unit in rows(erp, asked):
        assert unit == "KGM"
        moved[movement] = moved.get(movement, Decimal(0)) + abs(Decimal(quantity))
    consumed = [Decimal(it["data"]["net_g"]) for kind, it in facts if kind == "material.consumed"]
    assert moved["issue"] == sum(consumed) / 1000
    [(released,)] = rows(erp, "SELECT count(*) FROM ledger_line WHERE movement = 'release'")
    assert released == demo.report["batches_released"]


def test_demo_ends_what_it_started(demo: Ran) -> None:
    base = re.search(r"http://127\.0\.0\.1:\d+", demo.printed)
    assert base is not None
    with pytest.raises(httpx.ConnectError):
        httpx.get(base.group() + "/api/health", timeout=2, trust_env=False)
    assert [line for line in command_lines() if str(demo.data / "erp" / "erp.db") in line] == []


def command_lines() -> Iterator[str]:
    """Yield how each process of this machine was started, where the system tells."""
    for found in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended meanwhile
            yield found.read_text("utf-8", "replace")


def test_demo_prints_a_way_in_for_each_role_and_hides_the_secrets_from_others(demo: Ran) -> None:
    accounts = json.loads((demo.data / "accounts.json").read_text("utf-8"))
    for user in ("olga", "quinn", "dora", "finn", "sana"):
        assert re.search(rf"{user}\s+{re.escape(accounts[user]['secret'])}", demo.printed), user
    assert (demo.data / "accounts.json").stat().st_mode & 0o077 == 0
    assert (demo.data / "keys").stat().st_mode & 0o077 == 0


def test_nothing_broke_on_the_way(demo: Ran) -> None:
    logs = {found.name: found.read_text("utf-8") for found in (demo.data / "logs").glob("*.log")}
    assert set(logs) == {"crew.log", "devices.log", "erp-sandbox.log"}
    for name, text in (logs | {"the command": demo.printed}).items():
        assert "Traceback" not in text, f"{name}: {text[-3000:]}"
    assert "was accepted and should not be" not in logs["crew.log"]


def copied(source: str, target: str) -> None:
    """Copy a file of the ended demo; an empty log of SQLite goes when its last reader does."""
    try:
        shutil.copy2(source, target)
    except FileNotFoundError:
        if not source.endswith(("-wal", "-shm")):
            raise


def test_demo_started_again_goes_on_and_ends_by_itself(demo: Ran, tmp_path: Path) -> None:
    data, report = tmp_path / "data", tmp_path / "report.json"
    shutil.copytree(demo.data, data, copy_function=copied)
    asked = ["--data", str(data), "--port", "0", "--for", "2", "--report", str(report)]
    done = command("demo", *asked, within_s=PATIENCE_S)
    assert done.returncode == 0, done.stdout + done.stderr
    kept = "SELECT body FROM entry ORDER BY seq"
    before, after = rows(demo.data / "ledger.db", kept), rows(data / "ledger.db", kept)
    assert after[: len(before)] == before
    assert len(after) >= json.loads(report.read_text("utf-8"))["entries"] > len(before)


@pytest.fixture(scope="module")
def exported(demo: Ran, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "bundle"
    done = command("export", "--data", str(demo.data), "--out", str(out))
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture
def bundle(exported: Path, tmp_path: Path) -> Path:
    """A copy of the bundle that may be damaged."""
    return Path(shutil.copytree(exported, tmp_path / "bundle"))


def checked(bundle: Path) -> tuple[int, str]:
    """Run the bundle's own verifier with a Python that sees nothing else."""
    done = subprocess.run(
        [sys.executable, "-I", str(bundle / "verify.py"), str(bundle)], cwd=bundle,
        capture_output=True, encoding="utf-8", timeout=60, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.mark.requirement("H8")
def test_exported_ledger_verifies_itself(demo: Ran, bundle: Path) -> None:
    code, said = checked(bundle)
    size = int(re.findall(r"^size (\d+)$", said, re.M)[0])
    assert (code, said.split(":")[0]) == (0, "OK")
    assert size >= demo.report["entries"]
    stored = rows(demo.data / "ledger.db", "SELECT body FROM entry ORDER BY seq")
    lines = (bundle / "entries.jsonl").read_bytes()
    assert lines == b"".join(body + b"\n" for (body,) in stored)


@pytest.mark.requirement("H8")
@pytest.mark.parametrize("part", [0.0, 0.5, 1.0], ids=["first", "middle", "last"])
def test_one_changed_byte_is_found_and_its_entry_named(bundle: Path, part: float) -> None:
    path = bundle / "entries.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    at = int(part * (len(lines) - 1))
    year = lines[at].index(b'"at":"20') + len(b'"at":"20')
    changed = bytearray(lines[at])
    changed[year] = ord("9") if changed[year] != ord("9") else ord("8")
    path.write_bytes(b"".join([*lines[:at], bytes(changed), *lines[at + 1 :]]))
    code, said = checked(bundle)
    assert code == 1
    assert said.startswith(f"NOT PROVEN: entry {at + 1}: is not what was committed"), said


@pytest.mark.requirement("H8")
def test_dropped_last_line_is_found_and_its_entry_named(bundle: Path) -> None:
    path = bundle / "entries.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    code, said = checked(bundle)
    assert code == 1
    assert said.startswith(f"NOT PROVEN: entry {len(lines)}: is missing"), said


@pytest.mark.requirement("H8")
def test_released_batch_leaves_as_a_bundle_of_its_own(demo: Ran, tmp_path: Path) -> None:
    batch = next(
        entry["stream"].removeprefix("batch/")
        for kind, entry in demo.entries()
        if kind == "batch.released"
    )
    out = tmp_path / batch
    done = command("export", "--data", str(demo.data), "--out", str(out), "--batch", batch)
    assert done.returncode == 0, done.stderr
    code, said = checked(out)
    assert (code, said.split(":")[0]) == (0, "OK"), said
    assert f"batch/{batch} to batch.closed" in said
    assert json.loads((out / "record.json").read_bytes())["header"]["batch"] == batch
    assert (out / "record.pdf").read_bytes().startswith(b"%PDF-")
