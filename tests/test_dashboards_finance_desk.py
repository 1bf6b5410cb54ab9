"""What the forms of a row do: who clears it, what is signed, which orders are linked."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from core.difference import Difference
from core.errors import Refused
from core.execution import Actor
from core.order import Order
from dashboards.finance.actions import actions
from dashboards.finance.acts import RowActs
from dashboards.finance.desk import FinanceDesk, Looked, NotFilled
from dashboards.finance.row_state import row_state
from erp import evidence
from erp.rows import State
from tests.finance_plant import FinancePlant, refusing_plant
from tests.hands import refusal
from tests.patience import eventually
from tests.plant import LivingPlant
from tests.plant_data import PEOPLE, PIN, ZONE
from tests.test_dashboards_finance_acts import locked, row_of

OWNER = {"owner": "finn", "code": "refused_by_erp", "note": "The order was locked."}


@pytest.fixture
def finance(living_plant: LivingPlant, tmp_path: Path) -> Iterator[FinancePlant]:
    with refusing_plant(living_plant, tmp_path) as plant:
        yield plant


@pytest.fixture
def desk(finance: FinancePlant) -> FinanceDesk:
    execution = finance.plant.execution
    rows = RowActs(finance.reader, execution)
    return FinanceDesk(execution, Actor("finn"), rows, finance.plant.services.periods())


def looked(desk: FinanceDesk, key: str) -> Looked:
    row = desk.rows.row(key)
    return Looked(row=row, state=row_state(row, desk.rows))


def forms(it: Looked) -> str:
    """Return what the drawer offers about a row."""
    return actions(
        it.row, it.state, zone=ZONE, name=str, opens=lambda text, _: text, resend=False  # type: ignore[arg-type,return-value]
    )  # fmt: skip


def signed(desk: FinanceDesk, act: str, key: str, by: str, **values: str) -> None:
    """Sign an act about a row as the page has it signed."""
    act_ = desk.act(lambda: desk.ask(act, looked(desk, key), values))
    shown = act_.prepare(PEOPLE[by][1], meaning=None, comment="")
    act_.sign(shown.pending, secret=PIN)


@pytest.mark.requirement("L8")
def test_form_that_lacks_something_is_refused_by_the_name_of_the_field(
    finance: FinancePlant, desk: FinanceDesk
) -> None:
    it = looked(desk, locked(finance).key)
    for missing, label in (("owner", "Owner"), ("code", "Reason"), ("note", "Note")):
        values = OWNER | {missing: " "}
        said = refusal(NotFilled, lambda values=values: desk.record("assign", it, values))  # type: ignore[misc]
        assert said == f"{label}: is empty. Fill it in, then go on."
    said = refusal(NotFilled, lambda: desk.record("assign", it, OWNER | {"code": "whatever"}))
    assert said == "Reason: is empty. Fill it in, then go on."
    assert finance.plant.execution.nouns.get(Difference, it.row.key) is None


@pytest.mark.requirement("L8")
def test_refused_message_offers_resend_skip_and_supersede_and_a_settled_one_shows_who_signed(
    finance: FinancePlant, desk: FinanceDesk
) -> None:
    key = locked(finance).key
    first = forms(looked(desk, key))
    for name in ("fix-resend", "fix-skip", "fix-supersede"):
        assert f'data-testid="{name}"' in first
    assert "Nobody clears it yet." in first
    assert "fix-reverse" not in first
    desk.record("assign", looked(desk, key), OWNER)
    instead = looked(desk, key).state.later[0].event_id
    signed(desk, "supersede", key, "finn", why="Told again.", instead=instead)
    eventually(lambda: evidence.counts(finance.boundary.outbox)[State.SUPERSEDED] == 1)
    after = looked(desk, key)
    drawn = forms(after)
    assert (after.row.key, after.row.match_class) == (key, "missing_in_erp")
    assert "fix-skip" not in drawn
    for text in ("Superseded", instead, "Told again.", "Finn Fuchs (finn)", "The order was locked"):
        assert text in drawn


@pytest.mark.requirement("L8", "K8")
def test_reversal_is_offered_proposed_agreed_and_then_only_shown(
    finance: FinancePlant, desk: FinanceDesk
) -> None:
    finance.made("1001")
    finance.told()
    by_hand = {"order": "1001", "item": "PVP", "lot": "PV-3302", "quantity": "3"}
    finance.erp.admin("postings", movement="issue", **by_hand)
    row = row_of(finance, "missing_in_mes")
    (document,) = desk.rows.surplus(row)
    given = {"document": document, "why": "Nobody weighed it."}
    desk.record("assign", looked(desk, row.key), OWNER | {"code": "posted_by_hand"})
    assert "Sign the proposal" in forms(looked(desk, row.key))
    signed(desk, "reverse", row.key, "finn", **given)
    proposed = forms(looked(desk, row.key))
    assert "finn has proposed it. Another person of finance, QA" in proposed
    assert "Second person: sign" in proposed
    with pytest.raises(Refused, match="another person must agree"):
        signed(desk, "reverse", row.key, "finn", **given)
    signed(desk, "reverse", row.key, "sana", **given)
    finance.told()
    eventually(lambda: {one.match_class for one in finance.rows()} == {"matched"})
    lines = [one for one in finance.erp.lines("1001") if one["lot"] == "PV-3302"]
    assert [Decimal(one["quantity"]) for one in lines] == [Decimal("1.8"), 3, -3]


@pytest.mark.requirement("L8", "K1")
def test_reversal_that_the_erp_refuses_is_given_up_under_signature_and_its_order_goes_on(
    finance: FinancePlant, desk: FinanceDesk
) -> None:
    finance.made("1001")
    finance.told()
    by_hand = {"order": "1001", "item": "PVP", "lot": "PV-3302", "quantity": "3"}
    finance.erp.admin("postings", movement="issue", **by_hand)
    key = row_of(finance, "missing_in_mes").key
    (document,) = desk.rows.surplus(looked(desk, key).row)
    given = {"document": document, "why": "Nobody weighed it."}
    desk.record("assign", looked(desk, key), OWNER | {"code": "posted_by_hand"})
    signed(desk, "reverse", key, "finn", **given)
    finance.erp.admin("orders", id="1001", state="locked")
    signed(desk, "reverse", key, "quinn", **given)
    outbox = finance.boundary.outbox
    eventually(lambda: evidence.counts(outbox)[State.DEAD] == 1)
    (reversal,) = evidence.messages(outbox, state=State.DEAD)
    found = desk.rows.find(reversal.event_id)
    assert found is not None
    assert found.key == key  # the list of refused messages leads to the row
    drawn = forms(looked(desk, key))
    assert "The ERP refused to reverse document" in drawn
    assert "Skip the reversal" in drawn
    signed(desk, "skip", key, "finn", why="The ERP's keeper did it.", message=reversal.event_id)
    eventually(lambda: evidence.counts(outbox)[State.SKIPPED] == 1)
    assert looked(desk, key).row.match_class == "missing_in_mes"
    assert "fix-drop" not in forms(looked(desk, key))


@pytest.mark.requirement("A5", "L8")
def test_row_of_an_order_that_was_opened_here_links_it_and_is_then_told(
    finance: FinancePlant, desk: FinanceDesk
) -> None:
    batch = finance.plant.dispatched("B2")
    finance.plant.brought_to(batch, "50")
    row = row_of(finance, "not_compared")
    it = looked(desk, row.key)
    order = finance.plant.batch(batch).order
    assert it.state.mes_order == order
    assert [one.order for one in it.state.orders] == ["1001", "1002", "1003", "1004"]
    assert f"Link order {order} to an ERP order" in forms(it)
    desk.record("link", it, {"erp_order": "1003", "why": "Opened in a hurry."})
    found = finance.plant.execution.nouns.get(Order, order)
    assert found is not None
    assert found.erp_ref == "1003"
    finance.told()
    eventually(lambda: {one.match_class for one in finance.rows()} == {"matched"})
    assert finance.erp.lines("1003")
