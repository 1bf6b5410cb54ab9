"""The telemetry store: append-only, without overlap, sealed hour by hour."""

import gzip
import hashlib
import json
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

from capture.segments import HOUR_US
from capture.telemetry import IntervalRow, ProducedRow, Telemetry
from tests.capture_lines import (
    START,
    Clock,
    S,
    collector,
    seen,
    slot,
)


@pytest.mark.requirement("J3")
def test_rows_are_append_only_and_intervals_never_overlap(tmp_path: Path) -> None:
    store = Telemetry(tmp_path)
    store.write(
        intervals=[IntervalRow(slot=slot(START, START + 10 * S), state="execute")],
        produced=[
            ProducedRow(slot=slot(START, START + S), at_us=START, good=1, scrap=0, estimated=False)
        ],
    )
    for start, end in ((START + 9 * S, START + 11 * S), (START - S, START + 1), (START, START + S)):
        with pytest.raises(IntegrityError, match="must not overlap"):
            store.write(intervals=[IntervalRow(slot=slot(start, end), state="held")])
    store.write(intervals=[IntervalRow(slot=slot(START + 10 * S, START + 11 * S), state="held")])
    other = slot(START, START + S, line="L2")
    store.write(intervals=[IntervalRow(slot=other, state="held")])
    engine = create_engine(f"sqlite:///{store.path}")
    for statement in ("UPDATE interval SET state = 'x'", "DELETE FROM produced"):
        with engine.connect() as connection, pytest.raises(IntegrityError, match="append-only"):
            connection.execute(text(statement))
    engine.dispose()
    assert [row[2] for row in store.intervals_after(0)] == ["execute", "held", "held"]
    assert [row[0] for row in store.intervals_after(1, limit=1)] == [2]
    store.close()


def test_columns_are_the_ones_that_readers_rely_on(tmp_path: Path) -> None:
    store = Telemetry(tmp_path)
    keyed = slot(START, START + S, order="1000178", batch="B26-0178", sku="PARA500")
    store.write(
        intervals=[IntervalRow(slot=keyed, state="held", reason="jam")],
        produced=[ProducedRow(slot=keyed, at_us=START, good=9, scrap=1, estimated=True)],
    )
    keys = (START, "s0", "2026-11-23", "1000178", "B26-0178", "PARA500")
    assert store.intervals_after(0) == [(1, "L1", "held", "jam", START, START + S, *keys, "modbus")]
    assert store.produced_after(0) == [(1, "L1", START, 9, 1, True, *keys)]
    store.close()


def test_sealed_hour_is_the_same_bytes_again_and_holds_every_row(tmp_path: Path) -> None:
    store, clock = Telemetry(tmp_path), Clock()
    lines = collector(store, clock)
    for step in range(0, 61):
        clock.at_us = START + step * 60 * S
        lines.take("L1", seen(clock.at_us, "execute" if step % 7 else "held", step * 100))
        lines.flush(counts=True)
        assert not store.sealable_hours() or step == 60
    lines.take("L1", seen(clock.at_us + S, "execute", 6_000))
    clock.at_us += 2 * S
    lines.flush(counts=True)
    assert store.sealable_hours() == [("L1", START)]
    sealed = store.seal_hour("L1", START)
    assert sealed == store.seal_hour("L1", START)
    assert store.sealable_hours() == []
    body = sealed.path.read_bytes()
    assert body[4:8] == bytes(4)  # no date inside
    assert hashlib.sha256(body).hexdigest() == sealed.sha256
    rows = [json.loads(line) for line in gzip.decompress(body).splitlines()]
    assert len(rows) == sealed.rows
    covered = sum(r["end_us"] - r["start_us"] for r in rows if r["table"] == "interval")
    assert covered == HOUR_US
    assert sum(r["good"] for r in rows if r["table"] == "produced") == 6_000
    late = ProducedRow(slot=slot(START, START + S), at_us=START, good=1, scrap=0, estimated=True)
    store.write(produced=[late])
    again = store.seal_hour("L1", START)
    assert again.path.name.endswith("-r2.jsonl.gz")
    assert sealed.path.read_bytes() == body
    store.close()


def test_hour_stays_open_while_its_count_may_still_come(tmp_path: Path) -> None:
    store, clock = Telemetry(tmp_path), Clock()
    lines = collector(store, clock)
    lines.take("L1", seen(START, "execute", 0))
    for minute in range(1, 130):
        clock.at_us = START + minute * 60 * S
        lines.take("L1", seen(clock.at_us, None))
        lines.flush(counts=True)
    assert store.current()[0][2] == START + 2 * HOUR_US
    assert store.sealable_hours() == []
    lines.take("L1", seen(clock.at_us, "execute", 1_300))
    clock.at_us += S
    lines.flush(counts=False)
    assert store.sealable_hours() == []
    lines.flush(counts=True)
    assert store.sealable_hours() == [("L1", START), ("L1", START + HOUR_US)]
    made = [(row[6], row[3], row[5]) for row in store.produced_after(0)]
    assert sum(good for _, good, _ in made) == 1_300
    assert {hour for hour, _, _ in made} == {START + n * HOUR_US for n in range(3)}
    assert all(estimated for _, _, estimated in made)
    store.close()


def test_name_of_a_line_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    store = Telemetry(tmp_path)
    store.write(intervals=[IntervalRow(slot=slot(START, START + S, line="../x"), state="held")])
    sealed = store.seal_hour("../x", START)
    assert sealed.path.resolve().is_relative_to(tmp_path / "telemetry")
    store.close()
