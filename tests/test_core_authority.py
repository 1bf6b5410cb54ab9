"""The plant's own rules: a matrix that works, a zone that exists, a policy for a known plant."""

from __future__ import annotations

import pytest

from core.authority import AdoptAuthority, NobodyLeft, PlantRules, UnknownZone
from tests.hands import PACK, refusal
from tests.paper import paper

MATRIX = PACK.authority.matrix


@pytest.mark.requirement("B7")
@pytest.mark.parametrize("zone", ["Mars/Phobos", "../../etc/passwd", "", "Europe", "Europe\x00"])
def test_zone_that_nobody_knows_does_not_stop_the_plant(zone: str) -> None:
    plant = paper()
    adopt = AdoptAuthority(plant=PACK.id, zone=zone, matrix=MATRIX)
    assert refusal(UnknownZone, lambda: plant.act(adopt, "quinn")) == (
        f"Zone {zone}: not known. Give an IANA name such as Europe/Berlin."
    )
    plant.act(AdoptAuthority(plant=PACK.id, zone="Europe/Zurich", matrix=MATRIX), "quinn")
    assert plant.get(PlantRules, PACK.id).zone == "Europe/Zurich"


@pytest.mark.requirement("B7")
@pytest.mark.parametrize("roles", [None, (), ("service",)])
def test_matrix_that_nobody_could_change_again_is_refused(roles: tuple[str, ...] | None) -> None:
    plant = paper()
    matrix = {name: held for name, held in MATRIX.items() if name != "plant.adopt-authority"}
    if roles is not None:
        matrix["plant.adopt-authority"] = roles
    adopt = AdoptAuthority(plant=PACK.id, zone="UTC", matrix=matrix)
    assert "could never be changed" in refusal(NobodyLeft, lambda: plant.act(adopt, "quinn"))
