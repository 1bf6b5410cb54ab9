"""The key that signs the ledger's checkpoints: `keys list`, `keys rotate`, `keys revoke`."""

from typing import Annotated

import typer

from core.errors import MesError
from dashboards.cli.opened import Folder, Plant, named, opened, refusing
from dashboards.cli.terminal import Data, give_up, ledger_of, say

app = typer.Typer()
keys = typer.Typer(no_args_is_help=True, help="The key that signs the ledger's checkpoints.")
app.add_typer(keys, name="keys")


@keys.command("list")
def list_keys(data: Data) -> None:
    """Show the log's public keys, the newest last, and up to which entry each one signed."""
    from core.ledger.checkpoint import Verifier
    from core.ledger.rotation import VKEY, as_recorded, read_verifier
    from core.ledger.store import open_ledger
    from dashboards.key_acts import recovery_says

    folder, where = data / "keys", ledger_of(data)
    try:
        newest = read_verifier(folder)
        ledger = open_ledger(where)
        try:
            newest = as_recorded(newest, ledger)
        finally:
            ledger.close()
    except (MesError, OSError, ValueError) as fault:
        raise give_up(f"{folder / VKEY}: {fault}") from fault
    for public, until, revoked in newest.former:
        stands = f"revoked by entry {revoked}, counts" if revoked else "signed"
        say(f"{Verifier(newest.name, public).text}  {stands} up to {until} entries")
    say(f"{newest.text}  signs now")
    say(recovery_says(where))


@keys.command("rotate")
def rotate_key(
    *,
    why: Annotated[str, typer.Option("--why", help="why, as it stands in the ledger")],
    plant: Plant = None,
    data: Folder = None,
) -> None:
    """Hand the log over to a new key, signed by the old one in the ledger; the server is stopped.

    Checkpoints from then on are signed by the new key. Who holds the old public key finds the new
    one through keys.txt of each bundle and backup.
    """
    from dashboards.compose import rotate_log_key

    with refusing():
        settings, pack = named(plant, data)
        folder = settings.data_dir / "keys"
        ledger_of(settings.data_dir)
        newest = rotate_log_key(settings.data_dir, pack.id, database=settings.store, why=why)
    say(f"{newest.text}: signs from now on, and stands in the ledger.")
    say(f"Keep {folder / 'log.key'} as you kept the old one, and destroy the old one's copies.")
    say("Give the new public key to whoever checks your bundles; the old one leads to it.")


@keys.command("revoke")
def revoke_key(
    *,
    key: Annotated[str, typer.Option(help="the former key's id, as keys list shows it")],
    trusted: Annotated[int, typer.Option(help="size of its last good checkpoint, 0 for none")],
    cause: Annotated[str, typer.Option(help="stolen or lost")],
    why: Annotated[str, typer.Option("--why", help="why, as it stands in the ledger")],
    user: Annotated[str, typer.Option(help="user id of the person who signs")],
    plant: Plant = None,
    data: Folder = None,
) -> None:
    """Take trust from a former key that was stolen or lost; run by two people, one after another.

    The server is stopped; where it runs, use the form on /office?view=keys, or send the command
    key.revoke over REST. The key that signs now is first followed by another one: keys rotate.
    """
    from dashboards.key_acts import before_signing, revocation, revoke

    with opened(plant, data) as (execution, _):
        command = revocation(execution, key, trusted=trusted, cause=cause, why=why)
        for sentence in before_signing(execution, command):
            say(sentence)
        secret = typer.prompt("Secret", hide_input=True)
        told = revoke(execution, command, user=user, secret=secret)
    say(told)
