"""Who may do what: the matrix of roles and actions, adopted as data.

An action is the name of a command. What the matrix does not name, nobody may do. Services
(the ERP pull, the collector) are actors of their own with the role `service`.
"""

from dataclasses import dataclass, replace
from typing import Any, ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.errors import AlreadyKnown, Refused
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded, need
from core.people import INSTALLER, ROLES, SERVICE, Locked, Person, PersonState, UnknownRole
from core.quantity import Name

SERVICE_ROLE = "service"
ADOPT = "plant.adopt-authority"


class AdoptAuthority(Command, frozen=True, kw_only=True, tag="plant.adopt-authority"):
    """Put a matrix of action -> roles in force."""

    plant: Name
    zone: str
    matrix: dict[str, tuple[str, ...]]


class AdoptBoundaryPolicy(Command, frozen=True, kw_only=True, tag="plant.adopt-boundary-policy"):
    """Put the seven decisions between MES and ERP in force."""

    plant: Name
    profile: str
    decisions: dict[str, str]


class AuthorityAdopted(Event, frozen=True, kw_only=True, tag="authority.adopted"):
    """This matrix is in force from here on."""

    plant: str
    zone: str
    matrix: dict[str, tuple[str, ...]]


class BoundaryPolicyAdopted(Event, frozen=True, kw_only=True, tag="boundary-policy.adopted"):
    """These decisions are in force from here on."""

    plant: str
    profile: str
    version: int
    decisions: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantRules:
    """The plant's own settings that rules read."""

    KIND: ClassVar[str] = "plant"
    plant: str
    zone: str
    matrix: dict[str, tuple[str, ...]]
    profile: str | None = None
    policy_version: int = 0
    decisions: dict[str, str] | None = None


class NotAuthorized(Refused):
    """The person holds no role that may do this."""

    is_evidence = True

    def __init__(self, who: str, action: str, allowed: tuple[str, ...]) -> None:
        roles = " or ".join(allowed) if allowed else "nobody"
        super().__init__(
            f"{who}: {action} needs the role {roles}. Ask someone who holds it.",
            who=who,
            action=action,
            allowed=roles,
        )


class UnknownZone(Refused):
    """The plant's days turn in a zone that nobody knows."""

    def __init__(self, zone: str) -> None:
        super().__init__(
            f"Zone {zone}: not known. Give an IANA name such as Europe/Berlin.", zone=zone
        )


class NobodyLeft(Refused):
    """A matrix that nobody could ever change again."""

    def __init__(self) -> None:
        super().__init__(
            f"Authority: nobody could do {ADOPT} under this matrix, so it could never be changed."
            f" Give {ADOPT} to a role."
        )


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UnknownZone(zone) from None


def permit(plant: Plant, rules: PlantRules | None, *, actor: str, action: str) -> None:
    """Refuse an action that the actor's roles do not allow.

    Before the first matrix only the installer may act, so that a plant can be set up.

    Raises:
        NotAuthorized: no role of the actor allows the action.
        Locked: the person is locked or retired.
    """
    if rules is None:
        if actor != INSTALLER:
            raise NotAuthorized(actor, action, ())
        return
    allowed = rules.matrix.get(action, ())
    if actor.startswith(SERVICE):
        if SERVICE_ROLE not in allowed:
            raise NotAuthorized(actor, action, allowed)
        return
    person = plant.get(Person, actor)
    if person is None:
        raise NotAuthorized(actor, action, allowed)
    if person.state is not PersonState.ACTIVE:
        raise Locked(person)
    if not set(person.roles) & set(allowed):
        raise NotAuthorized(person.name, action, allowed)


def decide(plant: Plant, command: AdoptAuthority | AdoptBoundaryPolicy, context: Context) -> Facts:
    """Return what a change of the plant's own rules causes, or refuse it.

    Raises:
        UnknownRole, UnknownZone, NobodyLeft: the plant could not work under these rules.
        Unknown: a policy for a plant that has no rules.
        AlreadyKnown: the policy is in force.
    """
    stream = f"{PlantRules.KIND}/{command.plant}"
    rules = plant.get(PlantRules, command.plant)
    if isinstance(command, AdoptAuthority):
        for roles in command.matrix.values():
            for role in roles:
                if role != SERVICE_ROLE and role not in ROLES:
                    raise UnknownRole(role)
        _check_zone(command.zone)
        if rules is not None and not set(command.matrix.get(ADOPT, ())) & set(ROLES):
            raise NobodyLeft
        adopted = AuthorityAdopted(plant=command.plant, zone=command.zone, matrix=command.matrix)
        return (Fact(stream, adopted),)
    rules = need(plant, PlantRules, command.plant, next_step="Adopt its authority matrix first.")
    version = rules.policy_version + 1
    if rules.decisions == command.decisions:
        raise AlreadyKnown("Boundary policy", f"version {rules.policy_version}")
    policy = BoundaryPolicyAdopted(
        plant=command.plant,
        profile=command.profile,
        version=version,
        decisions=command.decisions,
    )
    return (Fact(stream, policy),)


def apply(rules: PlantRules | None, fact: Recorded) -> PlantRules:
    """Fold one event of the plant's stream."""
    match fact.event:
        case AuthorityAdopted() as it:
            if rules is None:
                return PlantRules(plant=it.plant, zone=it.zone, matrix=it.matrix)
            return replace(rules, zone=it.zone, matrix=it.matrix)
        case BoundaryPolicyAdopted() as it:
            assert rules is not None, fact
            changes: dict[str, Any] = {
                "profile": it.profile,
                "policy_version": it.version,
                "decisions": it.decisions,
            }
            return replace(rules, **changes)
        case _:
            assert rules is not None, fact
            return rules
