"""The key that hands the log over where its own is lost: made, named, tried and used."""

from pathlib import Path
from typing import Annotated

import typer

from dashboards.cli.keys import keys
from dashboards.cli.opened import Folder, Plant, named, opened, refusing
from dashboards.cli.terminal import Data, give_up, ledger_of, say

app = typer.Typer()
Recovery = Annotated[Path, typer.Option("--recovery", help="the recovery key's private half")]


@keys.command("make-recovery")
def make_recovery(
    *,
    out: Annotated[Path, typer.Option("--out", help="a new file, on a medium that leaves")],
    plant: Plant = None,
    data: Folder = None,
) -> None:
    """Make a recovery key: its private half goes to a file outside the plant's folder."""
    from core.ledger.checkpoint import load_or_create_key
    from dashboards.compose import recovery_name

    with refusing():
        settings, pack = named(plant, data)
        if out.exists():
            raise give_up(f"{out}: is there already. Name a new file.")
        if out.resolve().is_relative_to(settings.data_dir.resolve()):
            raise give_up(
                f"{out}: is in the plant's folder, where it would be lost with the log's own key."
                " Name a file on another medium."
            )
        made = load_or_create_key(out, recovery_name(pack.id))
    say(f"{out}: holds the private half, in one line; print it, or put the medium away.")
    say("Two people name the public half, one after another, on the page Office, under Keys:")
    say(f"    {made.vkey}")
    say("or, where the server is stopped:")
    say(f"    batchwright keys name-recovery --key {made.vkey} --user ID --why WHY")


@keys.command("name-recovery")
def name_recovery(
    *,
    key: Annotated[str, typer.Option(help="the public half, as make-recovery showed it")],
    why: Annotated[str, typer.Option("--why", help="why, as it stands in the ledger")],
    user: Annotated[str, typer.Option(help="user id of the person who signs")],
    plant: Plant = None,
    data: Folder = None,
) -> None:
    """Name the recovery key in the ledger; run by two people, one after another.

    The server is stopped; where it runs, both sign on the page Office, under Keys.
    """
    from core.log_key import LOG, LogKeys
    from dashboards.key_acts import before_naming, name_recovery_key

    with opened(plant, data) as (execution, _):
        words, *meaning = before_naming(execution.nouns.get(LogKeys, LOG), key)
        for line in (f"You sign: {words} {why}", *meaning):
            say(line)
        secret = typer.prompt("Secret", hide_input=True)
        told = name_recovery_key(execution, key, why=why, user=user, secret=secret)
    say(told)


@keys.command("check-recovery")
def check_recovery(recovery: Recovery, data: Data) -> None:
    """Tell whether a recovery key's file can be read, and is the one that the ledger names."""
    from core.ledger.checkpoint import load_key
    from core.log_key import short
    from dashboards.key_acts import recovery_in

    where = ledger_of(data)
    with refusing():
        recorded = recovery_in(where)
        if recorded is None:
            raise give_up(f"{data}: the ledger names no recovery key. batchwright keys list")
        found = load_key(recovery, recorded.vkey.partition("+")[0]).vkey
    if found != recorded.vkey:
        raise give_up(
            f"{recovery}: is {short(found)}, and the ledger names {short(recorded.vkey)}."
        )
    say(f"{recovery}: is the recovery key {short(found)} that the ledger names. Put it away again.")


@keys.command("recover")
def recover(
    *,
    recovery: Recovery,
    why: Annotated[str, typer.Option("--why", help="why, as it stands in the ledger")],
    plant: Plant = None,
    data: Folder = None,
) -> None:
    """Hand the log over to a new key where log.key is lost; the server is stopped.

    The whole ledger is read first: it must be the one that the lost key signed to its last entry.
    """
    from dashboards.compose import recover_log_key

    with refusing():
        settings, pack = named(plant, data)
        folder = settings.data_dir / "keys"
        ledger_of(settings.data_dir)
        newest = recover_log_key(
            settings.data_dir, pack.id, recovery, database=settings.store, why=why
        )
    say(f"{newest.text}: signs from now on, and stands in the ledger.")
    say(f"Keep a copy of {folder / 'log.key'} where the ledger is not, and make a backup now.")
    say("The recovery key is used up: batchwright keys make-recovery, and two people name it.")
    say("Where the lost key may be in other hands, two people revoke it: batchwright keys revoke.")
