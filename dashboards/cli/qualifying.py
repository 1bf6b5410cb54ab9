"""Qualification in the plant's own install: `qualify`."""

import json
import logging
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from core.errors import MesError
from dashboards.cli.terminal import give_up, say

app = typer.Typer()
SOME_FAILED, SOME_NOT_RUN = 1, 2


@app.command()
def qualify(
    *,
    data: Annotated[
        Path | None, typer.Option("--data", help="the plant's data folder, only read")
    ] = None,
    plant: Annotated[str | None, typer.Option(help="which plant pack")] = None,
    only: Annotated[str | None, typer.Option(help="IQ or OQ; both where left out")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="a new folder for the evidence")] = None,
    report: Annotated[Path | None, typer.Option("--json", help="write the report here too")] = None,
    postgres: Annotated[
        str | None, typer.Option(help="URL of an empty database, for the scratch plant")
    ] = None,
    by: Annotated[str, typer.Option(help="who runs it, as the report is to say")] = "",
) -> None:
    """Show that this install is what was released (IQ) and does what it must (OQ).

    OQ runs on a scratch plant of its own. With --data IQ reads your plant, whose server may run,
    and its log key signs the evidence; without it IQ looks at the scratch plant.

    Ends with 0 where every test passed, 1 where one failed, 2 where one was not run.
    """
    from config.settings import Settings
    from core.clock import now
    from dashboards.qualify.evidence import free, write
    from dashboards.qualify.qualification import Asked, Part
    from dashboards.qualify.qualification import qualify as run

    if only is not None and only.upper() not in list(Part):
        raise give_up(f"--only {only}: must be IQ or OQ, or left out for both.")
    logging.disable()  # refusals are made on purpose; what they say stands in the report
    folder = out or Path(f"qualification-{now():%Y%m%dT%H%M%SZ}")
    try:
        settings = Settings()
        asked = Asked(
            plant=plant or settings.plant,
            data=data,
            store=settings.store,
            database=postgres,
            only=None if only is None else Part(only.upper()),
            by=by,
        )
        free(folder)
        with tempfile.TemporaryDirectory(prefix="batchwright-qualify-") as scratch:
            found = run(asked, Path(scratch), say)
            written = write(found, folder)
    except (MesError, OSError, ValueError) as fault:
        raise give_up(fault) from fault
    if report is not None:
        report.write_text(json.dumps(written, indent=1) + "\n", "utf-8")
    raise typer.Exit(_ended(written, folder))


def _ended(written: dict[str, object], folder: Path) -> int:
    """Say what came out and how to check it; return the status to end with."""
    from dashboards.qualify.report import verdict

    say(verdict(written))
    signed = written["signed_with"]
    assert isinstance(signed, dict)
    say(f"evidence: {folder}, signed with {signed['whose']}")
    say(f"    {signed['vkey']}")
    say(f"Check it anywhere with: python3 {folder / 'verify.py'} {folder}")
    counts = written["counts"]
    assert isinstance(counts, dict)
    if counts["failed"]:
        return SOME_FAILED
    return 0 if written["holds"] else SOME_NOT_RUN
