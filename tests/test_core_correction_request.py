"""Finance asks for a correction: who, what, why, until when; the correction itself closes it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from core.batch.events import MaterialConsumed
from core.correction_request import (
    CannotCorrect,
    CorrectionRequest,
    DeclineCorrection,
    DueInThePast,
    NotAskedOfYou,
    RequestCorrection,
    RequestState,
)
from core.difference import DocumentLine, FloorFact, NothingDiffers
from core.errors import Unknown, WrongState
from tests.hands import refusal
from tests.paper import Paper, paper
from tests.test_core_correct import at
from tests.test_core_difference import SHOWN


def made() -> tuple[Paper, str, int]:
    """Return a plant with one consumption told, its batch and the entry."""
    plant = paper()
    batch = at(plant, "4")
    told = next(one for one in plant.written if isinstance(one.event, MaterialConsumed))
    return plant, batch, told.seq


def asking(plant: Paper, batch: str, entry: int, **changes: Any) -> RequestCorrection:
    order = plant.batch(batch).order
    line = DocumentLine(
        material="povidone", lot="PV-1107", movement="issue", quantity=Decimal("1.8"), unit="kg"
    )
    fact = FloorFact(entry=entry, message="evt_1", order=order, erp_order=order, line=line)
    today = plant.context("finn").today
    given: dict[str, Any] = {
        "difference": "evt_1", "to": "olga", "what": "The scale shows 1.7 kg.",
        "due_on": today, "fact": fact,
        "shown": msgspec.structs.replace(SHOWN, match_class="qty_mismatch"),
    }  # fmt: skip
    return RequestCorrection(**given | changes)


@pytest.mark.requirement("L8", "C4")
def test_request_is_closed_by_the_correction_of_its_entry_in_the_same_commit() -> None:
    plant, batch, entry = made()
    plant.act(asking(plant, batch, entry), "finn")
    found = plant.get(CorrectionRequest, str(entry))
    assert (found.to, found.asked_by, found.batch, found.is_open) == ("olga", "finn", batch, True)
    size = plant.size()
    plant.take_back(batch, "3")
    types = [type(one.event).__name__ for one in plant.written[size:]]
    assert types.index("CorrectionMade") == types.index("ConsumptionReversed") + 1
    found = plant.get(CorrectionRequest, str(entry))
    assert (found.state, found.answered_by) == (RequestState.MADE, "olga")
    assert plant.written[size + types.index("CorrectionMade")].event.by == (
        "material.consumption-reversed"
    )


def test_correction_of_what_nobody_asked_for_closes_nothing() -> None:
    plant, batch, entry = made()
    plant.take_back(batch, "3")
    assert plant.get(CorrectionRequest, str(entry)) is None


@pytest.mark.requirement("L8")
def test_request_is_declined_by_who_was_asked_a_supervisor_or_qa_with_the_reason() -> None:
    for by in ("olga", "sana", "quinn"):
        plant, batch, entry = made()
        plant.act(asking(plant, batch, entry), "finn")
        why = DeclineCorrection(entry=entry, why="It was 1.8 kg; the ERP is wrong.")
        assert refusal(NotAskedOfYou, lambda p=plant, w=why: p.act(w, "viktor")).startswith(
            f"Entry {entry}: olga was asked, "
        )
        plant.act(why, by)
        found = plant.get(CorrectionRequest, str(entry))
        assert (found.state, found.answered_by, found.answer) == (
            RequestState.DECLINED, by, "It was 1.8 kg; the ERP is wrong.",
        )  # fmt: skip
        refusal(WrongState, lambda p=plant, w=why: p.act(w, "olga"))
        plant.act(asking(plant, batch, entry, what="Look again."), "finn")
        assert plant.get(CorrectionRequest, str(entry)).is_open


def test_request_names_a_person_who_corrects_and_a_day_to_come() -> None:
    plant, batch, entry = made()
    today = plant.context("finn").today
    assert refusal(
        DueInThePast,
        lambda: plant.act(asking(plant, batch, entry, due_on=today - timedelta(days=1)), "finn"),
    ).endswith("Choose today or a later day.")
    assert refusal(
        CannotCorrect, lambda: plant.act(asking(plant, batch, entry, to="finn"), "finn")
    ).endswith("is no operator, supervisor, qa. Ask one who is.")
    refusal(Unknown, lambda: plant.act(asking(plant, batch, entry, to="nobody"), "finn"))
    matched = msgspec.structs.replace(SHOWN, match_class="matched")
    refusal(NothingDiffers, lambda: plant.act(asking(plant, batch, entry, shown=matched), "finn"))
    plant.act(asking(plant, batch, entry), "finn")
    assert refusal(WrongState, lambda: plant.act(asking(plant, batch, entry), "finn")).startswith(
        f"Entry {entry}: is asked of olga already"
    )
    refusal(Unknown, lambda: plant.act(DeclineCorrection(entry=entry + 1, why="No."), "olga"))
