"""What pages ask for figures: the analytics projector, and the reconciliation with the ERP."""

from typing import Any
from zoneinfo import ZoneInfo

from analytics.books.run import BookRunner
from analytics.projector import Projector
from analytics.rules import rules_of
from analytics.sources import NoTelemetry, TelemetrySource
from core.equipment import EquipmentKind
from dashboards.compose import Plant
from dashboards.finance.limits import rules_of as rules_of_match
from dashboards.finance.matching import reconciliation
from dashboards.link_state import LinkReader
from dashboards.operations.figures import Figures

# what a simulated or real PLC calls a stop -> the category that OEE counts it under
REASONS = {"jam": "other", "mechanical": "breakdown", "starved": "blocked_starved"}


class Readers:
    """The query objects of one plant, started and stopped together."""

    def __init__(self, plant: Plant) -> None:
        zone: ZoneInfo = plant.zone
        telemetry: TelemetrySource = NoTelemetry()
        if plant.machines is not None:
            telemetry = plant.machines.telemetry
        self.projector = Projector(
            plant.execution.ledger,
            telemetry,
            rules_of(plant.pack.rates, zone, REASONS),
            calendar=plant.calendar,
            zone=zone,
        )
        self._plant = plant
        self.by_name: dict[str, Any] = {"analytics": self.projector, "plant": plant}
        if plant.boundary is not None:
            self.by_name["boundary"] = plant.boundary
            self.by_name["link"] = LinkReader(plant.boundary)
            match, shifts = plant.pack.plant.match, plant.pack.shifts.shifts
            rules = rules_of_match(match, shifts, plant.boundary.port.profile.scales)
            self.by_name["reconcile"] = reconciliation(plant.boundary, rules)
        names = {one.id: one.name for one in plant.pack.equipment(EquipmentKind.LINE)}
        self.figures = Figures(self.projector, plant.hub, zone=zone, names=names)
        self.by_name["figures"] = self.figures
        self.by_name["books"] = BookRunner(self.projector)

    def start(self) -> None:
        """Read what is there, then follow."""
        self._plant.execution.writer.listeners.append(self.projector.wake)
        self.projector.start()
        self.figures.start()

    def stop(self) -> None:
        """Stop following."""
        self.figures.stop()
        self._plant.execution.writer.listeners.remove(self.projector.wake)
        if "reconcile" in self.by_name:
            self.by_name["reconcile"].stop()
            self.by_name["link"].stop()
        self.projector.stop()
