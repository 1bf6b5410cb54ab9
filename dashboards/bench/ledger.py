"""`batchwright bench ledger`: every figure of the ledger with its peer, in one run."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from dashboards.bench import appends, proofs, slow_disk
from dashboards.bench.appends import Say
from dashboards.bench.measure import Measure, is_noisy, machine
from dashboards.faults.postgres import fresh_database, postgres_running
from dashboards.faults.trial import NotRun


class Size(NamedTuple):
    """How much is measured."""

    slices: int
    alone: int
    each: int
    verify: int
    rebuild: int
    warm: int = 1


FULL = Size(slices=16, alone=150, each=40, verify=200_000, rebuild=1_000_000, warm=4_200)
QUICK = Size(slices=3, alone=60, each=8, verify=20_000, rebuild=5_000)


def bench(
    say: Say, *, size: Size, postgres: str | None = None, data: Path | None = None
) -> dict[str, Any]:
    """Measure everything, say each figure as it is there, and return the report."""
    found: list[Measure] = []
    left_out: list[str] = []

    def leave_out(line: str) -> None:
        left_out.append(line)
        say(line)

    with tempfile.TemporaryDirectory(prefix="batchwright-bench-") as name:
        scratch = Path(name)
        first, probe = appends.alone(scratch, slices=size.slices, each=size.alone, warm=size.warm)
        noisy = is_noisy(probe)
        for one in _measures(first, scratch, leave_out, size=size, postgres=postgres, data=data):
            found.append(one)
            say(one.line())
    if noisy:
        say(
            f"NOISY machine: the raw disk made {min(probe):.0f} to {max(probe):.0f} syncs a second."
        )
    return {
        "machine": machine(),
        "noisy": noisy,
        "probe": {"low": round(min(probe)), "high": round(max(probe)), "unit": "syncs/s"},
        "left_out": left_out,
        "measures": [one.as_json() for one in found],
    }


def _measures(
    first: list[Measure],
    scratch: Path,
    leave_out: Say,
    *,
    size: Size,
    postgres: str | None,
    data: Path | None,
) -> Iterator[Measure]:
    yield from first
    yield from appends.sqlite_measures(scratch, leave_out, slices=size.slices, each=size.each)
    try:
        with _postgres(postgres) as url:
            yield from appends.postgres_measures(
                url, scratch, leave_out, slices=size.slices, each=size.each
            )
    except NotRun as fault:
        leave_out(f"left out, {fault} Or name an empty database with --postgres URL.")
    yield from slow_disk.measures(
        scratch, leave_out, slices=min(size.slices, 6), each=max(1, size.each // 4)
    )
    yield from proofs.verifying(scratch, size=size.verify, slices=min(size.slices, 5))
    yield proofs.batch_bundle(scratch, entries=200, slices=size.slices)
    yield from proofs.rebuild(scratch, data, size=size.rebuild, slices=min(size.slices, 3))


@contextmanager
def _postgres(url: str | None) -> Iterator[str]:
    """Give the database that was named, or an empty one of a server that we start.

    Raises:
        NotRun: none is named, and none can be started.
    """
    if url is not None:
        yield url
        return
    with postgres_running(on_disk=True) as server, fresh_database(server) as own:
        yield own
