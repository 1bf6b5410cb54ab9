"""A plant on this computer: `demo`, `serve`, `check-plant`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from config.faults import PackFaulty
from config.load import load_plant
from config.settings import Settings
from core.command_id import new_command_id
from core.errors import MesError
from dashboards.cli.opened import Folder, Plant, opened
from dashboards.cli.terminal import give_up, say

app = typer.Typer()


class Peer(StrEnum):
    """The ERP that a demo runs on."""

    SANDBOX = "sandbox"
    TRYTON = "tryton"


@app.command()
def demo(
    *,
    plant: Annotated[str, typer.Option(help="which plant pack")] = "tablets",
    data: Annotated[Path, typer.Option(help="where its data goes")] = Path(".batchwright/demo"),
    port: Annotated[int, typer.Option(help="web port; 0 takes a free one")] = 8000,
    reset: Annotated[bool, typer.Option("--reset", help="begin with empty data")] = False,
    seconds: Annotated[float | None, typer.Option("--for", help="stop after so long")] = None,
    report: Annotated[Path | None, typer.Option(help="write what was run as JSON")] = None,
    erp: Annotated[
        Peer, typer.Option(help="its ERP; tryton needs minutes at its first start")
    ] = Peer.SANDBOX,
) -> None:
    """Start a living plant: ERP, devices, server and a crew that works."""
    from dashboards.demo.living import Demo, NotOurs, Options
    from erp.bridges.tryton_server import TrytonNotStarted

    options = Options(
        plant=plant,
        data=data,
        port=port,
        reset=reset,
        seconds=seconds,
        report=report,
        erp="tryton" if erp is Peer.TRYTON else "sandbox",
    )
    try:
        running = Demo(options, say)
    except (MesError, OSError, NotOurs) as fault:
        raise give_up(fault) from fault
    try:
        running.start()
        found = running.run()
    except TrytonNotStarted as fault:
        raise give_up(fault) from fault
    finally:
        running.close()
    if found is not None:
        say(f"report: {report}")


@app.command(name="serve")
def serve_plant(
    *,
    plant: Annotated[str | None, typer.Option(help="which plant pack")] = None,
    data: Annotated[Path | None, typer.Option(help="the plant's data folder")] = None,
    host: Annotated[str | None, typer.Option(help="address to listen at")] = None,
    port: Annotated[int | None, typer.Option(help="web port; 0 takes a free one")] = None,
) -> None:
    """Run a plant on its real devices; BATCHWRIGHT_... variables say what is left out here."""
    from dashboards.serving import serve_forever

    given: dict[str, Any] = {"plant": plant, "data_dir": data, "host": host, "port": port}
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
        serve_forever(settings, say)
    except (MesError, OSError) as fault:
        raise give_up(fault) from fault


@app.command("check-plant")
def check_plant(
    plant: Annotated[str, typer.Argument(help="a pack's name or folder")],
) -> None:
    """Read a plant pack and name every fault in it."""
    try:
        load_plant(plant)
    except PackFaulty as faults:
        raise give_up(faults) from faults
    say(f"{plant}: no faults")


@app.command("adopt-actions")
def adopt_actions(
    *,
    user: Annotated[str, typer.Option(help="user id of a person who may adopt a matrix")],
    plant: Plant = None,
    data: Folder = None,
) -> None:
    """Add the actions that this version brought to the matrix, with the roles of the pack."""
    from config.actions import missing_actions, with_missing
    from core.authority import PlantRules
    from core.execution import Actor
    from core.fact import need

    with opened(plant, data) as (execution, pack):
        rules = need(execution.nouns, PlantRules, pack.id)  # type: ignore[arg-type]
        missing = missing_actions(rules, pack)
        if missing:
            secret = typer.prompt("Secret", hide_input=True)
            person = execution.authenticate(user, secret, station="terminal")
            actor, idem = Actor(person.person, "terminal"), f"adopt-actions:{new_command_id()}"
            execution.submit(with_missing(rules, pack), actor=actor, idem=idem)
    for name, roles in missing.items():
        say(f"{name}: {', '.join(roles)}")
    say(f"{len(missing)} actions adopted." if missing else "The matrix names every action.")
