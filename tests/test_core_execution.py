"""The only way in: once each, evidence of refusals, a projection that can be rebuilt."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import msgspec
import pytest

from core.batch.steps import CompleteStep
from core.catalogue import COMMANDS, DECIDERS, EVENTS, NOUNS
from core.errors import IdemReused
from core.execution import Recalled
from core.fields import FieldRefused
from core.ledger.store import open_store
from core.material import Lot
from core.order import Order
from core.people import Person, RegisterPerson
from core.projections.nouns import compare, differences, prepare, replay
from core.refusal import Refusals
from core.weighing import OutOfTolerance, RecordTare, ScanContainer, WrongMaterial
from tests.floor import Floor, open_floor
from tests.hands import AT, reading, refusal


def register(person: str, badge: str) -> RegisterPerson:
    return RegisterPerson(person=person, name=person.title(), badge=badge, roles=("operator",))


def test_command_sent_twice_is_carried_out_once(floor: Floor) -> None:
    first = floor.act(register("ama", "20001"), "ada", idem="r-1")
    size = floor.size()
    again = floor.act(register("ama", "20001"), "ada", idem="r-1")
    assert (again.first_seq, again.last_seq, floor.size()) == (
        first.first_seq, first.last_seq, size
    )  # fmt: skip
    assert (first.replayed, again.replayed) == (False, True)


def test_command_id_with_another_request_is_refused(floor: Floor) -> None:
    floor.act(register("ama", "20001"), "ada", idem="r-1")
    assert refusal(IdemReused, lambda: floor.act(register("ben", "20002"), "ada", idem="r-1")) == (
        "Command id r-1: was used for another request. Send the new request under a new id."
    )
    refusal(IdemReused, lambda: floor.act(register("ama", "20001"), "erik", idem="r-1"))
    assert floor.get(Person, "ben") is None


def at_step(floor: Floor, step: str) -> str:
    return floor.upto(floor.dispatched(), step)


@pytest.mark.requirement("D4")
def test_refused_scan_is_evidence_and_moves_no_version(floor: Floor) -> None:
    batch = at_step(floor, "3")
    before = floor.seen(f"batch/{batch}")
    said = refusal(WrongMaterial, lambda: floor.scan(batch, "3", "LA-2291"))
    assert floor.seen(f"batch/{batch}") == before
    [attempt] = floor.get(Refusals, f"batch/{batch}").attempts
    assert (attempt.says, attempt.by, attempt.station, attempt.step) == (
        said, "olga", "kiosk-B1", "3"
    )  # fmt: skip
    assert attempt.command == "weighing.scan-container"


def test_refused_attempt_sent_again_gets_the_same_answer_and_one_record(floor: Floor) -> None:
    batch = at_step(floor, "3")
    command = ScanContainer(batch=batch, step="3", raw="x", lot="LA-2291", container="C01")
    first = refusal(WrongMaterial, lambda: floor.act(command, "olga", idem="s-1"))
    with pytest.raises(Recalled) as again:
        floor.act(command, "olga", idem="s-1")
    assert (str(again.value), again.value.rule) == (first, "WrongMaterial")
    assert again.value.facts["lot"] == "LA-2291"
    assert len(floor.get(Refusals, f"batch/{batch}").attempts) == 1


def test_refusal_that_is_no_evidence_writes_nothing(floor: Floor) -> None:
    batch = floor.dispatched()
    before = floor.size()
    with pytest.raises(Exception, match="step 9 is not the current one"):
        floor.act(CompleteStep(batch=batch, step="9"), "olga")
    assert floor.size() == before


def test_refused_command_changes_none_of_its_streams(floor: Floor) -> None:
    batch = at_step(floor, "3")
    floor.scan(batch, "3", "PV-1107")
    floor.tare(batch, "3")
    lot, state = floor.get(Lot, "PV-1107"), floor.batch(batch)
    refusal(OutOfTolerance, lambda: floor.weigh(batch, "3", "1818.1"))
    assert (floor.get(Lot, "PV-1107"), floor.batch(batch)) == (lot, state)


def test_one_weighing_writes_to_batch_lot_and_scale_together(floor: Floor) -> None:
    batch = at_step(floor, "3")
    floor.scan(batch, "3", "PV-1107")
    floor.tare(batch, "3")
    receipt = floor.weigh(batch, "3", "1800")
    entries = floor.execution.ledger.entries(receipt.first_seq - 1, receipt.count)
    assert [one.stream for one in entries] == [f"batch/{batch}", "lot/PV-1107", "equipment/B1-S1"]
    assert {one.actor for one in entries} == {"olga"}


def test_projection_equals_a_replay_byte_for_byte(floor: Floor) -> None:
    batch = at_step(floor, "5")
    refusal(WrongMaterial, lambda: floor.scan(batch, "5", "LA-2291"))
    floor.upto(batch, None)
    floor.review(batch)
    floor.release(batch)
    ledger = floor.execution.ledger
    assert differences(ledger) == []
    kinds = {row.kind for row in replay(ledger)}
    assert kinds >= {"batch", "lot", "order", "person", "refusal", "equipment", "sequence"}


def test_dropped_projection_is_rebuilt_byte_for_byte(floor: Floor, tmp_path: Path) -> None:
    at_step(floor, "5")
    rows = {row.stream: row.body() for row in replay(floor.execution.ledger)}
    floor.execution.close()
    store = open_store(tmp_path / "plant" / "ledger.db")
    connection = store.connect()
    connection.exec_driver_sql("delete from noun")
    connection.exec_driver_sql("delete from projection")
    connection.commit()
    connection.close()
    store.release()
    prepare(store)
    store.close()
    with open_floor(tmp_path / "plant") as again:
        assert differences(again.execution.ledger) == []
        found = {row.stream: row.body() for row in replay(again.execution.ledger)}
    assert found == rows


def test_plant_goes_on_after_a_restart(floor: Floor, tmp_path: Path) -> None:
    batch = at_step(floor, "4")
    floor.execution.close()
    with open_floor(tmp_path / "plant") as again:
        again.numbers = iter(range(1000, 2000))
        again.upto(batch, "5")
        assert again.batch(batch).run("4").net_g == 2400


@pytest.mark.parametrize(
    "change", [{"read_at": AT.replace(tzinfo=None)}, {"value": 412.5}], ids=["naive", "float"]
)
def test_float_or_naive_time_never_reaches_the_ledger(
    floor: Floor, change: dict[str, object]
) -> None:
    batch = at_step(floor, "3")
    floor.scan(batch, "3", "PV-1107")
    before = floor.size()
    bad = msgspec.structs.replace(reading("412"), **change)
    with pytest.raises(FieldRefused):
        floor.act(RecordTare(batch=batch, step="3", reading=bad), "olga")
    assert floor.size() == before
    floor.tare(batch, "3")


def test_every_command_has_its_rule_and_every_name_is_a_literal() -> None:
    assert set(DECIDERS) == set(COMMANDS)
    assert all("." in name and name == name.lower() for name in {*COMMANDS, *EVENTS})
    assert not set(COMMANDS) & set(EVENTS)
    assert all(kind == noun.kind for kind, noun in NOUNS.items())


def test_two_plants_share_nothing(floor: Floor, seeded_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(seeded_folder, tmp_path / "other")
    with open_floor(tmp_path / "other") as other:
        floor.receive()
        assert other.get(Order, "1000178") is None
        assert other.execution.nouns.all(Order) == []


def test_service_acts_under_its_own_name(floor: Floor) -> None:
    floor.receive()
    [entry] = floor.execution.ledger.stream("order/1000178")
    assert (entry.actor, entry.station) == ("service:erp", None)


def test_comparison_names_stream_field_and_both_values(floor: Floor, tmp_path: Path) -> None:
    at_step(floor, "5")
    ledger = floor.execution.ledger
    assert compare(ledger) == []
    rows = {row.stream: row for row in replay(ledger)}
    lot = rows["lot/LA-2291"]
    changed = lot.body().replace(b'"status":"released"', b'"status":"rejected"')
    assert changed != lot.body()
    with sqlite3.connect(tmp_path / "plant" / "ledger.db") as other:
        other.execute("update noun set body = ? where stream = ?", (changed, lot.stream))
        other.execute("update noun set ver = 99 where stream = 'lot/PV-1107'")
        other.execute("delete from noun where stream = 'person/olga'")
    other.close()
    found = {(one.stream, one.path): (one.stored, one.folded) for one in compare(ledger)}
    assert found["lot/LA-2291", "state.status"] == ('"rejected"', '"released"')
    assert found["lot/PV-1107", "ver"] == ("99", str(rows["lot/PV-1107"].ver))
    assert found["person/olga", "row"] == (None, "there")
    assert {stream for stream, _ in found} == {"lot/LA-2291", "lot/PV-1107", "person/olga"}
    assert differences(ledger) == ["lot/LA-2291", "lot/PV-1107", "person/olga"]
