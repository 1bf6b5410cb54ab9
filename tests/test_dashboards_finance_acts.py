"""What finance does about a difference: the server says what the match says, the relay acts."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.difference import Difference
from dashboards.finance.acts import NoErp
from dashboards.finance.compare import MatchRow
from dashboards.finance.owned import to_clear
from erp import evidence
from erp.rows import State
from tests.finance_plant import Client, FinancePlant, refusing_plant
from tests.patience import eventually
from tests.plant import LivingPlant


@pytest.fixture
def finance(living_plant: LivingPlant, tmp_path: Path) -> Iterator[FinancePlant]:
    with refusing_plant(living_plant, tmp_path) as plant:
        yield plant


@pytest.fixture
def finn(finance: FinancePlant) -> Iterator[Client]:
    with finance.signed_in("finn") as client:
        yield client


def row_of(finance: FinancePlant, match_class: str) -> MatchRow:
    """Return the one row of a class, as soon as there is one."""

    def those() -> list[MatchRow]:
        finance.reader.read()
        return [one for one in finance.rows() if one.match_class == match_class]

    return eventually(those)[0]


def assigned(finn: Client, key: str, **changes: Any) -> httpx.Response:
    given = {"owner": "finn", "code": "refused_by_erp", "note": "The order was locked."} | changes
    return finn.send("difference.assign", difference=key, **given)


def says(answer: httpx.Response) -> str:
    assert answer.status_code in (403, 409, 422), answer.text
    return str(answer.json()["detail"])


def locked(finance: FinancePlant) -> MatchRow:
    """Return the row of the first message of an order that the ERP refuses."""
    finance.erp.admin("orders", id="1002", state="locked")
    finance.made("1002")
    return row_of(finance, "missing_in_erp")


@pytest.mark.requirement("L8", "K1")
def test_resend_is_an_entry_with_what_the_match_said_and_the_relay_acts_on_it(
    finance: FinancePlant, finn: Client
) -> None:
    row = locked(finance)
    shown = {"match_class": "matched", "sha256": "0" * 64, "upto_seq": 1}
    answer = finn.send(
        "message.resend", difference=row.key, message=row.key, why="Unlocked.", shown=shown
    )
    assert says(answer) == (
        "message.resend: carries shown. The server reads the match itself. Leave it out."
    )
    assert says(assigned(finn, "evt_none")) == (
        "Row evt_none: is in none of the three lists now. Read the list again."
    )
    assert assigned(finn, row.key).status_code == 200
    finance.erp.admin("orders", id="1002", state="released")
    answer = finn.send("message.resend", difference=row.key, message=row.key, why="Unlocked.")
    assert answer.status_code == 200, answer.text
    finance.told()
    entry = finance.plant.execution.ledger.stream(f"difference/{row.key}")[-1]
    assert (entry.type, entry.actor, entry.data["why"]) == (
        "message.resend-ordered", "finn", "Unlocked.",
    )  # fmt: skip
    said = entry.data["shown"]
    assert (said["match_class"], said["message_state"], said["message"], said["entry"]) == (
        "missing_in_erp", "dead", row.key, row.entry_seq,
    )  # fmt: skip
    tried = evidence.attempts(finance.boundary.outbox, row.key)
    assert [one.outcome for one in tried] == ["rejected", "posted"]
    assert row_of(finance, "matched") is not None
    answer = finn.send("message.resend", difference=row.key, message=row.key, why="Again.")
    assert says(answer).startswith(f"Message {row.key}: is done; only what waits, was refused,")


@pytest.mark.requirement("L8")
def test_owner_finds_the_difference_on_the_first_page_until_it_matches(
    finance: FinancePlant, finn: Client
) -> None:
    row, execution = locked(finance), finance.plant.execution
    assert to_clear(execution, "sana", finance.reader) == []
    assert assigned(finn, row.key, owner="sana").status_code == 200
    (section,) = to_clear(execution, "sana", finance.reader)
    (task,) = section.tasks
    assert (task.title, task.word) == ("Missing in ERP", "Refused by the ERP")
    assert (task.href, task.lines[0]) == (f"/reconcile?row={row.key}", "The order was locked.")
    assert to_clear(execution, "sana", None) == [section]
    assert to_clear(execution, "finn", finance.reader) == []
    finance.erp.admin("orders", id="1002", state="released")
    finn.send("message.resend", difference=row.key, message=row.key, why="Unlocked.")
    finance.told()
    row_of(finance, "matched")
    assert to_clear(execution, "sana", finance.reader) == []


@pytest.mark.requirement("L8")
def test_skipped_message_lets_its_order_go_on_and_its_row_keeps_class_and_signature(
    finance: FinancePlant, finn: Client
) -> None:
    row = locked(finance)
    assert assigned(finn, row.key).status_code == 200
    finance.erp.admin("orders", id="1002", state="released")
    seen = finn.one("difference", row.key)["seen"]
    given = {"difference": row.key, "message": row.key, "why": "Booked by hand.", "seen": seen}
    assert "needs badge or user id" in says(finn.send("message.skip", **given))
    answer = finn.send("message.skip", by="finn", **given)
    assert answer.status_code == 200, answer.text
    outbox = finance.boundary.outbox

    def settled() -> bool:
        counts = evidence.counts(outbox)
        return (counts[State.SKIPPED], counts[State.DONE]) == (1, 2)

    eventually(settled)
    kept = evidence.find(outbox, row.key)
    assert kept is not None
    assert kept.settled_by == f"entry {answer.json()['last_seq']}"
    after = row_of(finance, "missing_in_erp")
    assert after.key == row.key
    difference = finance.plant.execution.nouns.get(Difference, row.key)
    assert difference is not None
    assert [one.name for one in difference.signatures] == ["Finn Fuchs"]


@pytest.mark.requirement("L8")
def test_superseded_message_names_a_later_one_of_its_order(
    finance: FinancePlant, finn: Client
) -> None:
    row = locked(finance)
    assert assigned(finn, row.key).status_code == 200
    lane = evidence.messages(finance.boundary.outbox, lane="1002")
    given = {
        "difference": row.key, "message": row.key, "why": "Told again.",
        "seen": finn.one("difference", row.key)["seen"],
    }  # fmt: skip
    answer = finn.send("message.supersede", by="finn", instead="evt_none", **given)
    assert says(answer) == (
        "Message evt_none: is no later message of order 1002. Choose one of its list."
    )
    instead = lane[1].event_id
    answer = finn.send("message.supersede", by="finn", instead=instead, **given)
    assert answer.status_code == 200, answer.text
    outbox = finance.boundary.outbox
    eventually(lambda: evidence.counts(outbox)[State.SUPERSEDED] == 1)


@pytest.mark.requirement("L8", "K8")
def test_posting_by_hand_is_reversed_in_the_erp_by_two_people(
    finance: FinancePlant, finn: Client
) -> None:
    finance.made("1001")
    finance.told()
    by_hand = {"order": "1001", "item": "PVP", "lot": "PV-3302", "quantity": "3"}
    finance.erp.admin("postings", movement="issue", **by_hand)
    row = row_of(finance, "missing_in_mes")
    document = row.postings[0].document.rpartition("/")[0]
    given = {"difference": row.key, "document": document, "why": "Nobody weighed it."}
    assert assigned(finn, row.key, code="posted_by_hand").status_code == 200

    def sign(by: str, **changes: Any) -> httpx.Response:
        seen = finn.one("difference", row.key)["seen"]
        return finn.send("posting.reverse", by=by, seen=seen, **given | changes)

    assert says(sign("finn", document="1/2026")) == (
        "Document 1/2026: is not one too many in this row. Ask the ERP's keeper to reverse it"
        " there."
    )
    assert "carries books" in says(sign("finn", books={}))
    assert sign("finn").status_code == 200
    assert "another person must agree" in says(sign("finn"))
    assert finance.plant.execution.ledger.stream(f"difference/{row.key}")[-1].type == (
        "posting.reversal-proposed"
    )
    answer = sign("quinn")
    assert answer.status_code == 200, answer.text
    difference = finance.plant.execution.nouns.get(Difference, row.key)
    assert difference is not None
    assert "issue 3 kg of PVP, lot PV-3302," in difference.signatures[0].words
    finance.told()
    lines = [one for one in finance.erp.lines("1001") if one["lot"] == "PV-3302"]
    assert sum(Decimal(one["quantity"]) for one in lines) == Decimal("1.8")
    message = evidence.messages(finance.boundary.outbox)[-1]
    assert (message.type, message.state) == ("mes.document_reversed.v1", State.DONE)
    assert message.entry_seq == answer.json()["last_seq"]
    eventually(lambda: {one.match_class for one in finance.rows()} == {"matched"})
    after = next(one for one in finance.rows() if one.key == row.key)
    assert (after.match_class, len(after.postings)) == ("matched", 2)
    assert after.cause == "Posted by hand and taken back: nothing moved in the end."


@pytest.mark.requirement("B7")
def test_differences_are_for_finance_and_second_signatures_for_those_who_know_the_material(
    finance: FinancePlant,
) -> None:
    row = locked(finance)
    for person in ("olga", "dora", "ada", "quinn"):
        with finance.signed_in(person) as client:
            assert "needs the role finance" in says(assigned(client, row.key))


def test_without_an_erp_nothing_is_decided_about_differences(living_plant: LivingPlant) -> None:
    given = {"difference": "evt_1", "message": "evt_1", "why": "Again."}
    with pytest.raises(NoErp) as refused:
        living_plant.services.complete("message.resend", given, None)
    assert str(refused.value) == (
        "message.resend: no ERP is connected, so nothing is compared. Connect one first."
    )
