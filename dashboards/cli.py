"""The command line: `batchwright serve | demo | export | verify | rebuild | erp`."""

import json
import sys
from pathlib import Path
from secrets import randbelow
from typing import Annotated, Any

import typer

from config.faults import PackFaulty
from config.load import load_plant
from config.settings import Settings
from core import verify as stand_alone
from core.errors import MesError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
erp = typer.Typer(no_args_is_help=True, help="The boundary to the ERP.")
app.add_typer(erp, name="erp")
bench = typer.Typer(no_args_is_help=True, help="Figures, measured against peers in one run.")
app.add_typer(bench, name="bench")

Data = Annotated[Path, typer.Option("--data", help="the plant's data folder")]


def say(line: str) -> None:
    """Print one line for the person at the terminal, at once."""
    typer.echo(line)
    sys.stdout.flush()


def give_up(sentence: object) -> typer.Exit:
    """Print a refusal and return the exit to raise."""
    typer.echo(str(sentence), err=True)
    return typer.Exit(1)


@app.command()
def demo(
    *,
    plant: Annotated[str, typer.Option(help="which plant pack")] = "tablets",
    data: Annotated[Path, typer.Option(help="where its data goes")] = Path(".batchwright/demo"),
    port: Annotated[int, typer.Option(help="web port; 0 takes a free one")] = 8000,
    reset: Annotated[bool, typer.Option("--reset", help="begin with empty data")] = False,
    seconds: Annotated[float | None, typer.Option("--for", help="stop after so long")] = None,
    report: Annotated[Path | None, typer.Option(help="write what was run as JSON")] = None,
) -> None:
    """Start a living plant: ERP, devices, server and a crew that works."""
    from dashboards.demo.living import Demo, NotOurs, Options

    options = Options(
        plant=plant, data=data, port=port, reset=reset, seconds=seconds, report=report
    )
    try:
        running = Demo(options, say)
    except (MesError, OSError, NotOurs) as fault:
        raise give_up(fault) from fault
    try:
        running.start()
        found = running.run()
    finally:
        running.close()
    if found is not None:
        say(f"report: {report}")


@app.command(name="serve")
def serve_plant(
    *,
    plant: Annotated[str | None, typer.Option(help="which plant pack")] = None,
    data: Annotated[Path | None, typer.Option(help="the plant's data folder")] = None,
    host: Annotated[str | None, typer.Option(help="address to listen at")] = None,
    port: Annotated[int | None, typer.Option(help="web port; 0 takes a free one")] = None,
) -> None:
    """Run a plant on its real devices; BATCHWRIGHT_... variables say what is left out here."""
    from dashboards.serving import serve_forever

    given: dict[str, Any] = {"plant": plant, "data_dir": data, "host": host, "port": port}
    settings = Settings(**{name: value for name, value in given.items() if value is not None})
    try:
        serve_forever(settings, say)
    except (MesError, OSError) as fault:
        raise give_up(fault) from fault


@app.command()
def export(
    *,
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="a new folder for the bundle")],
    batch: Annotated[str | None, typer.Option(help="only this batch, with its evidence")] = None,
) -> None:
    """Write the ledger, or one batch, as a bundle that checks itself."""
    from core.batch.bundle import batch_streams
    from core.ledger.export import export_bundle, export_streams
    from core.ledger.store import open_ledger
    from dashboards.record.bundle import record_files

    ledger = open_ledger(_ledger_of(data))
    vkey = (data / "keys" / "log.vkey").read_text("utf-8").strip()
    try:
        if batch is None:
            export_bundle(ledger, out, vkey=vkey)
        else:
            files = record_files(ledger, batch, data / "keys")
            export_streams(ledger, batch_streams(ledger, batch), out, vkey=vkey, files=files)
    except (MesError, OSError) as fault:
        raise give_up(fault) from fault
    finally:
        ledger.close()
    say(f"{out}: written. Check it anywhere with: python3 {out / 'verify.py'} {out}")


@app.command()
def verify(
    bundle: Annotated[Path, typer.Argument(help="a bundle's folder or zip")],
    anchor: Annotated[Path | None, typer.Option(help="an older checkpoint to extend")] = None,
) -> None:
    """Check a bundle with the verifier that travels in it."""
    try:
        say(stand_alone.verify(str(bundle), None, None if anchor is None else str(anchor)))
    except Exception as fault:  # whatever is wrong with a bundle, it is not proven
        raise give_up(f"NOT PROVEN: {fault}.") from fault


@app.command()
def rebuild(
    data: Data,
    compare: Annotated[bool, typer.Option("--compare", help="only show differences")] = False,
) -> None:
    """Fold the projection anew from the ledger, or compare it with what is stored."""
    from core.ledger.store import open_ledger, open_store
    from core.projections.nouns import differences, prepare

    where = _ledger_of(data)
    if not compare:
        prepare(open_store(where), anew=True)
    ledger = open_ledger(where)
    found = differences(ledger)
    ledger.close()
    for stream in found:
        say(f"{stream}: stored state differs from the ledger")
    say(f"{len(found)} streams differ")
    raise typer.Exit(1 if found else 0)


@app.command("check-plant")
def check_plant(
    plant: Annotated[str, typer.Argument(help="a pack's name or folder")],
) -> None:
    """Read a plant pack and name every fault in it."""
    try:
        load_plant(plant)
    except PackFaulty as faults:
        raise give_up(faults) from faults
    say(f"{plant}: no faults")


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


@erp.command("status")
def erp_status(data: Data) -> None:
    """Say what waits for the ERP, what is done and what needs a person."""
    from erp import evidence
    from erp.outbox import Outbox

    outbox = Outbox(f"sqlite:///{data / 'erp_outbox.db'}")
    counts = {str(state): count for state, count in evidence.counts(outbox).items()}
    oldest = evidence.oldest_open(outbox)
    outbox.close()
    say(json.dumps({"messages": counts, "oldest_open_at": oldest}, indent=1))


def _ledger_of(data: Path) -> str:
    if not (data / "ledger.db").is_file():
        raise give_up(f"{data}: holds no ledger.db. Name the plant's data folder.")
    return f"sqlite:///{data / 'ledger.db'}"


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
