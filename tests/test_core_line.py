"""Lines: what runs on them, what is said of their stops, and what seals their data."""

from __future__ import annotations

import pytest

from core.batch.state import BatchState
from core.clock import micros
from core.errors import WrongState
from core.fact import Recorded
from core.line import (
    KEPT,
    LabelStop,
    Line,
    NoSegment,
    NoSpan,
    RunEnded,
    RunStarted,
    SealTelemetry,
    StartRun,
    Telemetry,
    apply,
)
from core.release import RejectBatch
from tests.hands import AT, refusal
from tests.paper import paper

NOW = micros(AT)
HOUR = 3_600_000_000


def fact(event: RunStarted | RunEnded, seq: int) -> Recorded:
    return Recorded(event, "line/L1", seq, seq, AT, "sana", None)


def label(start_us: int, end_us: int | None = None) -> LabelStop:
    return LabelStop(line="L1", start_us=start_us, end_us=end_us, reason="jam", category="stop")


@pytest.mark.requirement("J4")
def test_stop_is_a_span_that_has_begun() -> None:
    plant = paper()
    for odd in (label(-1), label(NOW + 1), label(NOW - 5, NOW - 5), label(NOW - 5, NOW - 6)):
        said = refusal(NoSpan, lambda odd=odd: plant.act(odd, "olga"))
        assert said.endswith("Choose the stop on the time line again.")
    for good in (label(NOW), label(NOW - 5, NOW - 4), label(0)):
        plant.act(good, "olga")


@pytest.mark.requirement("J4")
def test_rejected_batch_runs_on_no_line() -> None:
    plant = paper()
    batch = plant.upto(plant.dispatched(), "11")
    reject = RejectBatch(batch=batch, why="Spilled.", seen=plant.seen(f"batch/{batch}"))
    plant.sign(reject, "quinn")
    assert plant.batch(batch).state is BatchState.REJECTED
    assert refusal(WrongState, lambda: plant.act(StartRun(line="L1", batch=batch), "sana")) == (
        "Batch B26-0001: is rejected, must be not rejected. Put its material aside."
    )
    assert plant.get(Line, "L1") is None or plant.get(Line, "L1").running is None


@pytest.mark.requirement("J4")
def test_line_keeps_its_newest_runs_and_no_more() -> None:
    line: Line | None = None
    for number in range(1, KEPT + 2):
        made = RunStarted(line="L1", order="1", batch=f"B{number}", product="P")
        for event in (made, RunEnded(line="L1", batch=f"B{number}")):
            line = apply(line, fact(event, number))
        assert line is not None
        first = max(1, number + 1 - KEPT)
        kept = [f"B{one}" for one in range(first, number + 1)]
        assert [one.batch for one in line.runs] == kept
        assert line.runs[-1].ended_at == AT


@pytest.mark.parametrize(
    "change",
    [{"end_us": NOW}, {"start_us": -1}, {"rows": -1}, {"sha256": "ab"}, {"sha256": "AB" * 32}],
)
def test_seal_commits_to_something(change: dict[str, object]) -> None:
    plant = paper()
    fields: dict[str, object] = {
        "line": "L1", "segment": "h.parquet", "start_us": NOW, "end_us": NOW + HOUR, "rows": 0,
        "sha256": "ab" * 32,
    }  # fmt: skip
    refusal(NoSegment, lambda: plant.act(SealTelemetry(**fields | change), "service:collector"))
    plant.act(SealTelemetry(**fields), "service:collector")
    assert plant.get(Telemetry, "L1").segments == 1
