"""Two people on one batch: whatever the order of their gestures, one result and clear refusals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.batch.events import StepVerified, WeightRecorded
from core.batch.state import BatchState, StepState
from core.batch.steps import CompleteStep, EntryNotAsked, NoCount
from core.catalogue import NOUNS
from core.errors import Refused, WrongState
from core.fact import Recorded
from core.material import Lot
from core.weighing import RecordWeight
from tests.floor import Floor
from tests.hands import TARE_G, reading, refusal
from tests.paper import Paper, paper

GESTURES: dict[str, Callable[[Paper, str, str], object]] = {
    "scan": lambda plant, batch, by: plant.scan(batch, "3", "PV-1107", by=by),
    "tare": lambda plant, batch, by: plant.tare(batch, "3"),
    "weigh": lambda plant, batch, by: plant.weigh(batch, "3", "1800", by=by),
    "verify": lambda plant, batch, by: plant.verify(batch, "3", by=by),
}


def answer(gesture: Callable[[], object]) -> str:
    """Return the sentence of a refusal, or nothing where the gesture was taken."""
    try:
        gesture()
    except Refused as refused:
        return str(refused)
    return ""


@pytest.mark.requirement("C8")
@given(
    st.lists(
        st.tuples(st.sampled_from(["olga", "viktor"]), st.sampled_from(list(GESTURES))), max_size=30
    )
)
def test_any_interleaving_leaves_one_result_and_clear_refusals(
    gestures: list[tuple[str, str]],
) -> None:
    plant = paper()
    batch = plant.upto(plant.dispatched(), "3")
    start = plant.size()
    for by, gesture in gestures:
        before = plant.copy()
        said = answer(lambda do=GESTURES[gesture], by=by: do(plant, batch, by))
        assert said == "" or (said.endswith(".") and plant.states == before.states)
    kinds = Counter(type(one.event) for one in plant.written[start:])
    run = plant.batch(batch).run("3")
    assert kinds[WeightRecorded] == len(run.partials) <= 1
    assert kinds[StepVerified] <= 1
    assert run.net_g == 1800 * len(run.partials)
    assert plant.get(Lot, "PV-1107").left == 60_000 - run.net_g
    if run.state is StepState.COMPLETE:
        assert {run.performed_by, run.verified_by} == {"olga", "viktor"}


@pytest.mark.requirement("C8")
def test_two_people_press_at_once_and_one_weight_stands(floor: Floor) -> None:
    batch = floor.upto(floor.dispatched(), "3")
    floor.scan(batch, "3", "PV-1107")
    floor.tare(batch, "3")
    command = RecordWeight(batch=batch, step="3", reading=reading(1800 + TARE_G))

    def press(who: tuple[int, str]) -> str:
        try:
            floor.act(command, who[1], idem=f"press:{who[0]}")
        except WrongState as refused:
            return str(refused)
        return "recorded"

    people = [(number, ("olga", "viktor")[number % 2]) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = Counter(pool.map(press, people))
    late = "Step 3: is weighed, must be open. A second person verifies it."
    assert answers == {"recorded": 1, late: 7}
    assert len(floor.batch(batch).run("3").partials) == 1


def test_steps_done_twice_count_once() -> None:
    plant = paper()
    batch = plant.upto(plant.dispatched(), "8")
    plant.complete(batch, "8")
    with pytest.raises(Refused, match="step 8 is not the current one; 9 is next"):
        plant.act(CompleteStep(batch=batch, step="8"), "viktor")


def test_batch_begins_with_its_first_step_and_ends_with_its_last() -> None:
    plant = paper()
    batch = plant.dispatched()
    assert (plant.batch(batch).state, plant.batch(batch).started_at) == (BatchState.IDLE, None)
    plant.complete(batch, "1")
    assert plant.batch(batch).state is BatchState.RUNNING
    assert plant.batch(batch).started_at == plant.at
    plant.upto(batch, None)
    assert plant.batch(batch).state is BatchState.COMPLETE
    assert plant.batch(batch).current is None


def folded(written: list[Recorded]) -> dict[str, bytes]:
    """Return every stream's state from its entries, as the projection stores it."""
    states: dict[str, object] = {}
    for one in written:
        apply = NOUNS[one.stream.split("/", 1)[0]].apply
        states[one.stream] = apply(states.get(one.stream), one)
    return {stream: msgspec.json.encode(state, order="sorted") for stream, state in states.items()}


@settings(max_examples=25)
@given(st.data())
def test_replay_of_any_history_gives_the_states_byte_for_byte(data: st.DataObject) -> None:
    plant = paper()
    batches = [plant.dispatched(f"10001{n}", room=f"B{n}") for n in (1, 2)]
    for _ in range(data.draw(st.integers(0, 25))):
        batch = data.draw(st.sampled_from(batches))
        acts: list[Callable[[], object]] = [
            lambda batch=batch: plant.batch(batch).current and plant.do_step(batch),
            lambda batch=batch: plant.scan(batch, "3", "LA-2291"),
            lambda batch=batch: plant.deviate(batch, "3", "2000"),
            lambda: plant.pass_time(minutes=1),
        ]
        answer(data.draw(st.sampled_from(acts)))
    stored = {
        stream: msgspec.json.encode(state, order="sorted") for stream, state in plant.states.items()
    }
    assert folded(plant.written) == stored
    for stream, body in stored.items():
        kind = NOUNS[stream.split("/", 1)[0]].state
        again = msgspec.json.encode(msgspec.json.decode(body, type=kind), order="sorted")
        assert again == body


@pytest.mark.requirement("I3")
@pytest.mark.parametrize(
    ("used", "returned"), [("110", "-10"), ("90.5", "9.5")], ids=["negative", "half a label"]
)
def test_labels_are_counted_in_whole_numbers_that_are_there(used: str, returned: str) -> None:
    plant = paper()
    batch = plant.upto(plant.dispatched(), "14")
    said = refusal(
        NoCount,
        lambda: plant.complete(batch, "14", issued=100, used=used, returned=returned, destroyed=0),
    )
    assert said.endswith("must be a whole number, zero or more. Count again.")


def test_yield_is_not_below_zero() -> None:
    plant = paper()
    batch = plant.upto(plant.dispatched(), "12")
    assert refusal(NoCount, lambda: plant.complete(batch, "12", quantity="-0.1")) == (
        "Step 12: quantity -0.1 must be zero or more. Count again."
    )


def test_value_that_the_step_does_not_ask_for_is_not_recorded() -> None:
    plant = paper()
    batch = plant.upto(plant.dispatched(), "9")
    before = plant.size()
    assert refusal(EntryNotAsked, lambda: plant.complete(batch, "9", value="1.4", other=2)) == (
        "Step 9: other is not asked for; it takes value. Leave the rest out."
    )
    assert plant.size() == before
