"""Machine data of a running plant: lines polled, time cut by shift and run, hours sealed."""

import logging
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from capture.collector import Collector, LineSource
from capture.machines import FoldRules, TagMap
from capture.modbus.counter import CounterLimits
from capture.modbus.decode import Tag
from capture.segments import HOUR_US, Edges, Run
from capture.telemetry import Telemetry
from config.calendar import ShiftCalendar, ShiftRows
from config.plant import LineDevice
from core.clock import micros
from core.execution import Actor, Execution
from core.line import Line, SealTelemetry

COLLECTOR = Actor("service:collector")
SEAL_EVERY_S = 20.0
log = logging.getLogger("batchwright.collect")


class Runs:
    """Which batch ran on a line at a moment, from the ledger."""

    def __init__(self, execution: Execution, before: Mapping[str, Sequence[Run]]) -> None:
        self._execution = execution
        self._before = before

    def __call__(self, line: str, at_us: int) -> Run | None:
        """Return the run that holds a moment, else the next one, else None."""
        found = self._execution.nouns.get(Line, line)
        runs = list(self._before.get(line, ()))
        for one in found.runs if found else ():
            runs.append(
                Run(
                    order=one.order,
                    batch=one.batch,
                    sku=one.product,
                    start_us=micros(one.started_at),
                    end_us=None if one.ended_at is None else micros(one.ended_at),
                )
            )
        for run in runs:
            if run.start_us <= at_us and (run.end_us is None or at_us < run.end_us):
                return run
        return None


def tag(item: Any) -> Tag:
    """Return a register as capture reads it."""
    return Tag(address=item.address, kind=item.kind, word_order=item.word_order)


def source(device: LineDevice) -> LineSource:
    """Return a line's source from its device record."""
    tags: dict[str, Any] = {name: tag(item) for name, item in device.tags.items()}
    return LineSource(
        line=device.line,
        host=device.host,
        port=device.port,
        device_id=device.device_id,
        period_s=device.period_ms / 1000,
        tags=TagMap(**tags, reasons={int(code): name for code, name in device.reasons.items()}),
        rules=FoldRules(
            limits=CounterLimits(bits=device.counter_bits, max_per_min=device.max_per_min)
        ),
    )


class Machines:
    """Collector and sealing of one plant, started and stopped together."""

    def __init__(
        self,
        execution: Execution,
        devices: Sequence[LineDevice],
        calendar: ShiftCalendar,
        *,
        data: Path,
        before: Mapping[str, Sequence[Run]] | None = None,
    ) -> None:
        self._execution = execution
        self.telemetry = Telemetry(data)
        edges = Edges(ShiftRows(calendar), Runs(execution, before or {}))
        self.collector = Collector(self.telemetry, [source(one) for one in devices], edges)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._seal, name="sealing", daemon=True)

    def start(self) -> None:
        """Begin to poll and to seal."""
        self.collector.start()
        self._thread.start()

    def stop(self) -> None:
        """Write what is known, then stop."""
        self._stop.set()
        self._thread.join()
        self.collector.stop()
        self.telemetry.close()

    def seal(self) -> int:
        """Seal every hour that is complete; return how many."""
        hours = self.telemetry.sealable_hours()
        for line, hour_us in hours:
            sealed = self.telemetry.seal_hour(line, hour_us)
            command = SealTelemetry(
                line=line,
                segment=sealed.path.name,
                start_us=hour_us,
                end_us=hour_us + HOUR_US,
                rows=sealed.rows,
                sha256=sealed.sha256,
            )
            idem = f"{COLLECTOR.person}:{line}:{sealed.path.name}:{sealed.sha256[:16]}"
            self._execution.submit(command, actor=COLLECTOR, idem=idem)
        return len(hours)

    def _seal(self) -> None:
        while not self._stop.wait(SEAL_EVERY_S):
            try:
                self.seal()
            except Exception:  # a full disk now must not end the sealing for ever
                log.exception("event=seal-broken")
