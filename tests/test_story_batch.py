"""One batch from the ERP's order to release, as four people and a service, on both stores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from config.seed import seed
from core.batch.flow import StepHeld
from core.batch.state import BatchState
from core.batch.steps import SamePerson
from core.deviation import Deviation, DispositionDeviation
from core.deviation import Disposition as How
from core.equipment import Equipment
from core.line import EndRun, Line, StartRun
from core.material import Lot
from core.order import Order, OrderState
from core.projections.nouns import differences
from core.refusal import Refusals
from core.release import release_gates, rules_passed
from core.scale import DailyCheckMissing
from core.scan import WrongMaterial
from core.weighing import OutOfTolerance
from tests.floor import Floor, open_floor
from tests.hands import AT, ORDER, PACK, refusal


@pytest.fixture(params=["sqlite", "postgres"])
def story(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Floor]:
    """A seeded plant on each store."""
    where = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    with open_floor(tmp_path, where) as floor:
        seed(floor.execution, PACK, floor.accounts, at=AT)
        yield floor


@pytest.mark.requirement("A1", "A4", "A7", "C2", "D4", "D6", "G1", "G2", "H1", "I3")
def test_batch_from_order_to_release(story: Floor) -> None:
    batch = the_order_is_dispatched(story)
    olga_weighs_povidone(story, batch)
    olga_pours_too_much(story, batch)
    quinn_dispositions(story, batch)
    the_rest_is_made(story, batch)
    quinn_releases(story, batch)
    what_the_ledger_holds(story, batch)


def the_order_is_dispatched(plant: Floor) -> str:
    plant.receive(priority=20)
    plant.receive_bom()
    assert plant.get(Order, ORDER).state is OrderState.WAITING
    batch = plant.dispatched()
    assert batch == "B26-0001"
    assert plant.get(Order, ORDER).state is OrderState.DISPATCHED
    return batch


def olga_weighs_povidone(plant: Floor, batch: str) -> None:
    plant.complete(batch, "1")
    assert refusal(SamePerson, lambda: plant.verify(batch, "1", by="olga")) == (
        "Olga Brandt did this step (1); a second person must verify."
    )
    plant.verify(batch, "1")
    refusal(DailyCheckMissing, lambda: plant.complete(batch, "2"))
    plant.check_scale("5000.2")
    plant.complete(batch, "2")
    assert refusal(WrongMaterial, lambda: plant.scan(batch, "3", "LA-2291")) == (
        "This is lactose, lot LA-2291. Step 3 needs povidone. Scan a povidone container."
    )
    plant.scan(batch, "3", "PV-1107")
    plant.tare(batch, "3", "412.0")
    plant.weigh(batch, "3", "1809.0")
    refusal(SamePerson, lambda: plant.verify(batch, "3", by="olga"))
    plant.verify(batch, "3", by="viktor")
    run = plant.batch(batch).run("3")
    assert (run.performed_by, run.verified_by, run.net_g) == ("olga", "viktor", Decimal("1809.0"))


def olga_pours_too_much(plant: Floor, batch: str) -> None:
    plant.clock.pass_time(minutes=35)
    plant.scan(batch, "4", "CC-3044")
    plant.tare(batch, "4", "412.0")
    assert refusal(OutOfTolerance, lambda: plant.weigh(batch, "4", "2467")) == (
        "croscarmellose: net 2.467 kg is over the limits 2.376 kg to 2.424 kg."
        " Take some out, or record the deviation."
    )
    plant.deviate(batch, "4", "2467")
    held = plant.batch(batch)
    assert (held.state, held.held_by) == (BatchState.HELD, "D26-0001")
    assert plant.get(Order, ORDER).state is OrderState.HELD
    refusal(StepHeld, lambda: plant.verify(batch, "4"))


def quinn_dispositions(plant: Floor, batch: str) -> None:
    plant.clock.pass_time(minutes=2)
    assert plant.get(Lot, "CC-3044").used_by == (batch,)
    command = DispositionDeviation(
        deviation="D26-0001",
        disposition=How.USE_AS_IS,
        assessment="4.11 % of disintegrant is within the proven range of 4 to 4.5 %.",
        seen=plant.seen("deviation/D26-0001"),
    )
    plant.sign(command, "quinn", station="office")
    assert plant.get(Deviation, "D26-0001").dispositioned_by == "quinn"
    plant.verify(batch, "4")
    assert plant.batch(batch).current.step == "5"


def the_rest_is_made(plant: Floor, batch: str) -> None:
    plant.upto(batch, "11")
    plant.act(StartRun(line="L1", batch=batch), "sana")
    plant.upto(batch, "13")
    plant.act(EndRun(line="L1"), "sana")
    plant.upto(batch, None)
    assert plant.batch(batch).state is BatchState.COMPLETE
    [run] = plant.get(Line, "L1").runs
    assert (run.batch, run.product, run.ended_at is None) == (batch, "PARA500", False)
    taken = {
        lot: sum(one.left for one in [plant.get(Lot, lot)])
        for lot in ("PV-1107", "CC-3044", "MS-0518", "LA-2291", "PA-7741")
    }
    assert taken == {
        "PV-1107": Decimal("58191.0"),
        "CC-3044": 80_000 - 2467,
        "MS-0518": 20_000 - 600,
        "LA-2291": 100_000 - 5200,
        "PA-7741": 750_000 - 50_000,
    }


def quinn_releases(plant: Floor, batch: str) -> None:
    state = plant.batch(batch)
    assert [one.kind for one in state.exceptions] == ["weight outside limits"]
    assert len(rules_passed(state)) == 99  # all but the one limit that was passed over
    plant.review(batch)
    gates = release_gates(_Reader(plant), plant.batch(batch))
    assert all(gate.passed for gate in gates)
    plant.release(batch)
    done = plant.batch(batch)
    assert (done.state, done.closed) == (BatchState.RELEASED, True)
    assert plant.get(Order, ORDER).state is OrderState.COMPLETED
    meanings = [one.meaning for one in done.signatures]
    assert meanings.count("I verify that this step was done as written") == 8
    assert meanings[-2:] == ["I reviewed the audit trail", "I release this batch"]


class _Reader:
    """The committed states, as the gates read them."""

    def __init__(self, plant: Floor) -> None:
        self.get: Any = plant.get


def what_the_ledger_holds(plant: Floor, batch: str) -> None:
    ledger = plant.execution.ledger
    assert differences(ledger) == []
    attempts = Counter(one.rule for one in plant.get(Refusals, f"batch/{batch}").attempts)
    assert attempts == {
        "SamePerson": 2, "DailyCheckMissing": 1, "WrongMaterial": 1, "OutOfTolerance": 1
    }  # fmt: skip
    types = Counter(one.type for one in ledger.stream(f"batch/{batch}"))
    assert types["material.consumed"] == 5
    assert types["material.produced"] == types["batch.released"] == types["batch.closed"] == 1
    people = {one.actor for one in ledger.stream(f"batch/{batch}")}
    assert people == {"olga", "viktor", "quinn", "sana"}
    assert plant.get(Equipment, "B1-S1").check_shown_g == Decimal("5000.2")
    checkpoint = ledger.checkpoint()
    assert checkpoint is not None
    assert checkpoint.size == ledger.size()
    assert checkpoint.root == ledger.root(checkpoint.size)
