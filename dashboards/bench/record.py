"""`batchwright bench record`: a batch record of a hundred pages, drawn, set as PDF/A and sealed."""

import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.batch_record.model import (
    FORM,
    BatchRecord,
    CheckpointShown,
    Deed,
    Header,
    Limits,
    Signature,
    StepRecord,
    Weighing,
    record_json,
)
from core.batch_record.steps import amount
from core.ledger.checkpoint import sign
from dashboards.bench.appends import AT, KEY, Say
from dashboards.bench.measure import Measure, is_noisy, machine, measured
from dashboards.bench.peers import body_of
from dashboards.record.draw import drawn
from dashboards.record.layout import layout
from dashboards.record.seal import Seal, pages
from dashboards.record.typeset import Attached, Copy, pdf

STEPS, QUICK_STEPS = 225, 25  # about 100 and 12 pages
ENTRIES = 1000
SET_S, SEAL_S = 3.0, 0.5
START = AT


def long_record(steps: int) -> BatchRecord:
    """Return a record with so many weigh steps, each weighed twice, verified and signed."""
    checkpoint = sign(KEY, ENTRIES, bytes(range(32)))
    whole: dict[str, Any] = dict.fromkeys(
        ("materials", "exceptions", "deviations", "amendments", "attempts", "risks", "yields",
         "labels", "gates", "rules", "completeness", "revisions", "prints"), ()
    )  # fmt: skip
    return BatchRecord(
        form=FORM,
        header=_header(),
        steps=tuple(_step(number) for number in range(1, steps + 1)),
        signatures=(*(_signature(number) for number in range(1, steps + 1)), _signature(0)),
        checkpoint=CheckpointShown(
            size=checkpoint.size, root=checkpoint.root.hex(), note=checkpoint.note
        ),
        **whole,
    )


def _header() -> Header:
    return Header(
        batch="B26-0001", state="released", stands="released", changed=(), product="P",
        product_name="product of the bench", size=amount(Decimal(60), "kg"), pieces=100_000,
        order="1", order_quantity=None, erp_order=None, recipe="P@1", recipe_sha256="ab" * 32,
        room="B1", created_at=START, started_at=START, completed_at=START, decided_at=START,
        zone="Europe/Berlin", entries=ENTRIES, head="cd" * 32,
    )  # fmt: skip


def _deed(person: str, number: int) -> Deed:
    at = START + timedelta(minutes=number)
    return Deed(by=person, name=f"{person.title()} Bench", at=at, entry=number)


def _step(number: int) -> StepRecord:
    at = START + timedelta(minutes=number)
    low, high, net = (amount(Decimal(value), "g") for value in (990, 1010, 1000))
    return StepRecord(
        light="green", says="complete", step=str(number), phase="dispensing",
        title=f"Weigh material {number}", instruction="Scan a container, tare, weigh into it.",
        kind="weigh", state="complete", equipment="B1", material=f"M-{number:04d}",
        started_at=at, completed_at=at, limits=Limits(low=low, high=high, target=net, within=True),
        net=net, values={}, weighings=(_weighing(number, 1), _weighing(number, 2)),
        performed=_deed("olga", number), verification_asked=True, verified=_deed("viktor", number),
        deviation=None, late=None, corrections=(), redone=(), asked=None,
    )  # fmt: skip


def _weighing(number: int, part: int) -> Weighing:
    half = Decimal(500) + number % 3
    return Weighing(
        lot=f"L-{number:04d}", container=f"C{part:02d}", gross=amount(half + 412, "g"),
        tare=amount(Decimal(412), "g"), net=amount(half, "g"), scale="B1-S1", certificate="CAL-1",
        raw=f"S S   {half + 412} g", by="olga", name="Olga Bench",
        at=START + timedelta(minutes=number), entry=2 * number + part,
    )  # fmt: skip


def _signature(number: int) -> Signature:
    return Signature(
        name="Viktor Bench", person="viktor", meaning="I verify that this step was done as written",
        words=f"Batch B26-0001, step {number}, Weigh material {number}: net 1.000 kg.",
        comment="", components=("badge", "secret"), seals=None if number else "releaser",
        at=START + timedelta(minutes=number), zone="Europe/Berlin", record="batch/B26-0001",
        version=number + 1, step=str(number) if number else None, entry=number + 1,
    )  # fmt: skip


def bench(say: Say, *, quick: bool = False) -> dict[str, Any]:
    """Measure, say each figure as it is there, and return the report."""
    slices = 2 if quick else 5
    record = long_record(QUICK_STEPS if quick else STEPS)
    lines = [body_of(seq, "batch/B26-0001", ver=seq, prev="ab" * 32) for seq in range(2, ENTRIES)]
    entries = b"\n".join(lines).decode("utf-8")
    inside = (
        Attached(name="entries.jsonl", text=entries, kind="source", mime="application/x-ndjson",
                 says="The entries."),
        Attached(name="record.json", text=record_json(record).decode("utf-8"), kind="data",
                 mime="application/json", says="The values."),
    )  # fmt: skip
    copy = Copy(number=1, by="bench", at=START)
    with tempfile.TemporaryDirectory(prefix="batchwright-bench-") as name:
        seal = Seal(Path(name), "bench")
        made = pdf(record, copy, inside)
        sealed = seal.put(lambda _: made, record, "copy 1").body  # makes the certificates
        note = f"{pages(made)} pages, {len(made)} bytes, {len(sealed)} sealed"
        draws = _times(lambda: drawn(layout(record, str)), slices)
        sets = _times(lambda: pdf(record, copy, inside), slices)
        seals = _times(lambda: seal.put(lambda _: made, record, "copy 1"), slices)
    found = [
        *_measures("record drawn as a page", draws, note=note),
        *_measures("record set as PDF/A-3", sets, note=note, at_most=SET_S),
        *_measures("two PAdES signatures on it", seals, note=note, at_most=SEAL_S),
    ]
    for one in found:
        say(one.line())
    say(note)
    probe = [1 / took for took, _ in sets]
    return {
        "machine": machine(),
        "noisy": is_noisy(probe),
        "probe": {"low": 1 / max(probe), "high": 1 / min(probe), "unit": "s to set"},
        "left_out": [],
        "measures": [one.as_json() for one in found],
    }


def _measures(
    name: str, found: list[tuple[float, float]], *, note: str, at_most: float | None = None
) -> list[Measure]:
    """Return how long it took, and how much of that was this program's own work."""
    took, worked = zip(*found, strict=True)
    return [
        measured(name, took, unit="s", against="", at_most=at_most, note=note),
        measured(
            f"{name}, processor time", worked, unit="s",
            against="the same turns: what others took of the machine is left out",
        ),
    ]  # fmt: skip


def _times(work: Callable[[], object], slices: int) -> list[tuple[float, float]]:
    found = []
    for _ in range(slices):
        begun, busy = time.perf_counter(), time.process_time()
        work()
        found.append((time.perf_counter() - begun, time.process_time() - busy))
    return found
