"""Deviations: raised by the rule, decided by somebody of QA who did not raise them."""

from __future__ import annotations

import pytest

from core.batch.state import BatchState, StepState
from core.deviation import (
    FREES,
    CloseDeviation,
    Deviation,
    DeviationState,
    Disposition,
    DispositionDeviation,
    OwnDeviation,
)
from core.errors import WrongState
from core.order import Order, OrderState
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
@pytest.mark.parametrize("how", FREES)
def test_disposition_that_frees_lets_the_second_person_verify(how: Disposition) -> None:
    plant, batch = held()
    plant.sign(disposition(plant, how), "quinn")
    deviation = plant.get(Deviation, NAME)
    assert (deviation.state, deviation.disposition) == (DeviationState.DISPOSITIONED, how)
    assert deviation.signatures[0].meaning == "I disposition this deviation"
    assert deviation.signatures[0].words == (
        "Deviation D26-0001 of batch B26-0001, step 4: croscarmellose: net 2.467 kg is over the"
        f" limits 2.376 kg to 2.424 kg. Disposition: {how.replace('_', ' ')}."
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
        "Deviation D26-0001: Viktor Lenz weighed for it; another person must disposition it."
    )
