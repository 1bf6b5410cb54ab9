"""The manual's table of adapters says of every case and peer how it stands."""

from __future__ import annotations

import pytest

from tests import adapter_cases
from tests import test_erp_conformance as suite
from tests import test_erp_polled_conformance as polled
from tests.erp_plant import ROOT

pytestmark = pytest.mark.requirement("K2")

PEERS = {*suite.PEERS, "quickbooks"}


def test_the_manual_says_of_every_case_and_peer_how_it_stands() -> None:
    named = {name for name in vars(suite) if name.startswith("test_")}
    assert named == set(adapter_cases.CASES)
    assert {name for name in vars(polled) if name.startswith("test_")} == named
    assert set(adapter_cases.PEERS) == PEERS
    assert set(adapter_cases.DIFFERS) <= PEERS
    page = (ROOT / "dashboards" / "help" / "adapters.md").read_text("utf-8")
    assert [row for row in adapter_cases.rows() if row not in page.splitlines()] == []
    notes = set()
    for differs in adapter_cases.DIFFERS.values():
        assert set(differs) <= named
        notes |= set(differs.values())
    assert [note for note in sorted(notes) if f"\n({note}) " not in page] == []
