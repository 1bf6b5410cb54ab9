"""Deviations: raised by the rule, decided by somebody of QA who did not raise them."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from core.batch.events import MaterialConsumed, MaterialScrapped
from core.batch.state import BatchState, StepState
from core.deviation import (
    FREES,
    CloseDeviation,
    Deviation,
    DeviationState,
    Disposition,
    DispositionDeviation,
    HoldsNothing,
    InstructionMissing,
    OwnDeviation,
    SecondPersonNeeded,
)
from core.errors import WrongState
from core.fact import Sketch
from core.material import ChangeLotStatus, Lot, LotStatus
from core.order import Gate, Order, OrderState
from core.people import RegisterPerson
from core.release import release_gates
from core.severity import Severity, severity_of
from core.signature import RecordMoved, SignatureRequired, WrongRecord
from tests.hands import ORDER, refusal
from tests.paper import Paper, paper

NAME = "D26-0001"


def held() -> tuple[Paper, str]:
    plant = paper()
    batch = plant.upto(plant.dispatched(), "4")
    plant.scan(batch, "4", "CC-3044")
    plant.tare(batch, "4")
    plant.deviate(batch, "4", "2467")
    return plant, batch


def disposition(
    plant: Paper, how: Disposition = Disposition.USE_AS_IS, *, stream: str = f"deviation/{NAME}"
) -> DispositionDeviation:
    return DispositionDeviation(
        deviation=NAME, disposition=how, assessment="Within process range.", seen=plant.seen(stream)
    )


@pytest.mark.requirement("G1")
def test_breach_opens_a_deviation_and_holds_batch_and_order() -> None:
    plant, batch = held()
    deviation = plant.get(Deviation, NAME)
    assert (deviation.state, deviation.raised_by, deviation.step) == ("open", "olga", "4")
    assert deviation.says == (
        "croscarmellose: net 2.467 kg is over the limits 2.376 kg to 2.424 kg."
    )
    assert (deviation.why, deviation.lots, deviation.scale) == (
        "It is mixed already.", ("CC-3044",), "B1-S1"
    )  # fmt: skip
    assert plant.batch(batch).state is BatchState.HELD
    assert plant.batch(batch).exceptions[0].deviation == NAME
    assert plant.get(Order, ORDER).state is OrderState.HELD


@pytest.mark.requirement("G2")
def test_use_as_is_lets_the_second_person_verify() -> None:
    plant, batch = held()
    how = Disposition.USE_AS_IS
    plant.sign(disposition(plant, how), "quinn")
    deviation = plant.get(Deviation, NAME)
    assert (deviation.state, deviation.disposition) == (DeviationState.DISPOSITIONED, how)
    assert deviation.signatures[0].meaning == "I disposition this deviation"
    assert deviation.signatures[0].words == (
        "Deviation D26-0001 of batch B26-0001, step 4: croscarmellose: net 2.467 kg is over the"
        " limits 2.376 kg to 2.424 kg. Disposition: use as is."
        " Assessment: Within process range."
    )
    assert plant.batch(batch).state is BatchState.RUNNING
    assert plant.batch(batch).run("4").state is StepState.DONE
    assert plant.get(Order, ORDER).state is OrderState.RUNNING
    plant.verify(batch, "4")
    assert plant.batch(batch).current.step == "5"


@pytest.mark.requirement("G2")
@pytest.mark.parametrize("how", [one for one in Disposition if one not in FREES])
def test_disposition_that_does_not_free_keeps_the_batch_held(how: Disposition) -> None:
    plant, batch = held()
    plant.sign(disposition(plant, how), "quinn")
    assert plant.batch(batch).held_by == NAME


def asked(plant: Paper, how: Disposition, instruction: str | None = None) -> DispositionDeviation:
    return msgspec.structs.replace(disposition(plant, how), instruction=instruction)


@pytest.mark.requirement("G2", "E7")
def test_rework_opens_the_step_again_and_keeps_the_old_weighing_as_scrap() -> None:
    plant, batch = held()
    left = plant.get(Lot, "CC-3044").left
    plant.sign(asked(plant, Disposition.REWORK), "quinn")
    run = plant.batch(batch).run("4")
    assert (run.state, run.net_g, plant.batch(batch).state) == (
        StepState.RUNNING, 0, BatchState.RUNNING,
    )  # fmt: skip
    (old,) = run.redone
    assert ([one.net_g for one in old.partials], old.deviation) == ([2467], NAME)
    (scrap,) = [one.event for one in plant.written if isinstance(one.event, MaterialScrapped)]
    assert (scrap.lot, scrap.net_g) == ("CC-3044", 2467)
    assert plant.get(Lot, "CC-3044").left == left
    plant.do_step(batch)
    used = [one.event for one in plant.written if isinstance(one.event, MaterialConsumed)]
    assert [one.net_g for one in used if one.step == "4"] == [2400]
    assert plant.batch(batch).current.step == "5"


@pytest.mark.requirement("G2")
def test_rework_of_a_value_asks_for_it_again() -> None:
    plant = paper()
    batch = plant.upto(plant.dispatched(), "9")
    plant.complete(batch, "9", value="2.5")
    plant.sign(asked(plant, Disposition.REWORK), "quinn")
    assert plant.batch(batch).run("9").values == {}
    plant.complete(batch, "9", value="1.9")
    assert plant.batch(batch).run("9").redone[0].values == {"value": Decimal("2.5")}
    assert plant.batch(batch).current.step == "10"


@pytest.mark.requirement("G2")
def test_reprocess_needs_its_instruction_and_a_verification() -> None:
    plant = paper()
    batch = plant.upto(plant.dispatched(), "9")
    plant.complete(batch, "9", value="2.5")
    assert refusal(
        InstructionMissing, lambda: plant.sign(asked(plant, Disposition.REPROCESS), "quinn")
    ) == (
        "Deviation D26-0001: a reprocess needs its instruction."
        " Name the procedure and what it changes."
    )
    how = "SOP-114: dry 20 minutes more at 60 °C."
    plant.sign(asked(plant, Disposition.REPROCESS, how), "quinn")
    run = plant.batch(batch).run("9")
    assert (run.state, run.instruction) == (StepState.DONE, how)  # its recipe asks for no verifier
    plant.verify(batch, "9")
    assert f"Reprocessed as QA asked: {how}" in plant.batch(batch).signatures[-1].words
    assert plant.batch(batch).current.step == "10"


def far_off() -> tuple[Paper, str]:
    plant = paper()
    batch = plant.upto(plant.dispatched(), "4")
    plant.scan(batch, "4", "CC-3044")
    plant.tare(batch, "4")
    plant.deviate(batch, "4", "2473")
    return plant, batch


@pytest.mark.requirement("G1")
@pytest.mark.parametrize(("net", "severity"), [("2472", "medium"), ("2472.1", "high")])
def test_a_value_beyond_three_half_widths_is_high(net: str, severity: str) -> None:
    plant = paper()
    batch = plant.upto(plant.dispatched(), "4")
    plant.scan(batch, "4", "CC-3044")
    plant.tare(batch, "4")
    plant.deviate(batch, "4", net)
    assert plant.get(Deviation, NAME).severity == severity


@pytest.mark.requirement("G1")
def test_an_active_material_is_high_and_a_kind_that_no_rule_names_is_medium() -> None:
    plant = paper()
    assert severity_of(plant, "late entry") is Severity.MEDIUM
    assert severity_of(plant, "critical value", materials=("paracetamol",)) is Severity.HIGH
    assert severity_of(plant, "lot status", materials=("lactose",)) is Severity.HIGH
    assert severity_of(Sketch(), "lot status") is Severity.MEDIUM


@pytest.mark.requirement("G2")
def test_what_is_high_is_decided_by_two_people_of_qa() -> None:
    plant, batch = far_off()
    plant.sign(disposition(plant), "quinn")
    deviation = plant.get(Deviation, NAME)
    assert (deviation.state, deviation.proposed_by) == (DeviationState.OPEN, "quinn")
    assert plant.batch(batch).state is BatchState.HELD
    assert refusal(SecondPersonNeeded, lambda: plant.sign(disposition(plant), "quinn")) == (
        "Deviation D26-0001: is high, so two people of QA decide; Quinn Marsh has signed."
        " Ask another person of QA to sign."
    )
    plant.sign(disposition(plant), "ines")
    assert plant.get(Deviation, NAME).dispositioned_by == "ines"
    assert plant.batch(batch).state is BatchState.RUNNING


@pytest.mark.requirement("G2")
def test_another_decision_is_a_new_proposal() -> None:
    plant, batch = far_off()
    plant.sign(disposition(plant), "quinn")
    plant.sign(disposition(plant, Disposition.REJECT), "ines")
    assert plant.get(Deviation, NAME).proposed_by == "ines"
    assert plant.batch(batch).state is BatchState.HELD
    plant.sign(disposition(plant, Disposition.REJECT), "quinn")
    assert plant.get(Deviation, NAME).disposition is Disposition.REJECT


@pytest.mark.requirement("G7")
def test_a_used_lot_that_is_put_on_hold_keeps_the_gate_red_until_it_is_dispositioned() -> None:
    plant = paper()
    batches = [plant.dispatched(f"10001{n}", room=f"B{n}") for n in (1, 2)]
    plant.upto(batches[0], "4")
    change_lot(plant, "PV-1107", LotStatus.ON_HOLD)
    first, second = (plant.batch(one) for one in batches)
    assert (first.deviations, second.deviations) == ((NAME,), ())
    assert first.state is BatchState.RUNNING
    (raised,) = first.exceptions
    assert (raised.kind, raised.deviation, raised.step) == ("lot status", NAME, "3")
    gate = lots_gate(plant, batches[0])
    assert (gate.passed, gate.says) == (False, "Lots not to be used: PV-1107 is on hold.")
    refusal(HoldsNothing, lambda: plant.sign(asked(plant, Disposition.REWORK), "quinn"))
    refusal(OwnDeviation, lambda: plant.sign(disposition(plant), "ines"))
    plant.sign(disposition(plant), "quinn")
    assert not lots_gate(plant, batches[0]).passed  # high: a second person decides
    third = RegisterPerson(person="pia", name="Pia Roth", badge="10033", roles=("qa",))
    plant.act(third, "ada")
    plant.sign(disposition(plant), "pia")
    assert lots_gate(plant, batches[0]).passed


@pytest.mark.requirement("G7")
def test_each_undecided_batch_of_a_lot_gets_its_own_deviation_and_a_lot_that_comes_back_none() -> (
    None
):
    plant = paper()
    batches = [plant.dispatched(f"10001{n}", room="B1") for n in (1, 2)]
    plant.upto(batches[0], "8")
    plant.upto(batches[1], "4")
    change_lot(plant, "PV-1107", LotStatus.REJECTED)
    assert [plant.batch(one).deviations for one in batches] == [("D26-0001",), ("D26-0002",)]
    change_lot(plant, "PV-1107", LotStatus.RELEASED)
    assert lots_gate(plant, batches[0]).passed
    assert plant.get(Deviation, "D26-0003") is None


def change_lot(plant: Paper, lot: str, status: LotStatus) -> None:
    seen = plant.seen(f"lot/{lot}")
    plant.sign(ChangeLotStatus(lot=lot, status=status, why="Complaint.", seen=seen), "ines")


def lots_gate(plant: Paper, batch: str) -> Gate:
    gates = release_gates(plant, plant.batch(batch))
    return next(one for one in gates if one.gate == "lots usable")


@pytest.mark.requirement("G2")
def test_nobody_decides_about_his_own() -> None:
    plant, _ = held()
    assert refusal(OwnDeviation, lambda: plant.sign(disposition(plant), "olga")) == (
        "Deviation D26-0001: Olga Brandt raised it; another person must disposition it."
    )


@pytest.mark.requirement("G2", "H3")
def test_disposition_needs_a_signature_over_this_deviation_as_it_is_now() -> None:
    plant, batch = held()
    refusal(SignatureRequired, lambda: plant.act(disposition(plant), "quinn"))
    elsewhere = disposition(plant, stream=f"batch/{batch}")
    assert refusal(WrongRecord, lambda: plant.sign(elsewhere, "quinn")) == (
        "deviation/D26-0001: the signature is for batch/B26-0001."
        " Open deviation/D26-0001, read it, and sign there."
    )
    early = disposition(plant)
    plant.sign(disposition(plant), "quinn")
    refusal(WrongState, lambda: plant.sign(early, "ines"))


def test_disposition_of_a_deviation_that_moved_is_a_conflict() -> None:
    plant, _ = held()
    seen = plant.seen(f"deviation/{NAME}")
    stale = type(seen)(stream=seen.stream, ver=seen.ver, head="00" * 32)
    command = DispositionDeviation(
        deviation=NAME, disposition=Disposition.REJECT, assessment="x", seen=stale
    )
    refusal(RecordMoved, lambda: plant.sign(command, "quinn"))


def test_closing_follows_the_disposition() -> None:
    plant, _ = held()
    close = CloseDeviation(deviation=NAME)
    assert refusal(WrongState, lambda: plant.act(close, "quinn")) == (
        "Deviation D26-0001: is open, must be dispositioned. Disposition it first."
    )
    plant.sign(disposition(plant), "quinn")
    assert refusal(WrongState, lambda: plant.sign(disposition(plant), "ines")) == (
        "Deviation D26-0001: is dispositioned, must be open. Read the decision on its page."
    )
    plant.act(close, "quinn")
    assert plant.get(Deviation, NAME).state is DeviationState.CLOSED


@pytest.mark.requirement("C3", "G1")
@pytest.mark.parametrize(
    ("value", "within"), [("582", True), ("618", True), ("581.9", False), ("618.1", False)]
)
def test_critical_value_holds_both_limits(value: str, within: bool) -> None:
    plant = paper()
    batch = plant.upto(plant.dispatched(), "11")
    plant.complete(batch, "11", value=value)
    assert (plant.batch(batch).held_by is None) is within
    if not within:
        assert plant.get(Deviation, NAME).says == (
            f"Compress: mean mass: {value} mg is outside 582 to 618 mg."
        )
        plant.sign(disposition(plant), "quinn")
        assert plant.batch(batch).current.step == "12"


@pytest.mark.requirement("G2")
def test_who_weighed_a_part_of_it_does_not_disposition_it() -> None:
    plant = paper()
    batch = plant.upto(plant.dispatched(), "4")
    for by, net, last in (("viktor", "1000", False), ("olga", "1467", True)):
        plant.scan(batch, "4", "CC-3044", by=by)
        plant.tare(batch, "4")
        if last:
            plant.deviate(batch, "4", net, by=by)
        else:
            plant.weigh(batch, "4", net, more=True, by=by)
    assert refusal(OwnDeviation, lambda: plant.sign(disposition(plant), "viktor")) == (
        "Deviation D26-0001: Viktor Lenz worked at the step; another person must disposition it."
    )
