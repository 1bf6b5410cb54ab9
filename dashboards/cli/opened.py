"""A plant whose server is stopped, opened for one act at a terminal; faults become refusals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.errors import MesError
from dashboards.cli.terminal import give_up, ledger_of

if TYPE_CHECKING:
    from config.plant import PlantPack
    from config.settings import Settings
    from core.execution import Execution

Plant = Annotated[str | None, typer.Option(help="which plant pack")]
Folder = Annotated[Path | None, typer.Option("--data", help="the plant's data folder")]


@contextmanager
def refusing() -> Iterator[None]:
    """Give up with the sentence of whatever is refused or not found in here."""
    from core.authority import NotAuthorized

    try:
        yield
    except NotAuthorized as fault:
        says = "Where the matrix does not name it: batchwright adopt-actions --user ID"
        raise give_up(f"{fault} {says}") from fault
    except (MesError, OSError, ValueError) as fault:
        raise give_up(fault) from fault


def named(plant: str | None, data: Path | None) -> tuple[Settings, PlantPack]:
    """Return the settings of the plant that is named, or of the environment, and its pack."""
    from config.load import load_plant
    from config.settings import Settings

    given = {"plant": plant, "data_dir": data}
    settings = Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    return settings, load_plant(settings.plant)


@contextmanager
def opened(plant: str | None, data: Path | None) -> Iterator[tuple[Execution, PlantPack]]:
    """Open a plant's ledger to write; it must be there, and its server must not run."""
    from dashboards.compose import open_execution

    with refusing():
        settings, pack = named(plant, data)
        ledger_of(settings.data_dir)
        execution = open_execution(settings.data_dir, pack.id, database=settings.store)
        try:
            execution.start()
            yield execution, pack
        finally:
            execution.close()
