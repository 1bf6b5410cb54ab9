"""A posting that says other than the floor is reversed and posted again, by two people."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from core.difference import Difference
from dashboards.asked_sheet import asked_of
from dashboards.finance.acts import RowActs
from dashboards.finance.asked import ask
from dashboards.finance.compare import MatchRow
from dashboards.finance.row_state import row_state
from dashboards.review.dossier import read
from dashboards.review.strip import about
from erp import evidence
from erp.rows import State
from tests.finance_plant import Client, FinancePlant, refusing_plant
from tests.patience import eventually
from tests.plant import ZONE, LivingPlant

WRONG = {
    "qty_mismatch": "quantity = '2.1'",
    "lot_mismatch": "lot = 'XX-1'",
    "item_mismatch": "item = 'CCNA'",
    "uom_mismatch": "unit = 'GRM'",
    "wrong_order": "order_id = '1002'",
}


@pytest.fixture
def finance(living_plant: LivingPlant, tmp_path: Path) -> Iterator[FinancePlant]:
    with refusing_plant(living_plant, tmp_path) as plant:
        yield plant


@pytest.fixture
def finn(finance: FinancePlant) -> Iterator[Client]:
    with finance.signed_in("finn") as client:
        yield client


class Replacing:
    """One row of the match, broken by hand and mended by two people."""

    def __init__(self, finance: FinancePlant, finn: Client) -> None:
        self.finance, self.finn = finance, finn
        self.key = next(row.key for row in finance.rows() if row.fact and row.fact.item == "PVP")

    def row(self, match_class: str) -> MatchRow:
        """Return the row as soon as it has a class."""

        def found() -> MatchRow | None:
            self.finance.reader.read()
            return self.finance.reader.row(self.key)

        eventually(lambda: (it := found()) and it.match_class == match_class)
        row = found()
        assert row is not None
        return row

    def broken(self, change: str) -> str:
        """Change what stands in the ERP's books, and return its document."""
        line = self.finance.erp.get("ledger", order="1001")["lines"]
        newest = [one for one in line if one["item"] == "PVP" and Decimal(one["quantity"]) > 0][-1]
        self.finance.by_hand(
            f"UPDATE ledger_line SET {change} WHERE document = ?",
            newest["document"],
        )
        return f"{newest['document']}/{newest['year']}"

    def sign(self, by: str, document: str | None, **changes: Any) -> httpx.Response:
        seen = msgspec.to_builtins(self.finance.plant.execution.seen(f"difference/{self.key}"))
        given = {"difference": self.key, "document": document, "why": "The floor weighed it."}
        return self.finn.send("posting.replace", by=by, seen=seen, **given | changes)

    def quantities(self) -> list[Decimal]:
        lines = self.finance.erp.get("ledger")["lines"]
        return [
            Decimal(one["quantity"]) for one in lines
            if one["item"] in ("PVP", "CCNA") and one["lot"] in ("PV-3302", "XX-1")
        ]  # fmt: skip


def says(answer: httpx.Response) -> str:
    assert answer.status_code in (403, 409, 422), answer.text
    return str(answer.json()["detail"])


def assigned(finn: Client, key: str) -> None:
    answer = finn.send(
        "difference.assign", difference=key, owner="finn", code="posted_by_hand", note="By hand."
    )
    assert answer.status_code == 200, answer.text


@pytest.mark.requirement("L1", "L8", "K8")
def test_wrong_posting_is_reversed_and_posted_again_as_often_as_it_is_wrong(
    finance: FinancePlant, finn: Client
) -> None:
    finance.made("1001")
    finance.told()
    it = Replacing(finance, finn)
    total = sum(it.quantities())
    for n, (match_class, change) in enumerate(WRONG.items(), 1):
        document = it.broken(change)
        it.row(match_class)
        if n == 1:
            assert "has no owner" in says(it.sign("finn", document))
            assigned(finn, it.key)
            assert "carries fact" in says(it.sign("finn", document, fact={}))
            assert says(it.sign("finn", "1/2026")) == (
                f"Difference {it.key}: document 1/2026 is not what stands wrong in this row;"
                f" {document} is. Name that."
            )
        assert it.sign("finn", document).status_code == 200
        proposed = row_state(it.row(match_class), RowActs(finance.reader, finance.plant.execution))
        assert proposed.replaces is not None
        assert proposed.replaces.proposed_by == "finn"
        assert document not in {one.name for one in proposed.surplus}
        assert "another person must agree" in says(it.sign("finn", document))
        answer = it.sign("quinn", document)
        assert answer.status_code == 200, answer.text
        if n == 1:
            says(it.sign("finn", document))  # ordered once, whatever is read of it meanwhile
        finance.told()
        row = it.row("matched")
        assert (len(row.postings), row.differs) == (2 * n + 1, ())
        assert row.booked is not None
        assert row.booked["quantity"] == "1.8 kg"
    assert sum(it.quantities()) == total == Decimal("76.8")  # what was taken in and issued
    known = finance.plant.execution.nouns.get(Difference, it.key)
    assert known is not None
    assert known.replaced == len(WRONG)
    messages = evidence.told(finance.boundary.outbox, it.key)
    assert len(messages) == len(WRONG) + 1
    assert {one.state for one in messages} == {State.DONE}
    entry = finance.plant.execution.ledger.stream(f"difference/{it.key}")[-1]
    assert (entry.type, entry.data["again"]) == ("posting.replacement-ordered", len(WRONG))


@pytest.mark.requirement("L8", "C4")
def test_finance_asks_the_floor_for_a_correction_which_the_batch_shows_and_the_correction_closes(
    finance: FinancePlant, finn: Client
) -> None:
    batch = finance.made("1001")
    finance.told()
    it = Replacing(finance, finn)
    it.broken("quantity = '1.7'")
    row = it.row("qty_mismatch")
    due = datetime.now(ZONE).date().isoformat()
    given = {"difference": it.key, "to": "olga", "what": "The label says 1.7 kg.", "due_on": due}
    assert "carries fact" in says(finn.send("correction.request", fact={}, **given))
    answer = finn.send("correction.request", **given)
    assert answer.status_code == 200, answer.text
    execution = finance.plant.execution
    (asked,) = asked_of(execution, "olga")
    assert (asked.entry, asked.batch) == (row.entry_seq, batch)
    (shown,) = read(execution, batch).asked
    strip = about(read(execution, batch), whole=False)
    assert "finn asked olga about entry" in strip
    state = row_state(row, RowActs(finance.reader, execution))
    assert state.asked == shown == asked
    drawn = ask(row, state, zone=ZONE, name=str)
    assert "Correction asked for." in drawn
    assert "Ask for the correction" not in drawn
    with finance.signed_in("sana") as sana:
        why = {"entry": row.entry_seq, "why": "It was 1.8 kg."}
        assert sana.send("correction.decline", **why).status_code == 200
    assert asked_of(execution, "olga") == []
    after = row_state(row, RowActs(finance.reader, execution))
    assert "Ask for the correction" in ask(row, after, zone=ZONE, name=str)
    assert "It was 1.8 kg." in about(read(execution, batch), whole=False)


@pytest.mark.requirement("L8")
def test_what_a_clerk_took_back_there_is_posted_again_and_a_closed_period_is_asked_for_before(
    finance: FinancePlant, finn: Client
) -> None:
    finance.made("1001")
    finance.told()
    it = Replacing(finance, finn)
    document = it.broken("quantity = quantity")
    row = it.row("matched")
    assert "is matched; only a movement of the floor" in says(it.sign("finn", None))
    assert row.fact is not None
    finance.erp.admin(
        "postings", movement="issue", order="1001", item="PVP", lot=row.fact.lot, quantity="-1.8"
    )
    it.row("reversed_one_side")
    assigned(finn, it.key)
    assert "document" in says(it.sign("finn", document))
    period = row.fact.posting_date.isoformat()[:7]
    finance.erp.admin("periods", period=period, state="closed")
    assert f"the ERP's period of {row.fact.posting_date}" in says(it.sign("finn", None))
    finance.erp.admin("periods", period=period, state="open")
    assert it.sign("finn", None).status_code == 200
    assert it.sign("quinn", None).status_code == 200
    finance.told()
    row = it.row("matched")
    assert len(row.postings) == 3
    assert row.booked is not None
    assert row.booked["quantity"] == "1.8 kg"
