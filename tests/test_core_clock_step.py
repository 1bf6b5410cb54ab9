"""Steps of the clock: what is one, how it is recorded, and that it lengthens and hides nothing."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from core.authentication import TooSoon
from core.clock import Watch, iso
from core.clock_step import LEAST, ClockSteps, NoStep, RecordClockStep, decide
from core.credentials import Secrets
from core.execution import Actor, Execution
from core.fact import Context, Sketch
from core.ledger.search import DISORDER, Wanted, search
from core.people import INSTALLER, RegisterPerson
from core.signing import DoesNotFit
from tests.floor import Floor
from tests.hands import AT, PACK, refusal
from tests.ledgers import KEY, draft, job, reading, writing

CONTEXT = Context(at=AT, actor="service:clock", station=None, idem="c-1", zone="UTC")


class SetClock:
    """A clock to be set, and the time that really went by."""

    def __init__(self) -> None:
        self.wall, self.elapsed_s = AT, 100.0

    def passes(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.elapsed_s += seconds

    def watch(self) -> Watch:
        return Watch(lambda: self.wall, lambda: self.elapsed_s)


def step(by: timedelta) -> RecordClockStep:
    return RecordClockStep(plant="tablets", expected=AT, now=AT + by)


@pytest.mark.requirement("H5")
@pytest.mark.parametrize("by", [timedelta(seconds=2, microseconds=1), timedelta(days=-400)])
def test_more_than_two_seconds_either_way_is_a_step(by: timedelta) -> None:
    [fact] = decide(Sketch(), step(by), CONTEXT)
    assert (fact.stream, fact.event.by_ms) == ("clock/tablets", by // timedelta(milliseconds=1))


@pytest.mark.parametrize("by", [timedelta(seconds=2), timedelta(seconds=-2), timedelta(0)])
def test_two_seconds_are_no_step(by: timedelta) -> None:
    with pytest.raises(NoStep) as refusal:
        decide(Sketch(), step(by), CONTEXT)
    assert str(refusal.value) == (
        f"Clock: is {by.total_seconds():.3f} s off, a step is more than 2 s."
        " Nothing is to be recorded."
    )


def test_a_watch_sees_what_was_set_and_not_what_went_by() -> None:
    clock = SetClock()
    watch = clock.watch()
    clock.passes(3_600)
    assert watch.look() == (clock.wall, clock.wall)
    clock.wall -= timedelta(hours=1)
    assert watch.look() == (AT + timedelta(hours=1), AT)
    assert watch.look() == (AT, AT)
    assert watch.steady() == AT + timedelta(hours=1)


def test_a_clock_set_back_while_nobody_looked_is_expected_at_the_newest_entry() -> None:
    watch = SetClock().watch()
    watch.expect(AT - timedelta(hours=1))
    assert watch.look() == (AT, AT)
    watch.expect(AT + timedelta(hours=5))
    assert watch.look() == (AT + timedelta(hours=5), AT)


def opened(folder: Path, clock: SetClock) -> Execution:
    execution = Execution(
        folder / "ledger.db", KEY, plant=PACK.id, now=lambda: clock.wall, watch=clock.watch(),
        secrets=Secrets(f"sqlite:///{folder / 'credentials.db'}"),
    )  # fmt: skip
    execution.start()
    return execution


def register(execution: Execution, person: str, actor: str) -> None:
    command = RegisterPerson(person=person, name=person, badge=f"b-{person}", roles=("operator",))
    execution.submit(command, actor=Actor(actor), idem=person)


@pytest.mark.requirement("H5")
def test_a_step_stands_before_the_first_entry_that_has_its_time(
    seeded_folder: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(seeded_folder, tmp_path / "plant"))
    clock = SetClock()
    clock.passes(86_400)  # after the seeds
    execution = opened(folder, clock)
    try:
        register(execution, "ama", "ada")
        before = execution.ledger.size()
        clock.wall -= timedelta(days=2)
        register(execution, "ben", "ada")
        first, *others = execution.ledger.entries(before)
        assert (first.type, first.actor, first.data["by_ms"]) == (
            "clock.stepped", "service:clock", -2 * 86_400_000
        )  # fmt: skip
        assert {one.at for one in (first, *others)} == {iso(clock.wall)}
        assert others[-1].stream.endswith("ben")
        state = execution.nouns.get(ClockSteps, PACK.id)
        assert state is not None
        assert state.seqs == (first.seq,)
    finally:
        execution.close()
    clock.wall -= timedelta(hours=1)  # and once more while the server is down
    execution = opened(folder, clock)
    try:
        size = execution.ledger.size()
        register(execution, "cem", "ada")
        assert execution.ledger.entries(size)[0].type == "clock.stepped"
    finally:
        execution.close()


def test_a_plant_whose_matrix_does_not_know_steps_goes_on(tmp_path: Path) -> None:
    clock = SetClock()
    execution = opened(tmp_path, clock)
    try:
        clock.wall += timedelta(days=1)
        register(execution, "ama", INSTALLER)
        assert "clock.stepped" not in {one.type for one in execution.ledger.entries()}
    finally:
        execution.close()


@pytest.mark.requirement("H7")
@pytest.mark.parametrize("by", [timedelta(hours=-3), timedelta(0), timedelta(hours=3)])
def test_a_step_neither_lengthens_nor_ends_the_wait_after_wrong_secrets(
    tmp_path: Path, by: timedelta
) -> None:
    clock = SetClock()
    execution = opened(tmp_path, clock)

    def tries() -> None:
        execution.authenticate("nobody", "12345678", station=None)

    try:
        for _ in range(2):
            refusal(DoesNotFit, tries)
        clock.wall += by
        refusal(TooSoon, tries)
        clock.passes(1)
        refusal(DoesNotFit, tries)
    finally:
        execution.close()


def test_a_plant_without_a_watch_records_no_step(floor: Floor) -> None:
    floor.clock.pass_time(days=3)
    floor.act(RegisterPerson(person="ama", name="Ama", badge="20001", roles=("operator",)), "ada")
    assert floor.get(ClockSteps, PACK.id) is None


@pytest.mark.requirement("H5")
def test_a_search_by_time_finds_what_a_clock_set_back_wrote(tmp_path: Path) -> None:
    path, day = tmp_path / "ledger.db", AT - timedelta(days=1)
    many = [draft(f"batch/B{n % 7}", n=n) for n in range(3_500)]  # a search looks a little around
    with writing(path) as writer:
        for one, at in (
            (job("first", *many), AT),
            (job("step", draft("clock/tablets")), day),
            (job("back", draft(said="found")), day),
            (job("more", *many[:2_000]), AT + timedelta(days=1)),
        ):
            writer.submit(replace(one, at=lambda at=at: at)).result(20)
    with reading(path) as ledger:
        found = search(ledger, Wanted(start=iso(day), end=iso(day + timedelta(hours=1))))
    assert [entry.idem for entry in found.entries] == ["back", "step"]
    assert not found.more


@pytest.mark.requirement("H5")
@pytest.mark.parametrize("back", [timedelta(milliseconds=400), LEAST, 2 * LEAST])
def test_a_search_by_time_finds_what_a_small_correction_put_behind_what_is_later(
    tmp_path: Path, back: timedelta
) -> None:
    """A correction of up to 2 s is no step, and two of them may follow each other at once."""
    path, earlier = tmp_path / "ledger.db", AT - back
    many = [draft(f"batch/B{n % 7}", n=n) for n in range(40)]
    with writing(path) as writer:
        for one, at in (
            (job("long before", *many), AT - timedelta(hours=1)),
            (job("before", *many), AT),
            (job("corrected", draft(said="found")), earlier),
            (job("after", *many), AT + timedelta(hours=1)),
        ):
            writer.submit(replace(one, at=lambda at=at: at)).result(20)
    with reading(path) as ledger:
        exactly = Wanted(start=iso(earlier), end=iso(earlier + timedelta(microseconds=1)))
        found = search(ledger, exactly)
    assert [entry.idem for entry in found.entries] == ["corrected"]
    assert DISORDER == 2 * LEAST


@pytest.mark.requirement("H5")
@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z"])
def test_a_search_by_time_takes_the_first_and_the_last_moment_there_is(
    tmp_path: Path, moment: str
) -> None:
    with writing(tmp_path / "ledger.db") as writer:
        writer.submit(job("one", draft())).result(20)
    with reading(tmp_path / "ledger.db") as ledger:
        assert len(search(ledger, Wanted(start=moment)).entries) == (moment < "1")
        assert len(search(ledger, Wanted(end=moment)).entries) == (moment > "1")
