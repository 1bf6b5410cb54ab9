"""The keeping of evidence: `backup`, `restore`, `migrate`, `export`, `verify`, `rebuild`."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.errors import MesError
from dashboards.cli.terminal import Data, give_up, ledger_of, say

if TYPE_CHECKING:
    from erp.file_stamps import FileStamps

app = typer.Typer()


@app.command()
def backup(
    *,
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="a new folder, or a new file.zip")],
    keys: Annotated[bool, typer.Option("--keys", help="also the private keys")] = False,
) -> None:
    """Copy a plant's evidence while it works, and check the copy.

    Private keys stay out unless --keys is given: who holds a ledger together with its key can
    sign a forged one. Keep the folder keys/ apart, and such a backup like the keys themselves.
    """
    from config.settings import Settings
    from core.backup.take import backup as take

    try:
        taken = take(data, out, say, store=Settings().store, with_keys=keys)
    except (MesError, OSError, ValueError) as fault:
        raise give_up(fault) from fault
    size = taken.checkpoint.size if taken.checkpoint else 0
    say(f"{out}: {size} entries, {'with' if keys else 'without'} the private keys")
    if not keys:
        say(f"Keep {data / 'keys'} in another safe place: a restored plant cannot go on without.")
    say(f"Try it: batchwright restore --from {out} --data NEW_FOLDER")


@app.command()
def restore(
    *,
    source: Annotated[Path, typer.Option("--from", help="a backup's folder or zip")],
    data: Annotated[Path, typer.Option("--data", help="a new folder for the plant")],
    anchor: Annotated[Path | None, typer.Option(help="a newer checkpoint, kept elsewhere")] = None,
) -> None:
    """Bring a backup back into a new folder, and prove that it is whole.

    BATCHWRIGHT_STORE names an empty PostgreSQL database for the ledger.
    """
    from config.settings import Settings
    from core.backup.restore import restore as bring_back

    try:
        done = bring_back(source, data, say, anchor=anchor, store=Settings().store)
    except (MesError, OSError, ValueError) as fault:
        raise give_up(fault) from fault
    if done.checkpoint is not None:
        say(f"{data}: {done.checkpoint.size} entries, root {done.checkpoint.root.hex()}")
    if done.given is not None:
        say(f"proven: it agrees with the given anchor of {done.given} entries, none is missing")
    else:
        say(f"It agrees with anchors up to {done.anchored} entries. What was recorded after the")
        say("backup is not in it, and only a newer checkpoint can tell how much: give --anchor.")
    if not done.with_keys:
        say(f"Put log.key and the other private keys back into {data / 'keys'} before you serve.")


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
    anchor: Annotated[
        list[Path] | None,
        typer.Option(help="an older checkpoint its reader holds; repeatable"),
    ] = None,
) -> None:
    """Write the ledger, or one batch, as a bundle that checks itself.

    BATCHWRIGHT_STORE names the ledger where it is in PostgreSQL; the keys are those of --data.
    """
    from core.batch.bundle import batch_streams
    from core.clock import now
    from core.ledger.checkpoint import load_key, parse_vkey
    from core.ledger.export import export_bundle, export_streams, newest_stamp
    from core.ledger.exposure import NAME, exposed, exposure_file
    from core.ledger.store import open_ledger
    from dashboards.record.bundle import record_files

    ledger = open_ledger(ledger_of(data))
    try:
        sizes = [_size_of(one) for one in anchor or ()]
        vkey = parse_vkey((data / "keys" / "log.vkey").read_text("utf-8"))
        key = load_key(data / "keys" / "log.key", vkey.name)
        stamped, files = newest_stamp(ledger)
        open_end, at = exposed(ledger), now()
        files[NAME] = exposure_file(open_end, at)
        if batch is None:
            export_bundle(ledger, out, vkey=vkey.text, files=files, key=key)
        else:
            with _stamps() as stamps:
                files |= record_files(ledger, batch, data / "keys", stamps=stamps)
            streams = batch_streams(ledger, batch)
            export_streams(
                ledger, streams, out, vkey=vkey.text, anchors=[stamped, *sizes], files=files,
                key=key,
            )  # fmt: skip
    except (MesError, OSError, ValueError) as fault:
        raise give_up(fault) from fault
    finally:
        ledger.close()
    alone = f", the oldest for {open_end.seconds(at)} s" if open_end.entries else ""
    say(f"{open_end.entries} of its {open_end.size} entries have no anchor outside{alone}")
    if stamped:
        stamp = out / "anchors" / str(stamped)
        say(f"{stamped} entries of it are time-stamped: openssl ts -verify -in {stamp}.tsr")
        say(f"    -data {stamp}.note -CAfile THE_AUTHORITYS_ROOT.pem")
    say(f"{out}: written. Check it anywhere with: python3 {out / 'verify.py'} {out}")


@contextmanager
def _stamps() -> Iterator["FileStamps | None"]:
    """Give the time-stamp authority that the environment names, None for none."""
    from config.settings import Settings
    from erp.file_stamps import FileStamps
    from erp.timestamp import authority_of

    authority = authority_of(Settings())
    if authority is None:
        yield None
        return
    stamps = FileStamps(authority)
    try:
        yield stamps
    finally:
        stamps.close()


@app.command()
def stamp(
    *,
    file: Annotated[Path, typer.Argument(help="a sealed PDF of this plant")],
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="a new file")],
) -> None:
    """Add a time stamp to a sealed PDF: the first one, or another before the last one ends.

    BATCHWRIGHT_TSA_URL and BATCHWRIGHT_TSA_CERTIFICATES name the authority. What the file holds
    stays as it is, byte for byte; the stamp is put behind it.
    """
    from dashboards.record.bundle import ledger_name
    from dashboards.record.seal import Seal

    keys = data / "keys"
    try:
        with _stamps() as stamps:
            if stamps is None:
                raise give_up("No time-stamp authority is named. Set BATCHWRIGHT_TSA_URL.")
            done = Seal(keys, ledger_name(keys), stamps).stamped_later(file.read_bytes())
        with out.open("xb") as written:
            written.write(done.body)
    except (MesError, OSError, ValueError) as fault:
        raise give_up(fault) from fault
    say(f"{out}: stamped by {done.hold.stamped_by}. Its seals can be checked until")
    say(f"    {done.hold.until.isoformat(' ', 'seconds')}. Stamp it again before then.")


def _size_of(anchor: Path) -> int:
    """Return the size that a checkpoint's second line names; whether it holds, its reader checks.

    Raises:
        ValueError: it names none.
    """
    lines = anchor.read_text("utf-8").splitlines()
    if len(lines) < 2 or not lines[1].isdecimal():
        raise ValueError(f"{anchor}: is no checkpoint, its second line must be a number of entries")
    return int(lines[1])


@app.command()
def verify(
    bundle: Annotated[Path, typer.Argument(help="a bundle's folder or zip")],
    anchor: Annotated[Path | None, typer.Option(help="an older checkpoint to extend")] = None,
    vkey: Annotated[str | None, typer.Option(help="the log's public key that you trust")] = None,
) -> None:
    """Check a bundle with the verifier that travels in it."""
    from core.verify.proof import verify as prove

    try:
        say(prove(str(bundle), vkey, None if anchor is None else str(anchor)))
    except Exception as fault:  # whatever is wrong with a bundle, it is not proven
        raise give_up(f"NOT PROVEN: {fault}.") from fault


@app.command()
def rebuild(
    data: Data,
    compare: Annotated[bool, typer.Option("--compare", help="only show differences")] = False,
) -> None:
    """Fold the projection anew from the ledger, or compare it with what is stored.

    BATCHWRIGHT_STORE names the ledger where it is in PostgreSQL; servers there wait meanwhile.
    """
    from core.ledger.store import open_ledger, open_store
    from core.projections.nouns import compare as compared
    from core.projections.nouns import prepare

    where = ledger_of(data)
    try:
        if not compare:
            prepare(open_store(where), anew=True)
        with closing(open_ledger(where)) as ledger:
            found = compared(ledger)
    except (MesError, OSError) as fault:
        raise give_up(fault) from fault
    for one in found:
        say(str(one))
    say(f"{len({one.stream for one in found})} streams differ")
    raise typer.Exit(1 if found else 0)
