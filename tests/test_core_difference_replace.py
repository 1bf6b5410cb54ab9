"""A wrong posting is replaced by two people: reversed, and the same fact told anew, numbered."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from core.difference import Difference, DocumentLine, FloorFact, NobodyOwns
from core.difference_fix import OtherDocument, SkipMessage
from core.difference_replace import (
    TAKEN_BACK,
    WRONG,
    NotReplacedHere,
    ReplacePosting,
    SecondMustAgree,
    StillUnderWay,
)
from core.errors import WrongState
from core.signature import MayNotSignHere
from tests.hands import refusal
from tests.paper import Paper, paper
from tests.test_core_difference import BOOKS, KEY, OTHER, STREAM, TWICE, owned

OFF = msgspec.structs.replace(TWICE, match_class="qty_mismatch")
FACT = FloorFact(
    entry=12, message=KEY, order="1000178", erp_order="1000178",
    line=DocumentLine(material="povidone", lot="PV-1107", movement="issue",
                      quantity=Decimal("1.809"), unit="kg"),
)  # fmt: skip


def replacing(plant: Paper, **changes: Any) -> ReplacePosting:
    given: dict[str, Any] = {
        "difference": KEY, "document": BOOKS.name, "why": "The floor weighed it.", "books": BOOKS,
        "fact": FACT, "shown": OFF, "seen": plant.seen(STREAM),
    }  # fmt: skip
    return ReplacePosting(**given | changes)


@pytest.mark.requirement("L8", "K8")
def test_second_person_orders_reversal_and_fact_in_one_commit_one_behind_the_other() -> None:
    plant = owned(OFF)
    plant.sign(replacing(plant), "finn")
    assert plant.get(Difference, KEY).replacing_by == "finn"
    assert refusal(SecondMustAgree, lambda: plant.sign(replacing(plant), "finn")) == (
        "Difference evt_1: Finn Moreau has proposed what is posted again; another person must"
        " agree. Ask a second person to sign."
    )
    plant.sign(replacing(plant), "quinn")
    signed, reversal, anew = (one.event for one in plant.written[-3:])
    assert (reversal.document, reversal.order) == (BOOKS, "1000178")
    assert (anew.fact, anew.again, anew.replaces, anew.proposed_by) == (
        FACT, 1, BOOKS.name, "finn",
    )  # fmt: skip
    assert signed.manifest.words == (
        "The ERP's document 4900000005/2026 on order 1000178, issue 1.8 kg of povidone, lot"
        " PV-1107, is reversed in the ERP. What the floor did by entry 12, issue 1.809 kg of"
        " povidone, lot PV-1107, on order 1000178, is posted anew. The floor weighed it."
    )
    found = plant.get(Difference, KEY)
    assert (found.replacing, found.replaced) == (None, 1)
    refusal(WrongState, lambda: plant.sign(replacing(plant), "finn"))


def test_each_time_has_its_own_number_and_a_given_up_reversal_is_ordered_anew() -> None:
    plant = owned(OFF)
    for person in ("finn", "quinn"):
        plant.sign(replacing(plant), person)
    dead = msgspec.structs.replace(OFF, message=OTHER, message_state="dead")
    skip = SkipMessage(
        difference=KEY, message=OTHER, why="Refused.", shown=dead, seen=plant.seen(STREAM)
    )
    plant.sign(skip, "finn")
    for person in ("finn", "quinn"):
        plant.sign(replacing(plant), person)
    assert plant.written[-1].event.again == 2


def test_what_the_erp_took_back_is_posted_again_without_a_document() -> None:
    plant = owned(OFF)
    back = msgspec.structs.replace(TWICE, match_class=TAKEN_BACK)
    given: dict[str, Any] = {"document": None, "books": None, "shown": back}
    for person in ("finn", "quinn"):
        plant.sign(replacing(plant, **given), person)
    assert (plant.written[-1].event.again, plant.written[-1].event.replaces) == (1, None)
    assert type(plant.written[-2].event).__name__ == "SignatureApplied"


def test_only_finance_proposes_and_what_changed_meanwhile_is_proposed_anew() -> None:
    plant = owned(OFF)
    refusal(MayNotSignHere, lambda: plant.sign(replacing(plant), "quinn"))
    plant.sign(replacing(plant), "finn")
    line = msgspec.structs.replace(BOOKS.lines[0], quantity=Decimal("1.9"))
    moved = msgspec.structs.replace(BOOKS, lines=(line,))
    refusal(MayNotSignHere, lambda: plant.sign(replacing(plant, books=moved), "quinn"))


@pytest.mark.parametrize("match_class", ["matched", "duplicate", "gl_missing", TAKEN_BACK])
def test_document_is_replaced_only_where_the_erp_booked_the_fact_wrongly(match_class: str) -> None:
    plant = owned(OFF)
    shown = msgspec.structs.replace(OFF, match_class=match_class)
    said = refusal(NotReplacedHere, lambda: plant.sign(replacing(plant, shown=shown), "finn"))
    assert f"is {match_class}; a document is replaced only where it is {WRONG[0]} or" in said


def test_nothing_is_replaced_while_a_message_is_open_or_nobody_owns_the_difference() -> None:
    plant = owned(OFF)
    for state in ("pending", "unknown", "dead"):
        shown = msgspec.structs.replace(OFF, message_state=state)
        said = refusal(StillUnderWay, lambda s=shown: plant.sign(replacing(plant, shown=s), "finn"))
        assert said == (
            f"Difference evt_1: message evt_1 is {state}, must be settled: done, skipped,"
            " superseded. Resend it or give it up first."
        )
    other = replacing(plant, document="4900000099/2026")
    refusal(OtherDocument, lambda: plant.sign(other, "finn"))
    nobody = paper()
    refusal(NobodyOwns, lambda: nobody.sign(replacing(nobody), "finn"))
