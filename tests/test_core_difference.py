"""Differences: an owner and a reason each, and fixes only where they are safe."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from core.difference import (
    AssignDifference,
    Difference,
    DocumentLine,
    ErpDocument,
    NobodyOwns,
    NothingDiffers,
    ReasonCode,
    ShownRow,
)
from core.difference_fix import (
    NothingToSend,
    NotRefused,
    NotSafeHere,
    OtherDocument,
    OtherMessage,
    ResendMessage,
    ReversePosting,
    SecondPersonNeeded,
    SkipMessage,
    StandsForItself,
    SupersedeMessage,
)
from core.errors import Unknown, WrongState
from core.people import Person, PersonState
from core.refusal import Refusals
from core.signature import MayNotSignHere, RecordMoved, SignatureRequired
from tests.floor import Floor
from tests.hands import refusal
from tests.paper import Paper, paper

KEY, OTHER = "evt_1", "evt_2"
STREAM = f"difference/{KEY}"
READ = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
SHOWN = ShownRow(
    match_class="missing_in_erp", sha256="a" * 64, upto_seq=40, books_at=READ, entry=12,
    message=KEY, message_state="dead",
)  # fmt: skip
TWICE = msgspec.structs.replace(SHOWN, match_class="duplicate", message_state="done")
BOOKS = ErpDocument(
    id="4900000005", year="2026", order="1000178", erp_order="1000178",
    lines=(DocumentLine(material="povidone", lot="PV-1107", movement="issue",
                        quantity=Decimal("1.8"), unit="kg"),),
)  # fmt: skip


def assigning(**changes: Any) -> AssignDifference:
    given: dict[str, Any] = {
        "difference": KEY, "owner": "finn", "code": ReasonCode.REFUSED_BY_ERP,
        "note": "The order was locked.", "shown": SHOWN,
    }  # fmt: skip
    return AssignDifference(**given | changes)


def owned(shown: ShownRow = SHOWN) -> Paper:
    plant = paper()
    plant.act(assigning(shown=shown), "finn")
    return plant


def reversing(plant: Paper, **changes: Any) -> ReversePosting:
    given: dict[str, Any] = {
        "difference": KEY, "document": BOOKS.name, "why": "Posted by hand as well.",
        "books": BOOKS, "shown": TWICE, "seen": plant.seen(STREAM),
    }  # fmt: skip
    return ReversePosting(**given | changes)


@pytest.mark.requirement("L8")
def test_difference_has_an_owner_a_cause_and_a_note_and_the_newest_stands() -> None:
    plant = owned()
    found = plant.get(Difference, KEY)
    assert (found.owner, found.code, found.note) == (
        "finn", ReasonCode.REFUSED_BY_ERP, "The order was locked.",
    )  # fmt: skip
    plant.act(assigning(owner="sana", code=ReasonCode.ENTRY_ERROR, note="Wrong bag."), "finn")
    found = plant.get(Difference, KEY)
    assert (found.owner, found.assigned_by, found.match_class) == (
        "sana", "finn", "missing_in_erp",
    )  # fmt: skip
    assert [one.event.owner for one in plant.written[-2:]] == ["finn", "sana"]


def test_row_that_matches_takes_no_owner() -> None:
    shown = msgspec.structs.replace(SHOWN, match_class="matched")
    assert refusal(NothingDiffers, lambda: paper().act(assigning(shown=shown), "finn")) == (
        "Row evt_1: all sides say the same. There is nothing to clear."
    )


def test_owner_is_an_active_person_and_a_deviation_is_a_known_one() -> None:
    plant = paper()
    assert refusal(Unknown, lambda: plant.act(assigning(owner="nina"), "finn")) == (
        "person nina: not known here. Choose a person of the plant."
    )
    sana = plant.get(Person, "sana")
    plant.states["person/sana"] = replace(sana, state=PersonState.RETIRED)
    assert refusal(WrongState, lambda: plant.act(assigning(owner="sana"), "finn")) == (
        f"Person {sana.name}: is retired, must be active. Choose another owner."
    )
    said = refusal(Unknown, lambda: plant.act(assigning(deviation="D26-0009"), "finn"))
    assert said == "deviation D26-0009: not known here. Open it first, or leave it out."
    plant.states["deviation/D26-0009"] = object()
    plant.act(assigning(deviation="D26-0009"), "finn")
    assert plant.get(Difference, KEY).deviation == "D26-0009"


@pytest.mark.requirement("K1", "L8")
@pytest.mark.parametrize("state", ["pending", "unknown", "dead"])
def test_what_waits_or_was_refused_is_sent_again_under_its_key(state: str) -> None:
    plant = paper()
    shown = msgspec.structs.replace(SHOWN, message_state=state)
    plant.act(ResendMessage(difference=KEY, message=KEY, why="Unlocked.", shown=shown), "finn")
    (decided,) = plant.get(Difference, KEY).decided
    assert (decided.type, decided.message, decided.by, decided.why) == (
        "message.resend-ordered", KEY, "finn", "Unlocked.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("match_class", "state"),
    [("missing_in_erp", "sending"), ("missing_in_erp", "skipped"), ("matched", "done"),
     ("duplicate", "done"), ("not_compared", None)],
)  # fmt: skip
def test_what_is_under_way_settled_or_booked_is_not_sent_again(
    match_class: str, state: str | None
) -> None:
    shown = msgspec.structs.replace(SHOWN, match_class=match_class, message_state=state)
    command = ResendMessage(difference=KEY, message=KEY, why="Again.", shown=shown)
    said = refusal(NothingToSend, lambda: paper().act(command, "finn"))
    assert said.startswith(f"Message evt_1: is {state or 'not known'}; only what waits, was")


def test_receipted_message_that_is_not_in_the_books_is_sent_again() -> None:
    plant = paper()
    shown = msgspec.structs.replace(SHOWN, message_state="done")
    plant.act(ResendMessage(difference=KEY, message=KEY, why="Lost there.", shown=shown), "finn")
    assert len(plant.get(Difference, KEY).decided) == 1


def test_message_of_another_row_is_not_sent_from_here() -> None:
    command = ResendMessage(difference=KEY, message=OTHER, why="Again.", shown=SHOWN)
    assert refusal(OtherMessage, lambda: paper().act(command, "finn")) == (
        "Difference evt_1: message evt_2 is not of this row. Open its own row."
    )


@pytest.mark.requirement("L8")
def test_refused_message_is_skipped_under_signature_with_its_reason() -> None:
    plant = owned()
    command = SkipMessage(
        difference=KEY, message=KEY, why="Was booked by hand.", shown=SHOWN,
        seen=plant.seen(STREAM),
    )  # fmt: skip
    refusal(SignatureRequired, lambda: plant.act(command, "finn"))
    plant.sign(command, "finn")
    found = plant.get(Difference, KEY)
    assert found.decided[0].type == "message.skipped"
    assert found.signatures[0].words == (
        "Message evt_1 is not sent; its order goes on. Was booked by hand."
    )
    assert found.signatures[0].meaning == "I decide that this message is not sent"


def test_nobody_gives_a_message_up_before_the_difference_has_an_owner() -> None:
    plant = paper()
    command = SkipMessage(
        difference=KEY, message=KEY, why="No.", shown=SHOWN, seen=plant.seen(STREAM)
    )
    assert refusal(NobodyOwns, lambda: plant.sign(command, "finn")) == (
        "Difference evt_1: has no owner and no reason yet. Assign it, then decide."
    )


def test_only_a_refused_message_is_given_up() -> None:
    plant = owned()
    shown = msgspec.structs.replace(SHOWN, message_state="pending")
    command = SkipMessage(
        difference=KEY, message=KEY, why="No.", shown=shown, seen=plant.seen(STREAM)
    )
    assert refusal(NotRefused, lambda: plant.sign(command, "finn")) == (
        "Message evt_1: is pending, must be dead, which is refused by the ERP. Wait for the ERP's"
        " answer."
    )


def test_superseded_message_names_the_one_that_stands_for_it() -> None:
    plant = owned()
    given: dict[str, Any] = {
        "difference": KEY, "message": KEY, "why": "Weighed again.", "shown": SHOWN,
        "seen": plant.seen(STREAM),
    }  # fmt: skip
    said = refusal(
        StandsForItself, lambda: plant.sign(SupersedeMessage(**given, instead=KEY), "finn")
    )
    assert said == "Message evt_1: cannot stand for itself. Name the later message."
    plant.sign(SupersedeMessage(**given, instead=OTHER), "finn")
    decided = plant.get(Difference, KEY).decided[0]
    assert (decided.type, decided.instead) == ("message.superseded", OTHER)


@pytest.mark.requirement("L8")
def test_two_people_sign_before_the_erp_is_told_to_reverse_a_document() -> None:
    plant = owned(TWICE)
    plant.sign(reversing(plant), "finn")
    found = plant.get(Difference, KEY)
    assert (found.proposed, found.proposed_by) == (BOOKS, "finn")
    assert found.ordered(BOOKS.name) is None
    assert refusal(SecondPersonNeeded, lambda: plant.sign(reversing(plant), "finn")) == (
        "Document 4900000005/2026: Finn Moreau has proposed its reversal; another person must"
        " agree. Ask a second person to sign."
    )
    plant.sign(reversing(plant, why="Seen in the ERP."), "quinn")
    ordered = plant.written[-1].event
    assert (ordered.order, ordered.document, ordered.proposed_by) == ("1000178", BOOKS, "finn")
    found = plant.get(Difference, KEY)
    assert (found.proposed, found.ordered(BOOKS.name).by) == (None, "quinn")
    assert [one.meaning for one in found.signatures] == [
        "I propose that the ERP reverses this document",
        "I agree that the ERP reverses this document",
    ]
    assert found.signatures[0].words == (
        "The ERP's document 4900000005/2026 on order 1000178, issue 1.8 kg of povidone, lot"
        " PV-1107, is reversed in the ERP. Posted by hand as well."
    )
    said = refusal(WrongState, lambda: plant.sign(reversing(plant), "ines"))
    assert said.startswith("Document 4900000005/2026: is ordered to be reversed by entry")


def test_reversal_that_was_given_up_can_be_ordered_anew() -> None:
    plant = owned(TWICE)
    for person in ("finn", "quinn"):
        plant.sign(reversing(plant), person)
    dead = msgspec.structs.replace(TWICE, message=OTHER, message_state="dead")
    command = SkipMessage(
        difference=KEY, message=OTHER, why="Refused.", shown=dead, seen=plant.seen(STREAM)
    )
    plant.sign(command, "finn")
    assert plant.get(Difference, KEY).ordered(BOOKS.name) is None
    for person in ("finn", "quinn"):
        plant.sign(reversing(plant), person)
    assert plant.get(Difference, KEY).ordered(BOOKS.name) is not None


def test_books_that_changed_since_the_proposal_are_proposed_anew() -> None:
    plant = owned(TWICE)
    plant.sign(reversing(plant), "finn")
    more = msgspec.structs.replace(BOOKS.lines[0], quantity=Decimal("1.9"))
    changed = msgspec.structs.replace(BOOKS, lines=(more,))
    said = refusal(MayNotSignHere, lambda: plant.sign(reversing(plant, books=changed), "quinn"))
    assert "posting.reverse:first; it needs the role finance" in said
    plant.sign(reversing(plant, books=changed), "finn")
    assert plant.get(Difference, KEY).proposed == changed


def test_second_signer_who_saw_an_older_version_signs_nothing() -> None:
    plant = owned(TWICE)
    early = reversing(plant)
    plant.sign(early, "finn")
    with pytest.raises(RecordMoved):
        plant.sign(early, "quinn")


@pytest.mark.parametrize("match_class", ["missing_in_erp", "qty_mismatch", "late", "matched"])
def test_document_is_reversed_only_where_it_is_one_too_many(match_class: str) -> None:
    plant = owned(TWICE)
    shown = msgspec.structs.replace(TWICE, match_class=match_class)
    assert refusal(NotSafeHere, lambda: plant.sign(reversing(plant, shown=shown), "finn")) == (
        f"Difference evt_1: is {match_class}; a document is reversed from here only where it is"
        " duplicate or missing_in_mes. Ask the ERP's keeper."
    )


def test_document_that_the_books_do_not_show_in_the_row_is_refused() -> None:
    plant = owned(TWICE)
    command = reversing(plant, document="4900000099/2026")
    assert refusal(OtherDocument, lambda: plant.sign(command, "finn")) == (
        "Difference evt_1: document 4900000099/2026 is not of this row. Read it again."
    )


@pytest.mark.requirement("L8")
def test_refused_second_signature_is_evidence_beside_the_difference(floor: Floor) -> None:
    floor.act(assigning(shown=TWICE), "finn")
    command = reversing(floor)  # type: ignore[arg-type]
    floor.sign(command, "finn")
    with pytest.raises(SecondPersonNeeded):
        floor.sign(reversing(floor), "finn")  # type: ignore[arg-type]
    (attempt,) = floor.get(Refusals, STREAM).attempts
    assert (attempt.rule, attempt.by) == ("SecondPersonNeeded", "finn")
    floor.sign(reversing(floor), "quinn")  # type: ignore[arg-type]
    assert floor.get(Difference, KEY).ordered(BOOKS.name).by == "quinn"
