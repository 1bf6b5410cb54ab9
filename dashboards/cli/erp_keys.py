"""Rotation of the keys between plant and ERP: `erp rotate-key`, `erp end-key`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer

from core.errors import MesError
from core.fact import Command
from dashboards.cli.erp import erp
from dashboards.cli.terminal import Data, give_up, ledger_of, say

app = typer.Typer()
STATION = "terminal"


class Way(StrEnum):
    """Which side signs: `send` is the plant, `receive` the ERP."""

    SEND = "send"
    RECEIVE = "receive"


User = Annotated[str, typer.Option(help="user id of the person who does it")]
Why = Annotated[str, typer.Option(help="the reason, as the ledger keeps it")]


@erp.command("rotate-key")
def rotate_key(
    way: Way,
    data: Data,
    *,
    user: User,
    why: Why,
    days: Annotated[int, typer.Option(help="how long both keys should live")] = 7,
) -> None:
    """Let a new key live beside the old one. The server must be stopped, and reads it at its start.

    A key to send with is made here and shown one time; one to receive with is the ERP's, and asked.
    """
    from core.erp_key import BeginErpKey
    from core.vault import Vault
    from erp.signing import Keys, new_secret

    ledger_of(data)
    name = f"erp-{way.value}"
    try:
        vault = Vault(data / "keys")
        kept = vault.get(name)
        if kept is None:
            raise give_up(f"{name}: is not in the vault. Run: batchwright secrets set {name}.")
        old = kept.split()[0]
        new = new_secret() if way is Way.SEND else typer.prompt("New secret", hide_input=True)
        try:
            [fresh], [before] = Keys.of([new]).ids, Keys.of([old]).ids
        except ValueError as fault:
            raise give_up(f"{name}: no whsec_ text of 24 to 64 bytes. Ask for another.") from fault
        begin = BeginErpKey(direction=way.value, key=fresh, before=before, days=days, why=why)
        _record(data, user, begin)
        vault.put(name, f"{new} {old}")
    except MesError as fault:
        raise give_up(fault) from fault
    if way is Way.SEND:
        say(f"The new secret, shown this one time: {new}")
        say("Give it to the ERP's team. Messages carry both signatures from the next start on.")
    say(f"Key {fresh} is live beside {before} for {days} days. Then run: batchwright erp end-key.")


@erp.command("end-key")
def end_key(way: Way, data: Data, *, user: User, why: Why) -> None:
    """Let the older key die, once the ERP's team has said that it uses the new one."""
    from core.erp_key import EndErpKey
    from core.vault import Vault
    from erp.signing import Keys

    ledger_of(data)
    name = f"erp-{way.value}"
    try:
        vault = Vault(data / "keys")
        kept = (vault.get(name) or "").split()
        _record(data, user, EndErpKey(direction=way.value, why=why))
        vault.put(name, kept[0])
    except MesError as fault:
        raise give_up(fault) from fault
    say(f"Key {Keys.of(kept[:1]).ids[0]} is the only one; the server uses it from its next start.")


def _record(data: Path, user: str, command: Command) -> None:
    from core.execution import Actor
    from dashboards.cli.asking import plant_of
    from dashboards.compose import open_execution

    execution = open_execution(data, plant_of(data))
    execution.start()
    try:
        secret = typer.prompt("Your secret", hide_input=True)
        person = execution.authenticate(user, secret, station=STATION)
        actor, idem = Actor(person.person, STATION), f"erp-key:{uuid4().hex}"
        execution.submit(command, actor=actor, idem=idem)
    finally:
        execution.close()
