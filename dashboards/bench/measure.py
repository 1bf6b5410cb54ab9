"""A figure with its spread, measured in turns with what it is compared to."""

import os
import platform
import sqlite3
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

NOISY = 2.0  # the same probe, fastest against slowest slice

type Append = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure: the median of its slices, what it is held against, and whether it holds."""

    name: str
    value: float
    unit: str
    against: str
    target: float | None
    holds: bool | None
    low: float
    high: float
    slices: int
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the measure as it is reported."""
        return asdict(self)

    def line(self) -> str:
        """Return the measure as a person reads it."""
        spread = f" [{self.low:g} to {self.high:g}]" if self.slices > 1 else ""
        verdict = {None: "", True: ": holds", False: ": DOES NOT HOLD"}[self.holds]
        target = "" if self.target is None else f", target {self.target:g}"
        return f"{self.name}: {self.value:g}{spread} {self.unit}{target}{verdict}"


def measured(
    name: str,
    found: Sequence[float],
    *,
    unit: str,
    against: str,
    at_least: float | None = None,
    at_most: float | None = None,
    note: str = "",
) -> Measure:
    """Return a measure from its slices; the median is what is held against the target."""
    value = _short(statistics.median(found))
    holds = None
    if at_least is not None:
        holds = value >= at_least
    elif at_most is not None:
        holds = value <= at_most
    return Measure(
        name, value, unit, against, at_most if at_least is None else at_least, holds,
        _short(min(found)), _short(max(found)), len(found), note,
    )  # fmt: skip


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def rate(append: Append, callers: int, each: int) -> float:
    """Return appends per second of so many threads, each waiting for its answer."""
    gate = threading.Barrier(callers + 1)
    faults: list[BaseException] = []

    def call(caller: int) -> None:
        gate.wait()
        try:
            for number in range(each):
                append(f"{caller}.{number}")
        except BaseException as fault:  # told to who measures
            faults.append(fault)

    threads = [threading.Thread(target=call, args=(caller,)) for caller in range(callers)]
    for thread in threads:
        thread.start()
    gate.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return callers * each / (time.perf_counter() - start)


def costed(append: Append, callers: int, each: int, *, cost_us: list[float]) -> float:
    """Return a `rate`, and note the processor time of one append: what others take is not in it."""
    start = time.process_time()
    found = rate(append, callers, each)
    cost_us.append((time.process_time() - start) / (callers * each) * 1e6)
    return found


def in_turns(slices: int, *peers: Callable[[], float]) -> list[list[float]]:
    """Return the rates of peers that take turns, ABAB, so that a slow moment meets all."""
    turns = [[peer() for peer in peers] for _ in range(slices)]
    return [list(found) for found in zip(*turns, strict=True)]


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Return each slice's ratio."""
    return [one / other for one, other in zip(ours, theirs, strict=True)]


def busy_s() -> float:
    """Return the processor time of this process and of those that it started and that ended.

    What others take of the machine is not in it.
    """
    ended = os.times()  # in hundredths of a second, which is too coarse for our own
    return time.process_time() + ended.children_user + ended.children_system


def is_noisy(probe: Sequence[float]) -> bool:
    """Whether the raw disk itself was not steady, or others use the machine."""
    busy = os.getloadavg()[0] > (os.cpu_count() or 1) if hasattr(os, "getloadavg") else False
    return busy or max(probe) > NOISY * min(probe)


def machine() -> dict[str, Any]:
    """Return what a figure depends on besides us."""
    return {
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }
