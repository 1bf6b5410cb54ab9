"""Secrets at rest: `secrets list`, `secrets set`, `secrets drop`, `secrets rotate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.errors import MesError
from dashboards.cli.terminal import Data, give_up, keys_of, say

if TYPE_CHECKING:
    from core.vault import Vault

app = typer.Typer()
secrets = typer.Typer(no_args_is_help=True, help="Secrets that the server keeps, wrapped.")
app.add_typer(secrets, name="secrets")

NONE = "No secret is kept. Set one with: batchwright secrets set NAME."
Name = Annotated[
    str,
    typer.Argument(help="erp-send, erp-receive, erp-token, oidc-client-secret, or one of erp.toml"),
]
File = Annotated[
    Path | None, typer.Option("--file", exists=True, dir_okay=False, help="a key of many lines")
]


@secrets.command("list")
def list_secrets(data: Data) -> None:
    """Name the secrets that are kept; never show one."""
    say("\n".join(_vault(data).names()) or NONE)


@secrets.command("set")
def set_secret(name: Name, data: Data, file: File = None) -> None:
    """Keep a secret; it is asked for, or read from standard input or a file, never an argument."""
    from core.vault import Vault, check_name

    try:
        check_name(name)
        vault = Vault(data / "keys")
        if file is None:
            vault.put(name, typer.prompt(f"Secret {name}", hide_input=True))
        else:
            vault.put(name, file.read_text("utf-8"))
    except MesError as fault:
        raise give_up(fault) from fault
    say(f"{name}: kept. A server that runs reads it at its next start.")


@secrets.command("drop")
def drop_secret(name: Name, data: Data) -> None:
    """Forget a secret."""
    vault = _vault(data)
    try:
        vault.drop(name)
    except MesError as fault:
        raise give_up(fault) from fault
    say(f"{name}: not kept any more.")


@secrets.command("rotate")
def rotate_secrets(data: Data) -> None:
    """Wrap every secret under a new master key, and let the old key go."""
    vault = _vault(data)
    if not vault.names():
        raise give_up(NONE)
    try:
        count = vault.rotate()
    except MesError as fault:
        raise give_up(fault) from fault
    say(f"{count} secrets are wrapped under the newest master key. Make a backup of it now.")


def _vault(data: Path) -> "Vault":
    """Return the secrets that a plant keeps; a folder without a plant is refused."""
    from core.vault import Vault

    try:
        return Vault(keys_of(data))
    except MesError as fault:
        raise give_up(fault) from fault
