"""The demo's bench: a visitor's hands, beside a kiosk whose scale is simulated.

It moves weights on the pan and shows what a scanner would read; it records nothing and knows
no command of the plant. A plant with real scales has no such page.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

import panel as pn
from markupsafe import Markup

from capture.simulated.control import send
from core.batch.state import Batch, StepRun
from core.equipment import Equipment, Station
from core.execution import Execution
from core.material import Lot, LotStatus, Material
from core.quantity import kg_text
from core.recipe import Step, StepKind
from dashboards import parts, visit
from dashboards.demo.crew import TARE_G
from dashboards.kiosk.press import Press
from dashboards.palette import State
from dashboards.plant import PlantServices
from dashboards.session import Viewer
from dashboards.theme import Frame, frame

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Bench:
    """The control ports of the simulated scales, by scale."""

    controls: Mapping[str, int]

    def tell(self, scale: str, line: str) -> str:
        """Move something on a scale's pan; return what the simulator says."""
        return send(HOST, self.controls[scale], line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What stands in front of a visitor at one station."""

    station: str
    scale: Equipment
    batch: Batch | None
    step: Step | None
    run: StepRun | None


def sight(execution: Execution, station: str) -> Sight:
    """Return the batch and step that wait in a station's room."""
    bound = execution.nouns.get(Station, station)
    assert bound is not None, station
    assert bound.scale is not None, station
    scale = execution.nouns.get(Equipment, bound.scale)
    assert scale is not None, bound.scale
    open_ = [one for one in execution.nouns.open(Batch) if one.room == bound.room and one.current]
    batch = min(open_, key=lambda one: one.batch) if open_ else None
    run = batch.current if batch else None
    step = batch.recipe_step(run.step) if batch and run else None
    return Sight(station=station, scale=scale, batch=batch, step=step, run=run)


def labels(execution: Execution, material: str) -> list[tuple[str, str]]:
    """Return (what it is, what is typed for it) for containers around a weigh step."""
    found = []
    for name in (material, *(one.material for one in execution.nouns.all(Material))):
        kind = execution.nouns.get(Material, name)
        for lot_name in kind.lots if kind else ():
            lot = execution.nouns.get(Lot, lot_name)
            if kind is None or lot is None or not kind.gtin:
                continue
            container = next((one for one, left in lot.containers.items() if left > 0), None)
            if container is None or (name != material and lot.status is not LotStatus.RELEASED):
                continue
            what = f"{kind.name}, lot {lot.lot}, {lot.status}, {kg_text(lot.left)} left"
            found.append((what, typed(kind.gtin, lot, container)))
    return list(dict.fromkeys(found))[:6]


def typed(gtin: str, lot: Lot, container: str) -> str:
    """Return a container's label as people read it under its code."""
    expiry = f"(17){lot.expires_on:%y%m%d}" if lot.expires_on else ""
    return f"(01){gtin}{expiry}(10){lot.lot}(21){container}"


def bench_page(plant: PlantServices, viewer: Viewer) -> Frame:
    """Draw the bench of one station."""
    bench: Bench = plant.readers["bench"]
    station = visit.query("station") or viewer.station or min(plant.stations)
    if station not in plant.stations:
        station = min(plant.stations)
    seen = sight(plant.execution, station)
    said = parts.html(parts.paragraph("The pan is as you left it.", muted=True))

    def act(line: str) -> Callable[[str], None]:
        def press(_id: str) -> None:
            answer = bench.tell(seen.scale.equipment, line)
            said.object = parts.markup(parts.paragraph(f"{line}: {answer}", muted=True))

        return press

    groups = []
    for what, moves in _moves(seen):
        row = (Press(name, act(line), busy_label="Moving …") for name, line in moves)
        groups += [
            parts.html(parts.heading(what, 2)),
            pn.Row(*row, styles={"flex-wrap": "wrap", "gap": "16px"}, margin=10),
        ]
    return frame(
        f"Bench of {station}",
        [
            parts.html(_head(seen)),
            *groups,
            said,
            parts.html(_codes(plant.execution, seen)),
        ],
        viewer=viewer,
        nav="/bench",
        plant=plant.name,
        zone=plant.zone,
    )


def _moves(seen: Sight) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the moves that make sense now by what they do: button and control line."""
    moves = list[tuple[str, str]]()
    if seen.scale.check_weight_g is not None:
        weight = seen.scale.check_weight_g
        moves.append((f"Check weight {kg_text(weight)}", f"PLACE {weight}"))
    moves.append((f"Empty bag {kg_text(TARE_G)}", f"PLACE {TARE_G}"))
    clear = [("Take all off", "REMOVE")]
    step, run = seen.step, seen.run
    if step is None or run is None or step.kind is not StepKind.WEIGH or step.high is None:
        return [("Put on the pan", moves), ("Clear the pan", clear)]
    left = (step.target or Decimal(0)) - run.net_g
    over = step.high - run.net_g + (step.high - (step.target or step.high))
    pour = [
        (f"Pour {kg_text(left)}, to the target", f"POUR {left} 3"),
        (f"Pour {kg_text(over)}, too much", f"POUR {over} 3"),
        ("Pour 10 g more", "POUR 10 1"),
        ("Take 10 g out", "POUR -10 1"),
    ]
    return [("Put on the pan", moves), ("Pour", pour), ("Clear the pan", clear)]


def _head(seen: Sight) -> Markup:
    if seen.batch is None or seen.step is None:
        now = parts.notice(State.INFO, "Nothing waits", "No batch stands in this room.")
    else:
        text = f"{seen.batch.batch}, step {seen.step.step}: {seen.step.title}."
        now = parts.notice(State.INFO, "At the kiosk", text)
    return parts.join(
        now,
        parts.paragraph(
            f"Simulated scale {seen.scale.equipment}. Keep this page beside the kiosk: here are"
            " the hands, there is the record. Load it again after each step."
        ),
    )


def _codes(execution: Execution, seen: Sight) -> Markup:
    if seen.step is None or seen.step.material is None:
        return parts.paragraph("Nothing is scanned at this step.", muted=True)
    rows = labels(execution, seen.step.material)
    return parts.table(
        "Copy a label into the kiosk's scan field and press Enter: that is the scanner",
        ("Container", "Label"),
        rows,
    )
