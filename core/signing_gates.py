"""Signing gates: for each act that must be signed, who may sign, stating what, and how.

A gate has the name of its command, with the party after a colon where parties sign apart
(`recipe.approve:quality`). A gate that the adopted table does not name follows `Gate()`. What a
noun itself forbids, such as a performer who verifies, stays forbidden whatever the table says.

Source:
    21 CFR 11.200(a)(1), 11.50(a)(3).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar

from msgspec import Struct

from core.errors import AlreadyKnown, Refused
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded, need
from core.people import ROLES, Person
from core.quantity import Name

ANY, PERFORMER, NOT_PERFORMER = "any", "performer", "not_performer"
ROLE, NAMED = "role:", "named:"
# Gates that no performer passes, by the rules of their nouns.
INDEPENDENT = (
    "step.verify",
    "deviation.disposition",
    "batch.review-audit-trail",
    "batch.release",
    "batch.reject",
    "recipe.approve:production",
    "recipe.approve:quality",
    "amendment.release",
    "amendment.reject",
    "posting.reverse:second",
    "posting.replace:second",
    "erp-key.begin:second",
    "erp-key.end:second",
    "key.revoke:second",
    "key.name-recovery:second",
    "person.confirm-identity",
)
GATES = (
    *INDEPENDENT,
    "lot.change-status",
    "batch.reopen",
    "boundary-policy.sign",
    "person.register-passkey",
    "person.link-identity",
    "person.review-access",
    "message.skip",
    "message.supersede",
    "posting.reverse:first",
    "posting.replace:first",
    "key.revoke:first",
    "key.name-recovery:first",
    "reconciliation.sign",
    "erp-key.begin:first",
    "erp-key.end:first",
)
IDLE_MINUTES = (1, 60)
LONGEST_MEANING = 200


class CommentRule(StrEnum):
    """Whether a signer writes a comment."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"
    REQUIRED_WHEN_NOT_COMPLIANT = "required_when_not_compliant"


class Components(StrEnum):
    """When the user id or badge is asked beside the secret."""

    PERIOD = "period"  # at the first signing of a continuous period
    ALWAYS = "always"


class Gate(Struct, frozen=True, kw_only=True):
    """One act's rules. Without `meanings` the noun's own statement is the only one."""

    who: str = ANY
    meanings: tuple[str, ...] = ()
    comment: CommentRule = CommentRule.OPTIONAL
    components: Components = Components.PERIOD


class AdoptSigningGates(Command, frozen=True, kw_only=True, tag="plant.adopt-signing-gates"):
    """Put a table of signing gates in force; the idle limit is in minutes, 1 to 60."""

    plant: Name
    gates: dict[str, Gate]
    idle_minutes: int = 10
    kiosk_components: Components = Components.ALWAYS


class SigningGatesAdopted(Event, frozen=True, kw_only=True, tag="signing-gates.adopted"):
    """These gates are in force from here on."""

    plant: str
    version: int
    gates: dict[str, Gate]
    idle_minutes: int
    kiosk_components: Components


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningGates:
    """The plant's table; version 0 is the one without a row, in force before any adoption."""

    KIND: ClassVar[str] = "signing-gates"
    plant: str = ""
    version: int = 0
    gates: dict[str, Gate]
    idle_minutes: int = 10
    kiosk_components: Components = Components.ALWAYS

    @property
    def idle(self) -> timedelta:
        """The longest pause between two signings of one period."""
        return timedelta(minutes=self.idle_minutes)

    def gate(self, name: str) -> Gate:
        """Return an act's rules."""
        return self.gates.get(name) or Gate()


class GateRefused(Refused):
    """A row that no plant could work with."""

    def __init__(self, gate: str, *, what: str, needed: str) -> None:
        super().__init__(f"Signing gate {gate}: {what}. {needed}", gate=gate, what=what)


def in_force(plant: Plant, name: str) -> SigningGates:
    """Return the table that a plant signs by."""
    return plant.get(SigningGates, name) or SigningGates(gates={})


def named(who: str) -> tuple[str, ...]:
    """Return the person ids of a `named:` rule.

    >>> named("named:quinn, ines")
    ('quinn', 'ines')
    """
    return tuple(one.strip() for one in who.removeprefix(NAMED).split(",") if one.strip())


def gate_faults(name: str, gate: Gate) -> Iterable[tuple[str, str]]:
    """Return what is wrong in a row, each with what is needed; people are not looked up."""
    if name not in GATES:
        yield "not a gate", f"Use one of {', '.join(GATES)}."
    if gate.who.startswith(ROLE):
        if gate.who.removeprefix(ROLE) not in ROLES:
            yield f"who is {gate.who}", f"A role is one of {', '.join(ROLES)}."
    elif gate.who.startswith(NAMED):
        if not named(gate.who):
            yield "who names nobody", "Write named: and person ids with commas."
    elif gate.who not in (ANY, PERFORMER, NOT_PERFORMER):
        yield f"who is {gate.who}", "Use any, performer, not_performer, role: or named:."
    if gate.who == PERFORMER and name in INDEPENDENT:
        yield "who is performer", "Nobody who did the work may sign here: use not_performer."
    if len(set(gate.meanings)) < len(gate.meanings):
        yield "a meaning stands twice", "Name each meaning once."
    if any(not 0 < len(one.strip()) <= LONGEST_MEANING for one in gate.meanings):
        yield "a meaning is empty or too long", f"Use 1 to {LONGEST_MEANING} characters."


def decide(plant: Plant, command: AdoptSigningGates, context: Context) -> Facts:
    """Return what a change of the signing gates causes, or refuse it.

    Raises:
        GateRefused: a row or the idle limit that nobody could work with.
        Unknown: a row names a person that is not there.
        AlreadyKnown: the table is in force.
    """
    low, high = IDLE_MINUTES
    if not low <= command.idle_minutes <= high:
        raise GateRefused(
            "idle_minutes", what=f"is {command.idle_minutes}", needed=f"Use {low} to {high}."
        )
    for name, gate in command.gates.items():
        for what, needed in gate_faults(name, gate):
            raise GateRefused(name, what=what, needed=needed)
        for person in named(gate.who) if gate.who.startswith(NAMED) else ():
            need(plant, Person, person, next_step="Register the person first.")
    before = in_force(plant, command.plant)
    after = replace(
        before,
        plant=command.plant,
        gates=command.gates,
        idle_minutes=command.idle_minutes,
        kiosk_components=command.kiosk_components,
    )
    if before.version and after == before:
        raise AlreadyKnown("Signing gates", f"version {before.version}")
    adopted = SigningGatesAdopted(
        plant=after.plant,
        version=before.version + 1,
        gates=after.gates,
        idle_minutes=after.idle_minutes,
        kiosk_components=after.kiosk_components,
    )
    return (Fact(f"{SigningGates.KIND}/{command.plant}", adopted),)


def apply(_: SigningGates | None, fact: Recorded) -> SigningGates:
    """Fold one event of the table's stream: the newest table stands."""
    it = fact.event
    assert isinstance(it, SigningGatesAdopted), fact
    return SigningGates(
        plant=it.plant,
        version=it.version,
        gates=it.gates,
        idle_minutes=it.idle_minutes,
        kiosk_components=it.kiosk_components,
    )
