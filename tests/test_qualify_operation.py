"""OQ: every test passes on a plant that works, and fails where its part is broken."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from core.batch import late
from core.clock_step import StepWatch
from core.ledger.sqlite import GUARD
from dashboards.qualify import (
    accounts,
    batches,
    copies,
    operation,
    plant_data,
    signatures,
    trail,
)
from dashboards.qualify.machine import Install
from dashboards.qualify.scratch import PACK, Scratch, scratch_plant
from dashboards.qualify.script import Outcome, Result, run

pytestmark = pytest.mark.timeout(300)  # a whole plant at work, on a machine that may be busy
PRETENDS = "print('OK: 1 entries')\n"


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scratch]:
    """One scratch plant; its tests leave it so that the next one can go on."""
    with scratch_plant(tmp_path_factory.mktemp("qualify") / "plant") as made:
        yield made


def failed(result: Result) -> list[str]:
    """Return what did not hold."""
    assert result.outcome is Outcome.FAILED
    assert result.why == next(one.says for one in result.actual if not one.holds)
    return [one.says for one in result.actual if not one.holds]


@pytest.mark.requirement("P2")
def test_every_test_of_operation_passes_on_a_plant_that_works(plant: Scratch) -> None:
    results = [run(one, plant) for one in operation.SCRIPTS]
    assert {one.script.id: one.why for one in results if one.outcome is not Outcome.PASSED} == {}
    assert all(len(one.actual) >= 2 for one in results)


@pytest.mark.requirement("P2")
def test_a_ledger_without_its_trigger_fails(plant: Scratch) -> None:
    path = plant.data / "ledger.db"
    with closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as raw:
        raw.execute("drop trigger entry_no_delete")
        try:
            says = failed(run(trail.append_only, plant))
        finally:
            raw.execute(GUARD.format(table="entry", deed="delete"))
    assert len(says) == 1
    assert says[0].startswith("DELETE of entry")
    assert says[0].endswith("was carried out, and must be refused.")


@pytest.mark.requirement("P2")
def test_an_account_that_locks_one_failure_late_fails(
    plant: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.people.FAILURES_UNTIL_LOCK", 6)
    says = failed(run(accounts.lockout, plant))
    assert says[:2] == [
        "After 5 failures, the right secret still opens: status 303.",
        "The lock is not in the audit trail, 0 entries.",
    ]


@pytest.mark.requirement("P2")
@pytest.mark.parametrize(("minutes", "words"), [(13, "must be refused"), (8, "must be accepted")])
def test_another_limit_of_late_entries_fails_on_either_side(
    plant: Scratch, monkeypatch: pytest.MonkeyPatch, minutes: int, words: str
) -> None:
    monkeypatch.setattr(late, "LATE", timedelta(minutes=minutes))
    assert words in failed(run(batches.late_entry, plant))[0]


@pytest.mark.requirement("P2")
@pytest.mark.parametrize(("minutes", "words"), [(60, "must be refused"), (5, "must be accepted")])
def test_another_length_of_the_signing_period_fails_on_either_side(
    plant: Scratch, monkeypatch: pytest.MonkeyPatch, minutes: int, words: str
) -> None:
    monkeypatch.setattr(plant.execution.periods, "_idle", lambda: timedelta(minutes=minutes))
    assert words in failed(run(signatures.signing_period, plant))[0]


@pytest.mark.requirement("P2")
def test_a_plant_that_does_not_see_its_clock_set_fails(
    plant: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StepWatch, "look", lambda _self: None)
    assert failed(run(trail.clock_step, plant)) == [
        "Set back by an hour: must leave one entry, and left [].",
        "Set forward by an hour: must leave one entry, and left [].",
    ]


@pytest.mark.requirement("P2")
def test_a_verifier_that_proves_everything_fails(
    plant: Scratch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("core.ledger.export.one_file", lambda: PRETENDS)
    monkeypatch.setattr(plant, "out", tmp_path)
    says = failed(run(copies.ledger_bundle, plant))
    assert len(says) == 3
    assert all(
        one.endswith("must be refused, and the verifier said “OK: 1 entries”") for one in says
    )


@pytest.mark.requirement("P2")
def test_a_backup_that_is_not_compared_with_its_hashes_fails(
    plant: Scratch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("core.backup.files.digest_of", lambda _path: "0" * 64)
    monkeypatch.setattr(plant, "out", tmp_path)
    assert failed(run(copies.backup_restore, plant))


@pytest.mark.requirement("P2")
def test_a_secret_of_another_person_that_fits_fails(
    plant: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plant.execution.secrets, "fits", lambda *_, **__: True)
    assert (
        "was accepted, and must be refused by DoesNotFit"
        in failed(run(signatures.own_components, plant))[0]
    )


@pytest.mark.requirement("P2")
def test_the_scratch_plant_runs_on_postgresql_too(postgres_url: str, tmp_path: Path) -> None:
    with scratch_plant(tmp_path / "plant", database=postgres_url) as made:
        scripts: tuple[Any, ...] = (trail.append_only, copies.backup_restore)
        results = [run(one, made) for one in scripts]
        it = Install(plant=PACK, data=made.data, store=postgres_url)
        results += [run(one, it) for one in plant_data.SCRIPTS]
        assert [one.why for one in results if one.outcome is not Outcome.PASSED] == []
        assert [one.says for result in results for one in result.actual if "checksums" in one.says]
        assert not (made.data / "ledger.db").exists()
