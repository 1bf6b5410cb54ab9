"""An unknown lot at the kiosk: what would be written is shown first, one press writes it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest
from playwright.sync_api import Page, expect

from core.authority import AdoptAuthority
from core.boundary import SignBoundaryPolicy
from core.material import ChangeLotStatus, Lot, LotStatus
from core.policy import OPEN
from tests.browser import Screen, grave_findings
from tests.plant import MATRIX, ZONE, LivingPlant
from tests.test_dashboards_kiosk import ask, keyed, scan

LABEL = "(01)04012345000030(17)271231(10)N-77(21)5"


def at_weighing(plant: LivingPlant, screen: Screen) -> Page:
    batch = plant.dispatched("B1")
    plant.brought_to(batch, "30")
    page = screen.go(f"/kiosk?batch={batch}")
    ask(page, "Scan a container of Povidone K30.")
    return page


@pytest.mark.requirement("B8", "E1")
def test_an_unknown_lot_is_shown_confirmed_and_born_in_quarantine(
    living_plant: LivingPlant, open_screen: Callable[..., Screen]
) -> None:
    plant = living_plant
    screen = plant.screen(open_screen, "olga", station="K-B1")
    page = at_weighing(plant, screen)
    scan(page, LABEL)
    ask(page, "Record it?")
    shown = page.get_by_test_id("pours")
    for words in ("Lot N-77", "Material Povidone K30", "Container 5", "Expires 2027-12-31"):
        expect(shown).to_contain_text(words)
    expect(shown).to_contain_text("Born at first weighing")
    expect(page.get_by_text("It begins in quarantine")).to_be_visible()
    expect(page.get_by_test_id("primary")).to_be_disabled()
    assert plant.execution.nouns.get(Lot, "N-77") is None, "nothing is written before the press"
    assert grave_findings(page) == []
    page.get_by_label("Supplier, as on the label").fill("Acme <b>Chemie</b>")
    keyed(page, "25.5")
    expect(shown).to_contain_text("Quantity 25.5 kg")
    page.get_by_test_id("primary").click()
    ask(page, "Scan a container of Povidone K30.")
    expect(page.get_by_text("Lot N-77 in quarantine")).to_be_visible()
    lot = plant.execution.nouns.get(Lot, "N-77")
    assert lot is not None
    assert (lot.origin, lot.status, lot.supplier) == (
        "first_weighing", LotStatus.QUARANTINE, "Acme <b>Chemie</b>",
    )  # fmt: skip
    assert lot.containers == {"5": Decimal(25500)}
    scan(page, LABEL)
    expect(page.get_by_test_id("refusal-stop")).to_contain_text("N-77")
    page.get_by_role("button", name="Understood").click()
    seen = plant.execution.seen("lot/N-77")
    release = ChangeLotStatus(lot="N-77", status=LotStatus.RELEASED, why="Tested.", seen=seen)
    plant.do(release, "quinn", signs=True)
    scan(page, LABEL)
    ask(page, "Put the empty container")


@pytest.mark.requirement("B8")
def test_where_lots_are_born_at_receipt_an_unknown_one_stops_the_kiosk(
    living_plant: LivingPlant, open_screen: Callable[..., Screen]
) -> None:
    plant = living_plant
    matrix = MATRIX | {"boundary-policy.sign": ("qa",)}
    plant.do(AdoptAuthority(plant="test", zone=str(ZONE), matrix=matrix), "ada")
    policy = SignBoundaryPolicy(
        plant="test", profile="device", why="Agreed.", seen=plant.execution.seen("plant/test"),
        decisions=msgspec.structs.replace(OPEN, lot_birth="receipt"),
    )  # fmt: skip
    plant.do(policy, "quinn", signs=True)
    screen = plant.screen(open_screen, "olga", station="K-B1", dark=True)
    page = at_weighing(plant, screen)
    scan(page, LABEL)
    expect(page.get_by_test_id("refusal-stop")).to_contain_text("Lot N-77: not known here.")
    assert plant.execution.nouns.get(Lot, "N-77") is None
