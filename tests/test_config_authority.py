"""Who may do what in the tablets plant: every pair of role and action."""

from __future__ import annotations

import pytest

from config.actions import missing_actions, missing_text, with_missing
from config.seed import Seeder
from core.authority import SERVICE_ROLE, AdoptAuthority, NotAuthorized, PlantRules, permit
from core.batch.steps import CompleteStep
from core.catalogue import COMMANDS
from core.fact import Sketch
from core.material import Lot, ReceiveLot
from core.people import INSTALLER, ROLES, Person, PersonState
from core.person_refusals import Locked
from core.refusal import Refusals
from tests.floor import Floor
from tests.hands import AT, PACK

# Written from the roles' point of view, so that it is not a copy of the matrix.
EVERYBODY = {"person.record-sign-in", "person.record-sign-out"}
EVERY_PERSON = {"person.register-passkey", "person.revoke-passkey"}
FLOOR = {
    "weighing.scan-container", "weighing.record-tare", "weighing.record-weight",
    "weighing.record-deviating-weight", "step.complete", "step.verify", "daily-check.record",
    "step.correct", "weighing.reverse", "lot.begin-at-weighing",
    "line.start-run", "correction.decline", "line.end-run", "stop.label",
}  # fmt: skip
AMENDS = {"amendment.correct", "amendment.comment"}
MAY: dict[str, set[str]] = {
    "operator": FLOOR,
    "supervisor": FLOOR | AMENDS | {
        "order.open", "order.link", "order.dispatch", "lot.receive", "recipe.approve",
        "person.revoke-badge", "person.confirm-enrolment", "posting.reverse", "posting.replace",
        "person.confirm-identity",
    },
    "qa": AMENDS | {
        "key.revoke", "key.name-recovery",
        "correction.decline",
        "posting.reverse", "posting.replace", "erp-key.begin", "erp-key.end",
        "batch.reopen", "amendment.release", "amendment.reject",
        "step.verify", "deviation.disposition", "deviation.close",
        "deviation.link-capa", "deviation.report-capa", "batch.review-exception",
        "batch.review-audit-trail", "batch.release", "batch.reject", "batch.print-record",
        "lot.change-status",
        "recipe.approve", "recipe.make-effective", "plant.adopt-authority",
        "boundary-policy.sign", "plant.adopt-signing-gates", "plant.adopt-severity-rules",
        "plant.adopt-account-policy", "person.review-access", "person.revoke-badge",
        "person.confirm-enrolment", "person.confirm-identity",
    },
    "engineer": {
        "material.register", "equipment.register", "instrument.record-calibration",
        "station.bind", "recipe.draft", "recipe.submit", "recipe.approve", "message.replay",
        "erp-key.begin", "erp-key.end", "key.revoke", "key.name-recovery",
    },
    "director": set(),
    "finance": {
        "order.link", "difference.assign", "message.replay", "message.resend",
        "message.skip", "message.supersede",
        "posting.reverse", "posting.replace", "reconciliation.sign", "correction.request",
    },
    "admin": {
        "person.register", "person.change-roles", "person.unlock", "person.retire",
        "person.issue-enrolment", "person.confirm-enrolment", "person.issue-badge",
        "person.revoke-badge", "person.link-identity", "person.confirm-identity",
        "client.register", "client.issue-key", "client.revoke-key",
    },
    "service": {
        "order.receive", "order.withdraw", "bom.receive", "erp-material.receive",
        "customer.receive", "telemetry.seal", "lot.receive",
        "batch.close-record", "batch.seal-record",
        "clock.record-step", "erp-door.record-locked", "key.rotate", "key.recover",
        "person.record-failed-authentication", "person.record-authentication",
        "person.record-secret-change",
    },
}  # fmt: skip
RULES = PlantRules(plant="tablets", zone="Europe/Berlin", matrix=PACK.authority.matrix)


def allowed(role: str, action: str, rules: PlantRules | None = RULES) -> bool:
    actor = "service:erp" if role == SERVICE_ROLE else "ama"
    person = Person(person="ama", name="Ama", badge="1", roles=(role,))
    try:
        permit(Sketch({"person/ama": person}), rules, actor=actor, action=action)
    except NotAuthorized:
        return False
    return True


@pytest.mark.requirement("B7")
@pytest.mark.parametrize("action", COMMANDS)
@pytest.mark.parametrize("role", [*ROLES, SERVICE_ROLE])
def test_role_and_action(role: str, action: str) -> None:
    own = set() if role == SERVICE_ROLE else EVERY_PERSON
    assert allowed(role, action) == (action in MAY[role] | EVERYBODY | own)


def test_matrix_names_every_command() -> None:
    assert set(PACK.authority.matrix) == set(COMMANDS)


def test_before_the_first_matrix_only_the_installer_acts() -> None:
    plant = Sketch({})
    permit(plant, None, actor=INSTALLER, action="person.register")
    with pytest.raises(NotAuthorized) as refused:
        permit(plant, None, actor="ada", action="person.register")
    assert str(refused.value) == (
        "ada: person.register needs the role nobody. Ask someone who holds it."
    )


def test_installer_has_no_right_once_a_matrix_is_in_force() -> None:
    with pytest.raises(NotAuthorized):
        permit(Sketch({}), RULES, actor=INSTALLER, action="person.register")


def test_action_that_the_matrix_does_not_name_is_nobody_s() -> None:
    assert not any(allowed(role, "batch.burn") for role in [*ROLES, SERVICE_ROLE])


def test_stranger_and_retired_person_may_not_act() -> None:
    with pytest.raises(NotAuthorized):
        permit(Sketch({}), RULES, actor="nobody", action="step.complete")
    retired = Person(
        person="ama", name="Ama", badge="1", roles=("operator",), state=PersonState.RETIRED
    )
    with pytest.raises(Locked):
        permit(Sketch({"person/ama": retired}), RULES, actor="ama", action="step.complete")


@pytest.mark.requirement("B7")
def test_unauthorized_attempt_is_refused_and_recorded(floor: Floor) -> None:
    command = ReceiveLot(lot="X-1", material="lactose", supplier="S", unit="g", containers=())
    with pytest.raises(NotAuthorized) as refused:
        floor.act(command, "olga")
    says = "Olga Brandt: lot.receive needs the role supervisor or service."
    assert str(refused.value) == f"{says} Ask someone who holds it."
    assert floor.get(Lot, "X-1") is None
    [attempt] = floor.get(Refusals, "lot/X-1").attempts
    assert (attempt.rule, attempt.by, attempt.command) == ("NotAuthorized", "olga", "lot.receive")


def test_director_cannot_complete_a_step(floor: Floor) -> None:
    with pytest.raises(NotAuthorized):
        floor.act(CompleteStep(batch="B26-0001", step="1"), "dora")


@pytest.mark.requirement("B7")
def test_actions_of_a_newer_server_are_named_and_adopted_by_a_person(floor: Floor) -> None:
    old = {
        name: roles
        for name, roles in PACK.authority.matrix.items()
        if name not in ("step.correct", "plant.adopt-severity-rules")
    } | {"batch.reopen": ()}
    floor.act(AdoptAuthority(plant=PACK.id, zone="Europe/Berlin", matrix=old), "quinn")
    rules = floor.get(PlantRules, PACK.id)
    assert set(missing_actions(rules, PACK)) == {"step.correct", "plant.adopt-severity-rules"}
    assert missing_text(rules, PACK) == (
        "Authority: the matrix does not name plant.adopt-severity-rules, step.correct, so nobody"
        " may do them. Stop the server, then run: batchwright adopt-actions --user ID."
    )
    floor.act(with_missing(rules, PACK), "quinn")
    rules = floor.get(PlantRules, PACK.id)
    assert missing_text(rules, PACK) == ""
    assert rules.matrix["step.correct"] == ("operator", "supervisor")
    assert rules.matrix["batch.reopen"] == ()  # what the plant decided stays


def test_an_older_plant_is_seeded_without_what_its_matrix_does_not_name(floor: Floor) -> None:
    old = {
        name: roles
        for name, roles in PACK.authority.matrix.items()
        if name not in ("plant.adopt-severity-rules", "plant.adopt-signing-gates")
    }
    floor.act(AdoptAuthority(plant=PACK.id, zone="Europe/Berlin", matrix=old), "quinn")
    assert Seeder(floor.execution, PACK, floor.accounts, at=AT).run().commands == 0
