"""Who may do what: the matrix of roles and actions, adopted as data.

An action is the name of a command. What the matrix does not name, nobody may do. Services
(the ERP pull, the collector) are actors of their own with the role `service`.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from core.client import CLIENT, Client
from core.errors import Refused
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded, need
from core.people import INSTALLER, ROLES, SERVICE, Person, PersonState
from core.person_refusals import Locked, UnknownRole
from core.policy import Decisions
from core.quantity import Name, Utc
from core.secret_rules import AccountPolicy, check_policy

SERVICE_ROLE = "service"
ADOPT = "plant.adopt-authority"


class AdoptAuthority(Command, frozen=True, kw_only=True, tag="plant.adopt-authority"):
    """Put a matrix of action -> roles in force."""

    plant: Name
    zone: str
    matrix: dict[str, tuple[str, ...]]


class AdoptAccountPolicy(Command, frozen=True, kw_only=True, tag="plant.adopt-account-policy"):
    """Put the plant's rules for secrets in force."""

    plant: Name
    policy: AccountPolicy


class AuthorityAdopted(Event, frozen=True, kw_only=True, tag="authority.adopted"):
    """This matrix is in force from here on."""

    plant: str
    zone: str
    matrix: dict[str, tuple[str, ...]]


class BoundaryPolicyAdopted(Event, frozen=True, kw_only=True, tag="boundary-policy.adopted"):
    """Decisions in force from here on, without a signature: written by 0.1.0 before its release."""

    plant: str
    profile: str
    version: int
    decisions: dict[str, str]


class BoundaryPolicySigned(Event, frozen=True, kw_only=True, tag="boundary-policy.signed"):
    """These decisions are in force from `effective_at` on."""

    plant: str
    profile: str
    version: int
    decisions: Decisions
    effective_at: Utc


class AccountPolicyAdopted(Event, frozen=True, kw_only=True, tag="account-policy.adopted"):
    """These rules for secrets are in force from here on."""

    plant: str
    policy: AccountPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVersion:
    """One signed version of the seven decisions."""

    version: int
    profile: str
    decisions: Decisions
    effective_at: datetime
    signed_by: str
    signed_at: datetime
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantRules:
    """The plant's own settings that rules read."""

    KIND: ClassVar[str] = "plant"
    plant: str
    zone: str
    matrix: dict[str, tuple[str, ...]]
    policies: tuple[PolicyVersion, ...] = ()
    accounts: AccountPolicy = field(default_factory=AccountPolicy)

    def policy(self, at: datetime) -> PolicyVersion | None:
        """Return the version in force at an instant, None before the first."""
        due = [one for one in self.policies if one.effective_at <= at]
        return due[-1] if due else None


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


class PolicyInForce(Refused):
    """An adoption that changes nothing."""

    def __init__(self) -> None:
        super().__init__("Account policy: is in force already. Nothing to adopt.")


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
    if actor.startswith(CLIENT):
        client = plant.get(Client, actor.removeprefix(CLIENT))
        if client is None or not set(client.roles) & set(allowed):
            raise NotAuthorized(actor, action, allowed)
        return
    person = plant.get(Person, actor)
    if person is None:
        raise NotAuthorized(actor, action, allowed)
    if person.state is not PersonState.ACTIVE:
        raise Locked(person)
    if not set(person.roles) & set(allowed):
        raise NotAuthorized(person.name, action, allowed)


def decide(plant: Plant, command: AdoptAuthority | AdoptAccountPolicy, context: Context) -> Facts:
    """Return what a change of the plant's matrix or its rules for secrets causes, or refuse it.

    Raises:
        UnknownRole, UnknownZone, NobodyLeft: the plant could not work under these rules.
        PolicyOutOfRange: no account could follow the policy.
        PolicyInForce: the policy is in force.
    """
    if isinstance(command, AdoptAccountPolicy):
        return _account_policy(plant, command)
    for roles in command.matrix.values():
        for role in roles:
            if role != SERVICE_ROLE and role not in ROLES:
                raise UnknownRole(role, ROLES)
    _check_zone(command.zone)
    rules = plant.get(PlantRules, command.plant)
    if rules is not None and not set(command.matrix.get(ADOPT, ())) & set(ROLES):
        raise NobodyLeft
    adopted = AuthorityAdopted(plant=command.plant, zone=command.zone, matrix=command.matrix)
    return (Fact(f"{PlantRules.KIND}/{command.plant}", adopted),)


def _account_policy(plant: Plant, it: AdoptAccountPolicy) -> Facts:
    rules = need(plant, PlantRules, it.plant, next_step="Adopt its authority matrix first.")
    check_policy(it.policy)
    if it.policy == rules.accounts:
        raise PolicyInForce
    adopted = AccountPolicyAdopted(plant=it.plant, policy=it.policy)
    return (Fact(f"{PlantRules.KIND}/{it.plant}", adopted),)


def apply(rules: PlantRules | None, fact: Recorded) -> PlantRules:
    """Fold one event of the plant's stream."""
    match fact.event:
        case AuthorityAdopted() as it:
            if rules is None:
                return PlantRules(plant=it.plant, zone=it.zone, matrix=it.matrix)
            return replace(rules, zone=it.zone, matrix=it.matrix)
        case BoundaryPolicyAdopted() as it:
            decisions = msgspec.convert(it.decisions, Decisions)
            return _with(rules, it, fact, decisions=decisions, effective_at=fact.at)
        case BoundaryPolicySigned() as it:
            return _with(rules, it, fact, decisions=it.decisions, effective_at=it.effective_at)
        case AccountPolicyAdopted(policy=policy):
            assert rules is not None, fact
            return replace(rules, accounts=policy)
        case _:
            assert rules is not None, fact
            return rules


def _with(
    rules: PlantRules | None,
    it: BoundaryPolicyAdopted | BoundaryPolicySigned,
    fact: Recorded,
    *,
    decisions: Decisions,
    effective_at: datetime,
) -> PlantRules:
    assert rules is not None, fact
    version = PolicyVersion(
        version=it.version,
        profile=it.profile,
        decisions=decisions,
        effective_at=effective_at,
        signed_by=fact.actor,
        signed_at=fact.at,
        seq=fact.seq,
    )
    return replace(rules, policies=(*rules.policies, version))
