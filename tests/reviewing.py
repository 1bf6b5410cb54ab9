"""Hands for tests of review: a batch that deviates, its disposition, and the rest of its steps."""

from __future__ import annotations

import pytest

from core.batch.steps import VerifyStep
from core.deviation import Disposition, DispositionDeviation
from core.errors import Refused
from core.weighing import RecordDeviatingWeight, RecordTare, RecordWeight, ScanContainer
from tests.plant import LivingPlant

WHY = "Already <b>mixed</b>."
SAYS = "CCNA: net 2.467 kg is over the limits 2.376 kg to 2.424 kg."
STATION = "K-B1"


def over_weighed(plant: LivingPlant, room: str = "B2") -> str:
    """Bring a new batch to step 40, try a wrong lot and an over-weigh, then record it."""
    batch = plant.dispatched(room)
    plant.brought_to(batch, "40")
    wrong = ScanContainer(batch=batch, step="40", raw="LA-2291", lot="LA-2291", container="1")
    right = ScanContainer(batch=batch, step="40", raw="CC-4410", lot="CC-4410", container="1")
    gross = plant.weight("2879", f"SC-{room}")
    with pytest.raises(Refused):
        plant.do(wrong, "olga", station=STATION)
    plant.do(right, "olga", station=STATION)
    tare = RecordTare(batch=batch, step="40", reading=plant.weight("412", f"SC-{room}"))
    plant.do(tare, "olga", station=STATION)
    with pytest.raises(Refused):
        plant.do(RecordWeight(batch=batch, step="40", reading=gross), "olga", station=STATION)
    deviating = RecordDeviatingWeight(batch=batch, step="40", reading=gross, why=WHY)
    plant.do(deviating, "olga", station=STATION)
    return batch


def finished(plant: LivingPlant, batch: str) -> None:
    """Verify the freed step 40 and do the rest."""
    seen = plant.execution.seen(f"batch/{batch}")
    plant.do(VerifyStep(batch=batch, step="40", seen=seen), "viktor", station=STATION, signs=True)
    plant.brought_to(batch, "none")


def dispositioned(plant: LivingPlant, batch: str, how: Disposition = Disposition.USE_AS_IS) -> None:
    name = plant.batch(batch).deviations[0]
    seen = plant.execution.seen(f"deviation/{name}")
    decided = DispositionDeviation(
        deviation=name, disposition=how, assessment="No effect.", seen=seen
    )
    plant.do(decided, "quinn", signs=True)
