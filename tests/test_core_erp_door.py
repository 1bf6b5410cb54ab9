"""The door of an ERP that polls us: an alert once per time it is shut, and none before."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.erp_door import DoorLocked, ErpDoor, RecordDoorLocked, TooFewFailures, decide
from core.fact import Context
from core.people import FAILURES_UNTIL_LOCK
from tests.hands import AT, refusal
from tests.paper import paper

UNTIL = AT + timedelta(seconds=60)
CONTEXT = Context(at=AT, actor="service:erp-door", station=None, idem="d-1", zone="UTC")


def locked(failures: int) -> RecordDoorLocked:
    return RecordDoorLocked(door="quickbooks", failures=failures, until=UNTIL)


@pytest.mark.requirement("K3")
def test_the_fifth_refused_try_is_an_alert_and_the_fourth_is_none() -> None:
    [fact] = decide(paper(), locked(FAILURES_UNTIL_LOCK), CONTEXT)
    assert fact.stream == "erp-door/quickbooks"
    assert fact.event == DoorLocked(door="quickbooks", failures=5, until=UNTIL)
    said = refusal(
        TooFewFailures, lambda: decide(paper(), locked(FAILURES_UNTIL_LOCK - 1), CONTEXT)
    )
    assert said == (
        "Door quickbooks: 4 refused tries, it is shut from 5 on. Nothing is to be recorded."
    )


@pytest.mark.requirement("K3")
def test_a_door_counts_how_often_it_was_shut() -> None:
    plant = paper()
    for failures in (5, 6):
        plant.act(locked(failures), "service:erp-door")
    assert plant.get(ErpDoor, "quickbooks") == ErpDoor(
        door="quickbooks", locked_until=UNTIL, times=2
    )
