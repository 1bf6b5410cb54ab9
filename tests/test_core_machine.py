"""A batch and its lots against simple models: any acts in any order, on the real execution."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from core.batch.state import DECIDED, Batch, BatchState, StepState
from core.batch.steps import CompleteStep
from core.deviation import Deviation, DeviationState, Disposition, DispositionDeviation
from core.errors import Refused
from core.material import ChangeLotStatus, Lot, LotStatus
from core.projections.nouns import differences
from core.recipe import StepKind
from tests.floor import open_floor
from tests.hands import GOOD_LOTS

PEOPLE = st.sampled_from(["olga", "viktor", "sana"])
LOTS = st.sampled_from(sorted(GOOD_LOTS.values()))
MOVES = {"container.dispensed": 1, "container.returned": -1}


class Plant(RuleBasedStateMachine):
    """One booth, one batch; the model is what was in the lots, and what a decided batch was."""

    def __init__(self, seeded: Path, folder: Path) -> None:
        super().__init__()
        shutil.copytree(seeded, folder)
        self._opened = open_floor(folder)
        self.floor = self._opened.__enter__()
        self.lots = {name: self._lot(name).left for name in GOOD_LOTS.values()}
        self.decided: Batch | None = None
        self.refused: Counter[str] = Counter()

    def teardown(self) -> None:
        try:
            assert differences(self.floor.execution.ledger) == []
        finally:
            self._opened.__exit__(None, None, None)

    def _lot(self, name: str) -> Lot:
        found: Lot = self.floor.get(Lot, name)
        return found

    @property
    def now(self) -> Batch:
        return self.floor.batch(self.batch)

    @property
    def step(self) -> str:
        return self.now.current.step if self.now.current else "14"

    def _try(self, act: Callable[[], Any]) -> bool:
        """Return whether an act was taken; a refusal changes nothing but the attempts."""
        before = self.floor.seen(f"batch/{self.batch}")
        try:
            act()
        except Refused as refused:
            self.refused[refused.rule] += 1
            assert self.floor.seen(f"batch/{self.batch}") == before
            return False
        return True

    @initialize(steps=st.sampled_from(["1", "3", "4", "7", "9", "12", None]))
    def dispatched(self, steps: str | None) -> None:
        self.batch = self.floor.upto(self.floor.dispatched(), steps)

    @rule()
    def go_on(self) -> None:
        if self.now.current is not None:
            self._try(lambda: self.floor.do_step(self.batch))

    @rule(by=PEOPLE, lot=LOTS, more=st.booleans(), net=st.sampled_from(["100", "600", "1800"]))
    def weigh(self, by: str, lot: str, more: bool, net: str) -> None:
        step = self.step
        self._try(lambda: self.floor.scan(self.batch, step, lot, by=by))
        self._try(lambda: self.floor.tare(self.batch, step))
        self._try(lambda: self.floor.weigh(self.batch, step, net, more=more, by=by))

    @rule(by=PEOPLE)
    def verify(self, by: str) -> None:
        run = self.now.current
        taken = self._try(lambda: self.floor.verify(self.batch, self.step, by=by))
        assert not taken or (run is not None and by not in run.hands)

    @rule()
    def deviate(self) -> None:
        self._try(lambda: self.floor.deviate(self.batch, self.step, "9000"))

    @rule(by=PEOPLE, step=st.sampled_from(["9", "11", "12"]), value=st.decimals(0, 700, places=1))
    def correct(self, by: str, step: str, value: Decimal) -> None:
        name = "quantity" if step == "12" else "value"
        self._try(lambda: self.floor.correct(self.batch, step, by=by, **{name: value}))

    @rule(by=PEOPLE, step=st.sampled_from(["3", "4", "5", "6", "7"]))
    def take_back(self, by: str, step: str) -> None:
        run = self.now.run(step)
        if run is not None and run.partials:
            self._try(lambda: self.floor.take_back(self.batch, step, by=by))

    @rule(how=st.sampled_from(Disposition), by=st.sampled_from(["quinn", "ines", "olga"]))
    def disposition(self, how: Disposition, by: str) -> None:
        for name in self.now.deviations:
            if self.floor.get(Deviation, name).state is DeviationState.OPEN:
                decided = DispositionDeviation(
                    deviation=name, disposition=how, assessment="Seen.",
                    seen=self.floor.seen(f"deviation/{name}"), instruction="SOP-114.",
                )  # fmt: skip
                self._try(lambda decided=decided: self.floor.sign(decided, by))

    @rule(lot=LOTS, to=st.sampled_from([LotStatus.ON_HOLD, LotStatus.RELEASED]))
    def change_lot(self, lot: str, to: LotStatus) -> None:
        seen = self.floor.seen(f"lot/{lot}")
        change = ChangeLotStatus(lot=lot, status=to, why="Complaint.", seen=seen)
        try:
            self.floor.sign(change, "ines")
        except Refused:
            assert self._lot(lot).status is to

    @precondition(lambda self: self.now.state is BatchState.COMPLETE)
    @rule()
    def release(self) -> None:
        self._try(lambda: self.floor.review(self.batch))
        if self._try(lambda: self.floor.release(self.batch)):
            self.decided = self.now

    @rule()
    def repeat_the_last_command(self) -> None:
        """The same command under the same id is answered again and writes nothing."""
        step, size = self.step, self.floor.size()
        for _ in range(2):
            try:
                self.floor.act(self._complete(step), "olga", idem=f"again:{size}")
            except Refused:
                continue
            assert self.now.run(step).state is not StepState.IDLE
        types = [one.type for one in self.floor.execution.ledger.entries(size, 100)]
        assert types.count("step.value-recorded") <= 1
        assert types.count("attempt.refused") <= 1

    def _complete(self, step: str) -> Any:
        return CompleteStep(batch=self.batch, step=step)

    @invariant()
    def quantities_are_conserved(self) -> None:
        if not hasattr(self, "batch"):
            return
        for name, at_first in self.lots.items():
            out = sum(
                (
                    MOVES[one.type] * Decimal(one.data["quantity"])
                    for one in self.floor.execution.ledger.stream(f"lot/{name}")
                    if one.type in MOVES
                ),
                Decimal(0),
            )
            lot = self._lot(name)
            assert lot.left + out == at_first
            assert all(left >= 0 for left in lot.containers.values())
            set_aside = sum(
                one.net_g
                for run in self.now.steps
                for again in run.redone
                for one in again.partials
                if one.lot == name
            )
            held = sum(
                one.net_g for run in self.now.steps for one in run.partials if one.lot == name
            )
            assert out == held + set_aside

    @invariant()
    def the_erp_is_told_what_is_in(self) -> None:
        if not hasattr(self, "batch"):
            return
        told: Counter[str] = Counter()
        for one in self.floor.execution.ledger.stream(f"batch/{self.batch}"):
            if one.type in ("material.consumed", "material.consumption-reversed"):
                told[one.data["step"]] += Decimal(one.data["net_g"])  # type: ignore[assignment]
        for run in self.now.steps:
            consumed = sum(one.net_g for one in run.partials if one.consumed is not None)
            assert told[run.step] == consumed

    @invariant()
    def one_step_is_current_and_a_held_one_blocks(self) -> None:
        if not hasattr(self, "batch"):
            return
        now = self.now
        is_open = [one for one in now.steps if one.state is not StepState.COMPLETE]
        assert (now.current is None) is (not is_open)
        held = [one for one in now.steps if one.state is StepState.HELD]
        assert (now.state is BatchState.HELD) is (len(held) == 1) is (now.held_by is not None)
        assert (now.state in (BatchState.COMPLETE, *DECIDED)) is (not is_open)
        if now.state is BatchState.HELD:
            step = now.recipe_step(held[0].step)
            weighs = step.kind is StepKind.WEIGH
            acts = self.floor.tare if weighs else self.floor.complete
            assert not self._try(lambda: acts(self.batch, step.step))

    @invariant()
    def a_released_batch_never_changes(self) -> None:
        if self.decided is not None:
            assert self.now == self.decided


@pytest.mark.requirement("C1", "C4", "E7", "G2")
def test_any_acts_in_any_order_keep_the_model(
    seeded_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run_state_machine_as_test(
        lambda: Plant(seeded_folder, tmp_path_factory.mktemp("machine") / "plant"),
        settings=settings(
            max_examples=6,
            stateful_step_count=18,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
