"""Corrective actions of the quality system, linked where the policy has them there."""

from __future__ import annotations

import pytest

from core.capa import CapaLinks, CapaLivesHere, CapaStatus, LinkCapa, NotLinked, ReportCapa
from core.errors import AlreadyKnown, Unknown
from tests.hands import refusal
from tests.paper import Paper
from tests.test_core_boundary import policy
from tests.test_core_deviation import NAME, held

pytestmark = pytest.mark.requirement("G4", "B8")
AT = "https://qms.example/capa/CA-77"


def link(capa: str = "CA-77", deviation: str = NAME) -> LinkCapa:
    return LinkCapa(deviation=deviation, capa=capa, address=AT, why="Scale drifts again.")


def report(status: CapaStatus, capa: str = "CA-77") -> ReportCapa:
    return ReportCapa(deviation=NAME, capa=capa, status=status)


def links(plant: Paper) -> CapaLinks:
    found: CapaLinks = plant.get(CapaLinks, NAME)
    return found


def test_the_quality_system_links_its_action_and_tells_how_it_stands() -> None:
    plant, batch = held()
    plant.act(link(), "qms")
    (one,) = links(plant).capas
    assert (one.capa, one.address, one.status, one.linked_by) == ("CA-77", AT, None, "qms")
    plant.act(report("in_work"), "qms")
    plant.act(link("CA-78"), "qms")
    plant.pass_time(days=40)
    facts = plant.act(report("effective"), "qms")
    assert [(it.stream, it.event.batch) for it in facts] == [(f"capa-link/{NAME}", batch)]  # type: ignore[attr-defined]
    first, second = links(plant).capas
    assert (first.status, first.status_at) == ("effective", plant.at)
    assert (second.capa, second.status) == ("CA-78", None)
    assert plant.act(report("effective"), "qms") == (), "the same word twice is no news"


def test_what_cannot_be_linked_is_refused_and_says_what_to_do() -> None:
    plant, _ = held()
    assert refusal(NotLinked, lambda: plant.act(report("open"), "qms")) == (
        f"Deviation {NAME}: is not linked to CA-77. Link it first."
    )
    plant.act(link(), "qms")
    with pytest.raises(AlreadyKnown):
        plant.act(link(), "qms")
    with pytest.raises(Unknown):
        plant.act(link(deviation="D26-9999"), "qms")
    assert refusal(NotLinked, lambda: plant.act(report("open", "CA-99"), "qms")).startswith(
        f"Deviation {NAME}: is not linked to CA-99."
    )


def test_where_corrective_actions_live_here_nothing_is_linked() -> None:
    plant, _ = held()
    plant.sign(policy(plant, deviations="mes"), "quinn")
    assert refusal(CapaLivesHere, lambda: plant.act(link(), "qms")) == (
        f"Deviation {NAME}: the boundary policy keeps corrective actions here. Write the action"
        " into the assessment, or sign another policy."
    )
    with pytest.raises(CapaLivesHere):
        plant.act(report("open"), "qms")
    assert plant.get(CapaLinks, NAME) is None
