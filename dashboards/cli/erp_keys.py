"""Change of a key between plant and ERP while the server is stopped; a running one has a page."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.command_id import new_command_id
from core.errors import MesError
from dashboards.cli.erp import erp
from dashboards.cli.terminal import Data, give_up, ledger_of, say

if TYPE_CHECKING:
    from core.vault import Vault
    from dashboards.office.keys import Change
    from erp.live_keys import LiveKeys
    from erp.signing import Keys

app = typer.Typer()
STATION = "terminal"


class Way(StrEnum):
    """Which side signs: `send` is the plant, `receive` the ERP."""

    SEND = "send"
    RECEIVE = "receive"


User = Annotated[str, typer.Option(help="user id of the person who signs")]
Why = Annotated[str, typer.Option(help="the reason, as the ledger keeps it")]
AGREED = "Signed. The server takes it up at its next start."
PROPOSED = "Signed. Nothing changes until a second person runs: batchwright erp agree-key."


@erp.command("rotate-key")
def rotate_key(
    way: Way,
    data: Data,
    *,
    user: User,
    why: Why,
    days: Annotated[int, typer.Option(help="how long both keys should live")] = 7,
) -> None:
    """Propose that a new key lives beside the old one, while the server is stopped.

    A key to send with is made here and shown one time; one to receive with is the ERP's, and asked.
    While the server runs, /office?view=keys does the same.
    """
    from dashboards.office.keys import Change, Step
    from erp.signing import new_secret

    new = new_secret() if way is Way.SEND else typer.prompt("New secret", hide_input=True)

    def begin(keys: LiveKeys) -> Change:
        try:
            fresh = keys.keep(way.value, new)
        except ValueError as fault:
            what = "no whsec_ text of 24 to 64 bytes. Ask for another."
            raise give_up(f"Secret: {what}") from fault
        return Change(step=Step.BEGIN, key=fresh, days=days, why=why)

    _run(data, way, begin, user=user)
    if way is Way.SEND:
        say(f"The new secret, shown this one time: {new}")
        say("Give it to the ERP's team by a safe way.")
    say(PROPOSED)


@erp.command("end-key")
def end_key(way: Way, data: Data, *, user: User, why: Why) -> None:
    """Propose that the older key dies, once the ERP's team has said that it uses the new one."""
    from dashboards.office.keys import Change, Step

    _run(data, way, lambda _: Change(step=Step.END, why=why), user=user)
    say(PROPOSED)


@erp.command("agree-key")
def agree_key(way: Way, data: Data, *, user: User, why: Why) -> None:
    """Agree, as the second person, to what another one has proposed about a key."""
    from dashboards.office.keys import Change, Step

    _run(data, way, lambda _: Change(step=Step.AGREE, why=why), user=user)
    say(AGREED)


def _run(data: Path, way: Way, change: Callable[[LiveKeys], Change], *, user: str) -> None:
    """Sign one step over the stopped server's ledger and vault."""
    from core.erp_key import ErpKey
    from core.execution import Actor, Credentials
    from core.vault import Vault
    from dashboards.cli.asking import plant_of
    from dashboards.compose import open_execution
    from dashboards.office.keys import KeyRow, ask_change
    from erp.live_keys import NAMES, AtRest, LiveKeys

    ledger_of(data)
    try:
        vault = Vault(data / "keys")
        at_rest = AtRest(*(_kept(vault, NAMES[one]) for one in ("send", "receive")))
        execution = open_execution(data, plant_of(data))
        execution.start()
        try:
            keys = LiveKeys(at_rest, lambda: vault, lambda one: execution.nouns.get(ErpKey, one))
            it = change(keys)
            stand = next(one for one in keys.stands() if one.direction == way.value)
            row = KeyRow(stand=stand, held=execution.nouns.get(ErpKey, way.value))
            ask = ask_change(row, it, execution.seen(f"{ErpKey.KIND}/{way.value}"))
            secret = typer.prompt("Your secret", hide_input=True)
            execution.submit(
                ask.command,
                actor=Actor(user, STATION),
                idem=f"erp-key:{new_command_id()}",
                credentials=Credentials(secret, user=user),
            )
            keys.look()
        finally:
            execution.close()
    except MesError as fault:
        raise give_up(fault) from fault


def _kept(vault: Vault, name: str) -> Keys:
    from erp.signing import Keys

    text = vault.get(name)
    if text is None:
        raise give_up(f"{name}: is not in the vault. Run: batchwright secrets set {name}.")
    return Keys.of(text.split())
