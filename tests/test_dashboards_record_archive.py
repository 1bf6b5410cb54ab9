"""The archive: closes each record that is decided, once, and what it could not close at a start."""

from __future__ import annotations

import logging

import pytest

from core.authority import AdoptAuthority, PlantRules
from core.ledger.entry import Entry
from core.record_print import Closing, Prints
from dashboards.record.closing import Archive, closed_json
from tests.floor import Floor
from tests.hands import ORDER, PACK
from tests.patience import eventually


def released(floor: Floor, order: str = ORDER) -> str:
    batch = floor.upto(floor.dispatched(order), None)
    floor.review(batch)
    floor.release(batch)
    return batch


def closings(floor: Floor, batch: str) -> tuple[Closing, ...]:
    prints = floor.get(Prints, batch)
    return () if prints is None else prints.closings


def decision(floor: Floor, batch: str) -> Entry:
    return next(
        one for one in floor.execution.ledger.stream(f"batch/{batch}") if one.type == "batch.closed"
    )


def without(floor: Floor, *names: str) -> AdoptAuthority:
    rules = floor.get(PlantRules, PACK.id)
    kept = {name: roles for name, roles in PACK.authority.matrix.items() if name not in names}
    return AdoptAuthority(plant=rules.plant, zone=rules.zone, matrix=kept)


@pytest.mark.requirement("I4")
def test_record_that_was_decided_before_the_start_is_closed_at_the_start(floor: Floor) -> None:
    batch = released(floor)
    assert closings(floor, batch) == ()
    archive = Archive(floor.execution)
    archive.start()
    eventually(lambda: closings(floor, batch))
    archive.stop()
    [closing] = closings(floor, batch)
    assert (closing.revision, closing.size) == (1, decision(floor, batch).seq)
    assert closing.by == "service:archive"
    assert closed_json(floor.execution.ledger, batch, 1)


@pytest.mark.requirement("I4")
def test_decision_that_is_heard_closes_the_record_once_however_often_it_is_heard(
    floor: Floor,
) -> None:
    archive = Archive(floor.execution)
    archive.start()
    batch = released(floor)
    for entry in floor.execution.ledger.stream(f"batch/{batch}"):
        archive.heard(entry)  # all others are no decision
    eventually(lambda: closings(floor, batch))
    for _ in range(3):
        archive.heard(decision(floor, batch))
    archive.stop()
    again = Archive(floor.execution)
    again.start()
    again.stop()
    assert [one.revision for one in closings(floor, batch)] == [1]


def test_what_was_heard_before_the_stop_is_closed_by_it(floor: Floor) -> None:
    archive = Archive(floor.execution)
    batch = released(floor)
    archive.heard(decision(floor, batch))
    archive.start()
    archive.stop()
    assert len(closings(floor, batch)) == 1


def test_record_that_cannot_be_closed_is_said_in_the_log_and_tried_at_the_next_start(
    floor: Floor, caplog: pytest.LogCaptureFixture
) -> None:
    batch = released(floor)
    floor.act(without(floor, "batch.close-record"), "quinn", station="office")
    archive = Archive(floor.execution)
    with caplog.at_level(logging.ERROR, "batchwright.record"):
        archive.start()
        archive.heard(decision(floor, batch))  # the thread goes on after a fault
        archive.stop()
    said = [one.getMessage() for one in caplog.records if one.name == "batchwright.record"]
    assert said == [f"event=record-not-closed batch={batch}"] * 2
    assert closings(floor, batch) == ()
    floor.act(without(floor), "quinn", station="office")
    later = Archive(floor.execution)
    later.start()
    later.stop()
    assert len(closings(floor, batch)) == 1
