"""Late entries: ten minutes are in time, more needs a reason, the future is refused."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from core.batch.late import BeforeTheBatch, LateNeedsReason, NotYet
from core.batch.steps import CompleteStep
from core.weighing import RecordWeight
from tests.hands import TARE_G, reading, refusal
from tests.paper import Paper, paper

LATE = "The kiosk was out of order."


def at(step: str) -> tuple[Paper, str]:
    plant = paper()
    batch = plant.upto(plant.dispatched(), step)
    plant.pass_time(hours=1)
    return plant, batch


def done(plant: Paper, batch: str, ago: timedelta, *, reason: str | None = None) -> Any:
    values = {"value": Decimal("1.4")}
    command = CompleteStep(batch=batch, step="9", values=values, happened_at=plant.at - ago)
    return plant.act(command, "olga", reason=reason)


def kinds(plant: Paper, batch: str) -> list[str]:
    return [one.kind for one in plant.batch(batch).exceptions]


@pytest.mark.requirement("C5")
def test_ten_minutes_are_in_time_and_both_times_are_kept() -> None:
    plant, batch = at("9")
    done(plant, batch, timedelta(minutes=10))
    run = plant.batch(batch).run("9")
    assert (run.happened_at, run.performed_at) == (plant.at - timedelta(minutes=10), plant.at)
    assert kinds(plant, batch) == []


@pytest.mark.requirement("C5")
def test_more_is_a_late_entry_with_its_overrun_and_reason() -> None:
    plant, batch = at("9")
    ago = timedelta(minutes=25, seconds=1)
    assert refusal(LateNeedsReason, lambda: done(plant, batch, ago)) == (
        "Step 9: happened at 2026-11-23 07:14:59 CET, 25 min ago; an entry is late after 10 min."
        " Give the reason, or do it again now."
    )
    done(plant, batch, ago, reason=LATE)
    (one,) = plant.batch(batch).exceptions
    assert (one.kind, one.late_by_s) == ("late entry", 1501)
    assert one.says == (
        "Loss on drying: happened at 2026-11-23 07:14:59 CET, recorded at 2026-11-23 07:40:00 CET,"
        " 15 min after the limit of 10 min. The kiosk was out of order."
    )


@pytest.mark.requirement("C5")
def test_one_microsecond_over_the_limit_is_late() -> None:
    plant, batch = at("9")
    refusal(LateNeedsReason, lambda: done(plant, batch, timedelta(minutes=10, microseconds=1)))


@pytest.mark.requirement("C5")
def test_nothing_is_recorded_before_it_happens_but_for_the_clocks() -> None:
    plant, batch = at("9")
    said = refusal(NotYet, lambda: done(plant, batch, timedelta(seconds=-30, microseconds=-1)))
    assert "is ahead of the server's clock" in said
    done(plant, batch, timedelta(seconds=-30))
    assert kinds(plant, batch) == []


@pytest.mark.requirement("C5")
def test_nothing_happened_to_a_batch_that_was_not_there() -> None:
    plant, batch = at("9")
    ago = timedelta(hours=1, seconds=31)
    assert "so nothing happened to it at" in refusal(
        BeforeTheBatch, lambda: done(plant, batch, ago, reason=LATE)
    )


@pytest.mark.requirement("C5")
def test_a_late_value_outside_its_limits_raises_both_exceptions() -> None:
    plant, batch = at("9")
    values, ago = {"value": Decimal(9)}, timedelta(minutes=11)
    command = CompleteStep(batch=batch, step="9", values=values, happened_at=plant.at - ago)
    plant.act(command, "olga", reason=LATE)
    assert [(one.exception, one.kind) for one in plant.batch(batch).exceptions] == [
        ("X1", "late entry"), ("X2", "critical value"),
    ]  # fmt: skip


@pytest.mark.requirement("C5", "D2")
@pytest.mark.parametrize(("minutes", "late"), [(10, False), (11, True)])
def test_an_old_reading_of_a_scale_is_a_late_entry(minutes: int, late: bool) -> None:
    plant, batch = at("3")
    plant.check_scale()
    plant.scan(batch, "3", "PV-1107")
    plant.tare(batch, "3")

    def weigh(read_at: datetime, reason: str | None = None) -> object:
        old = msgspec.structs.replace(reading(1800 + TARE_G), read_at=read_at)
        command = RecordWeight(batch=batch, step="3", reading=old)
        return plant.act(command, "olga", reason=reason)

    read_at = plant.at - timedelta(minutes=minutes)
    if late:
        refusal(LateNeedsReason, lambda: weigh(read_at))
    weigh(read_at, LATE if late else None)
    assert kinds(plant, batch) == (["late entry"] if late else [])
    assert plant.batch(batch).run("3").partials[0].read_at == read_at
