"""Figures about the program itself: `faults`, `bench`."""

import json
from pathlib import Path
from secrets import randbelow
from typing import Annotated

import typer

from core.errors import MesError
from dashboards.cli.terminal import give_up, say

app = typer.Typer()
bench = typer.Typer(no_args_is_help=True, help="Figures, measured against peers in one run.")
app.add_typer(bench, name="bench")


@app.command()
def faults(
    *,
    quick: Annotated[bool, typer.Option("--quick", help="few trials, under a minute")] = False,
    report: Annotated[Path | None, typer.Option("--json", help="write the counts")] = None,
    seed: Annotated[int | None, typer.Option(help="repeat a run; else a fresh one")] = None,
    only: Annotated[str | None, typer.Option(help="one harness, by its short name")] = None,
) -> None:
    """Break the ledger on purpose; count what it does not survive or does not see."""
    from dashboards.faults.run import HARNESSES, run_all

    names = [one.name for one in HARNESSES]
    if only is not None and only not in names:
        raise give_up(f"{only}: no such harness. Name one of {', '.join(names)}.")
    chosen = randbelow(2**31) if seed is None else seed
    say(f"seed {chosen}")
    found = run_all(chosen, say, quick=quick, only=only)
    if report is not None:
        report.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    raise typer.Exit(0 if found["holds"] else 1)


@bench.command("ledger")
def bench_ledger(
    *,
    report: Annotated[Path | None, typer.Option("--json", help="write the measures")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="few slices, small logs")] = False,
    postgres: Annotated[str | None, typer.Option(help="URL of an empty database")] = None,
    data: Annotated[Path | None, typer.Option(help="rebuild this plant's entries")] = None,
) -> None:
    """Measure the ledger against the raw disk and its peers, as ratios in one run."""
    from dashboards.bench.ledger import FULL, QUICK
    from dashboards.bench.ledger import bench as run

    try:
        found = run(say, size=QUICK if quick else FULL, postgres=postgres, data=data)
    except MesError as fault:
        raise give_up(fault) from fault
    if report is not None:
        report.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


@bench.command("record")
def bench_record(
    *,
    report: Annotated[Path | None, typer.Option("--json", help="write the measures")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="few pages, few slices")] = False,
) -> None:
    """Measure a batch record of a hundred pages: drawn, set as PDF/A, sealed twice."""
    from dashboards.bench.record import bench as run

    found = run(say, quick=quick)
    if report is not None:
        report.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


@bench.command("erp")
def bench_erp(
    *,
    report: Annotated[Path | None, typer.Option("--json", help="write the measures")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="few slices, few messages")] = False,
) -> None:
    """Measure what the relay adds to the ERP's own time, a draining backlog, and the match."""
    from dashboards.bench.boundary import FULL, QUICK
    from dashboards.bench.boundary import bench as run

    found = run(say, size=QUICK if quick else FULL)
    if report is not None:
        report.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
