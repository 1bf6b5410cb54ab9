"""What every command shares: how it speaks, how it gives up, and where a plant's data is."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from core.errors import file_says

Data = Annotated[Path, typer.Option("--data", help="the plant's data folder")]


def say(line: str) -> None:
    """Print one line for the person at the terminal, at once."""
    typer.echo(line)
    sys.stdout.flush()


def give_up(sentence: object) -> typer.Exit:
    """Print a refusal and return the exit to raise; what a system says of a file, as words."""
    if isinstance(sentence, OSError) and sentence.filename is not None:
        sentence = f"{sentence.filename}: {file_says(sentence)}. Look at the path."
    typer.echo(str(sentence), err=True)
    return typer.Exit(1)


def keys_of(data: Path) -> Path:
    """Return a plant's folder of keys. Gives up where there is none, and makes nothing."""
    if not (data / "keys").is_dir():
        raise give_up(f"{data}: holds no keys. Name the plant's data folder.")
    return data / "keys"


def ledger_of(data: Path) -> str:
    """Return the URL of a plant's ledger: BATCHWRIGHT_STORE, else the file in its data folder.

    Gives up where no ledger is. Whoever opens one asks first: opening would make an empty one.
    """
    from config.settings import Settings
    from core.errors import MesError

    try:
        store = Settings().store
    except (MesError, ValueError) as fault:
        raise give_up(fault) from fault
    if store is not None:
        return store
    if not (data / "ledger.db").is_file():
        raise give_up(
            f"{data}: holds no ledger.db. Name the plant's data folder, or the"
            " database in BATCHWRIGHT_STORE."
        )
    return f"sqlite:///{data / 'ledger.db'}"
