"""The office changes a key between plant and ERP while both run."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from core.log_key import short
from erp.signing import Keys
from tests.browser import Screen, grave_findings, ready
from tests.finance_plant import FinancePlant
from tests.test_dashboards_office import finance as finance
from tests.test_dashboards_office import sign


def live_keys(finance: FinancePlant) -> Keys:
    assert finance.boundary.keys is not None
    return finance.boundary.keys.live("send")


def change_key(page: Page, step: str) -> None:
    """Sign one step of a key's change, as the person who is signed in."""
    expect(page.get_by_label("Step")).to_have_text(re.compile(step))
    page.get_by_label("Why the key changes").fill("Once a year.")
    page.get_by_role("button", name="Sign this step …").click()


@pytest.mark.requirement("K3")
def test_two_people_change_a_key_while_the_server_runs_and_no_key_is_shown_again(
    finance: FinancePlant, open_screen: Callable[..., Screen]
) -> None:
    old = live_keys(finance).ids[0]
    page = finance.plant.screen(open_screen, "erik").go("/office?view=keys")
    ready(page)
    expect(page.get_by_test_id("keys")).to_contain_text(old)
    signs = page.get_by_test_id("log-keys")
    expect(signs).to_contain_text(short(finance.plant.execution.verifier.text))
    expect(signs).to_contain_text("Signs now")
    expect(page.get_by_label("Both live for, days")).to_have_text("7")
    assert grave_findings(page) == []
    change_key(page, "Begin a new key")
    sign(page, "erik")
    secret = page.get_by_test_id("new-secret")
    expect(secret).to_have_text(re.compile("^whsec_"))
    new = secret.inner_text()
    expect(page.get_by_text("A second person must agree.")).to_be_visible()
    assert live_keys(finance).ids == (old,)
    assert grave_findings(page) == []
    page.reload()
    ready(page)
    expect(page.get_by_text("A second person must agree.")).to_be_visible()
    assert new not in page.content()
    finance.erp.admin("keys", events=[new, finance.erp.events])
    other = finance.plant.screen(open_screen, "quinn").go("/office?view=keys")
    ready(other)
    expect(other.get_by_text("proposes that key")).to_be_visible()
    change_key(other, "Agree to what is proposed")
    sign(other, "quinn")
    for shown in (page, other):
        expect(shown.get_by_test_id("keys")).to_contain_text("Two keys: both are valid")
        expect(shown.get_by_test_id("keys")).to_contain_text(old)
    assert live_keys(finance).ids == (Keys.of([new]).ids[0], old)
    finance.made("1001")
    finance.told()
    for known in (finance.erp.events, finance.erp.receipts, new):
        assert known.removeprefix("whsec_") not in other.content()
    assert grave_findings(other) == []
