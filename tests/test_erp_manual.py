"""The manual's table of adapters says of every case and peer how it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from erp.port import DOCUMENT_REVERSED
from erp.profile import SANDBOX, TRYTON
from tests import adapter_cases
from tests import test_erp_conformance as suite
from tests import test_erp_polled_conformance as polled
from tests.erp_plant import ROOT
from tests.erp_polled import QB_PLANT
from tests.erp_simulated import MAKERS, SimulatedPeer

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


@pytest.mark.requirement("L8")
def test_the_manual_says_of_every_peer_whether_its_documents_are_reversed_from_here(
    tmp_path: Path,
) -> None:
    profiles = {"sandbox": SANDBOX, "tryton": TRYTON, "quickbooks": QB_PLANT.profile()}
    for kind in MAKERS:
        port = SimulatedPeer(kind, tmp_path).port()
        profiles[kind] = port.profile
        port.close()
    page = (ROOT / "dashboards" / "help" / "adapters.md").read_text("utf-8")
    section = page.split("## Reversing a document of the ERP")[1].split("\n## ")[0]
    cells = [row.split(" | ") for row in section.splitlines() if row.startswith("| ")]
    told = {row[0].strip("| "): row[1].partition(":")[0] for row in cells if len(row) > 2}
    for kind, profile in profiles.items():
        can = profile.books(DOCUMENT_REVERSED)
        assert (adapter_cases.UNDONE not in adapter_cases.DIFFERS.get(kind, {})) == can, kind
        title = adapter_cases.PEERS[kind].partition(",")[0]
        assert told[title] == ("yes" if can else "no"), kind
    rows = {adapter_cases.PEERS[kind].partition(",")[0] for kind in profiles}
    assert set(told) - {""} == rows  # the head of the table has no name
