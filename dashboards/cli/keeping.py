"""The keeping of evidence: `migrate`, `export`, `verify`, `rebuild`."""

from pathlib import Path
from typing import Annotated

import typer

from core import verify as stand_alone
from core.errors import MesError
from dashboards.cli.terminal import Data, give_up, ledger_of, say

app = typer.Typer()


@app.command()
def migrate(data: Data) -> None:
    """Carry the databases of a plant up to this server; BATCHWRIGHT_STORE names another ledger."""
    from config.settings import Settings
    from core.migrations.folder import migrate as carry_up

    try:
        done = carry_up(data, say, store=Settings().store)
    except MesError as fault:
        raise give_up(fault) from fault
    count = sum(map(len, done.values()))
    say(f"{count} revisions run. Start the server with: batchwright serve --data {data}")


@app.command()
def export(
    *,
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="a new folder for the bundle")],
    batch: Annotated[str | None, typer.Option(help="only this batch, with its evidence")] = None,
) -> None:
    """Write the ledger, or one batch, as a bundle that checks itself."""
    from core.batch.bundle import batch_streams
    from core.ledger.checkpoint import load_or_create_key
    from core.ledger.export import export_bundle, export_streams
    from core.ledger.store import open_ledger
    from dashboards.record.bundle import record_files

    ledger = open_ledger(ledger_of(data))
    vkey = (data / "keys" / "log.vkey").read_text("utf-8").strip()
    try:
        if batch is None:
            export_bundle(ledger, out, vkey=vkey)
        else:
            files = record_files(ledger, batch, data / "keys")
            key = load_or_create_key(data / "keys" / "log.key", vkey.split("+")[0])
            streams = batch_streams(ledger, batch)
            export_streams(ledger, streams, out, vkey=vkey, files=files, key=key)
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

    where = ledger_of(data)
    if not compare:
        prepare(open_store(where), anew=True)
    ledger = open_ledger(where)
    found = differences(ledger)
    ledger.close()
    for stream in found:
        say(f"{stream}: stored state differs from the ledger")
    say(f"{len(found)} streams differ")
    raise typer.Exit(1 if found else 0)
