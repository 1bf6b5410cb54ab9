"""The projector: follows, recomputes only what is touched, and builds the same again."""

import time
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from analytics.facts import READERS
from analytics.oee import check_sums, oee
from analytics.rules import HOUR_US, MINUTE_US
from core.batch.events import WeightRecorded
from core.catalogue import EVENTS
from tests.analytics_plant import DAY, SIX, Open, Plant, minutes

MIN = MINUTE_US
WEIGHT: dict[str, Any] = {
    "batch": "B1", "step": "s1", "material": "LACTOSE", "lot": "L-1", "container": "C1",
    "scale": "SC1", "net_g": "1000.500", "gross_g": "1100.500", "tare_g": "100.000",
    "sum_g": "1000.500", "target_g": "1000", "low_g": "990", "high_g": "1010",
    "within": True, "last": True,
}  # fmt: skip


def filled() -> Plant:
    """Return a plant with a shift of machine time and some entries."""
    plant = Plant()
    machines = plant.machines
    machines.state("execute", minutes(0), minutes(100))
    machines.state("held", minutes(100), minutes(300), reason="jam")
    machines.state("unknown", minutes(300), minutes(400))
    machines.state("execute", minutes(400), minutes(500), order="O2", sku="Y")
    machines.pieces(80, 3, minutes(40))
    plant.book.add("weighing.weight-recorded", WEIGHT)
    plant.book.label(minutes(110), None, "cleaning")
    return plant


def test_rebuild_gives_the_same_tables() -> None:
    plant = filled()
    plant.projector.catch_up()
    before = plant.projector.hashes()
    plant.projector.rebuild()
    assert plant.projector.hashes() == before


def test_piecemeal_reading_gives_the_same_tables_as_one_reading() -> None:
    whole, slow = filled(), Plant()
    for row in whole.machines.intervals:
        slow.machines.intervals.append(row)
        slow.projector.catch_up()
    for entry in whole.book.written:
        slow.book.written.append(entry)
        slow.projector.catch_up()
    slow.machines.produced += whole.machines.produced
    slow.projector.catch_up()
    whole.projector.catch_up()
    assert slow.projector.hashes() == whole.projector.hashes()


def test_late_intervals_and_labels_give_the_same_tables_in_any_order() -> None:
    whole, late = filled(), Plant()
    whole.projector.catch_up()
    late.book.written += whole.book.written
    late.projector.catch_up()
    rows = whole.machines.intervals
    for number, row in enumerate([*rows[5:], *reversed(rows[:5])], 1):
        late.machines.intervals.append((number, *row[1:]))
        late.projector.catch_up()
    late.machines.produced += whole.machines.produced
    late.projector.catch_up()
    computed = ("piece", "hour_time", "hour_count", "hour_last", "line_span", "stop_label")
    one, other = whole.projector.hashes(), late.projector.hashes()
    assert {name: one[name] for name in computed} == {name: other[name] for name in computed}
    with late.reader() as reader:
        assert check_sums(reader) == []


def test_only_touched_hours_are_written_again() -> None:
    plant = filled()
    plant.projector.catch_up()
    with plant.projector.reader() as reader:
        reader.execute("rollback")
        reader.execute("update base.hour_time set stops = 77 where hour_us = ?", [minutes(0)])
    plant.machines.pieces(1, 0, minutes(450))
    rows = plant.rows("select hour_us, max(stops) from base.hour_time group by 1 order by 1")
    assert rows[0][1] == 77
    assert all(stops < 77 for _, stops in rows[1:])


def test_open_stretch_replaces_itself() -> None:
    plant = Plant()
    for seen in (1, 2, 61, 62):
        since = 0 if seen < 60 else 60
        if seen == 61:
            plant.machines.state("execute", minutes(0), minutes(60))
        plant.machines.opened = [
            Open(
                "L1", "execute", minutes(since), minutes(seen), minutes(since), "early",
                DAY.isoformat(), None, "O1", "B-O1", "X",
            )
        ]  # fmt: skip
        plant.now_us = minutes(seen)
        with plant.reader() as reader:
            [row] = oee(reader)
            assert (row.run_us, row.planned_us) == (seen * MIN, seen * MIN)


def test_weights_stay_exact_decimals() -> None:
    plant = filled()
    [(net_g, error_g, within)] = plant.rows("select net_g, error_g, within from weighing")
    assert (net_g, error_g, within) == (Decimal("1000.5"), Decimal("0.5"), True)
    assert isinstance(net_g, Decimal)


@pytest.mark.parametrize(("text", "faults"), [("0.123456789", 0), ("0.1234567891", 1)])
def test_quantity_that_does_not_fit_is_a_fault_and_not_rounded(text: str, faults: int) -> None:
    plant = Plant()
    plant.book.add("weighing.weight-recorded", {**WEIGHT, "net_g": text})
    assert len(plant.rows("select * from base.fault")) == faults
    assert len(plant.rows("select seq from weighing")) == 1 - faults
    assert plant.projector.watermark.seq == 1


def test_entry_of_an_unknown_type_is_counted_and_nothing_else() -> None:
    plant = Plant()
    plant.book.add("moon.risen", {"x": 1}, stream="moon/1")
    assert plant.rows("select type from base.entry") == [("moon.risen",)]
    assert plant.rows("select * from base.fault") == []


def test_a_reader_sees_one_state_until_it_closes() -> None:
    plant = filled()
    with plant.reader() as reader:
        plant.book.add("weighing.weight-recorded", WEIGHT)
        plant.projector.catch_up()
        assert reader.execute("select count(*) from weighing").fetchall() == [(1,)]
        assert reader.execute("select seq from as_of").fetchall() == [(2,)]
    assert plant.rows("select seq from as_of") == [(3,)]


def test_a_reader_cannot_write() -> None:
    with filled().reader() as reader, pytest.raises(Exception, match="read-only"):
        reader.execute("delete from base.entry")


def test_thread_follows_and_can_be_woken() -> None:
    plant = filled()
    plant.projector.start()
    try:
        plant.book.add("weighing.weight-recorded", WEIGHT)
        plant.projector.wake()
        assert plant.projector.wait_for(3)
        started = time.monotonic()
        assert not plant.projector.wait_for(4, timeout_s=0.05)
        assert time.monotonic() - started < 5
    finally:
        plant.projector.stop()
    assert plant.projector.fault is None


def test_label_of_a_person_covers_until_the_line_runs_again() -> None:
    plant = filled()
    found = plant.rows(
        "select category, reason, labeled_by, sum(duration_us) from state_interval"
        " where category not in ('run', 'unknown') group by all order by min(start_us)"
    )
    assert found == [
        ("other", "jam", "machine", 10 * MIN),
        ("cleaning", "cleaning", "person", 190 * MIN),
    ]
    plant.book.label(minutes(200), minutes(210), "breakdown", reason="belt torn")
    [(us,)] = plant.rows("select sum(duration_us) from state_interval where reason = 'belt torn'")
    assert us == 10 * MIN


def test_first_hours_before_the_first_record_claim_nothing() -> None:
    plant = Plant()
    plant.machines.state("execute", minutes(100), minutes(200))
    with plant.reader() as reader:
        [row] = oee(reader)
    assert (row.planned_us, row.unknown_us) == (100 * MIN, 0)
    assert SIX % HOUR_US == 0


def test_compacting_changes_nothing() -> None:
    plant = filled()
    plant.projector.catch_up()
    before = plant.projector.hashes()
    plant.projector._compact()
    assert plant.projector.hashes() == before
    plant.machines.pieces(1, 0, minutes(20))
    assert plant.rows("select sum(pq) from line_hour") == [(84,)]


def test_every_entry_type_that_is_read_is_one_of_the_catalogue() -> None:
    assert set(READERS) <= set(EVENTS)
    fields = {field.encode_name for field in msgspec.structs.fields(WeightRecorded)}
    assert set(WEIGHT) <= fields


def test_open_stretch_that_only_grew_waits_its_turn() -> None:
    plant = Plant()
    slow = plant.project(open_every_s=60)
    keys = (minutes(0), "early", DAY.isoformat())
    plant.machines.opened = [Open("L1", "execute", minutes(0), minutes(1), *keys)]
    slow.catch_up()
    plant.machines.opened = [Open("L1", "execute", minutes(0), minutes(2), *keys)]
    slow.catch_up()
    with slow.reader() as reader:
        assert oee(reader, ())[0].run_us == MIN
