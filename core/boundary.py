"""The boundary policy: the seven decisions as signed versions, each with an effective time.

Versions take effect in the order in which they were signed. The one in force is the newest whose
time has come, so a fact is always judged by the policy of its own moment.
"""

from datetime import datetime, timedelta

import msgspec

from core.authority import BoundaryPolicySigned, PlantRules, PolicyVersion
from core.clock import iso
from core.errors import Refused
from core.fact import Command, Context, Fact, Facts, Plant, need
from core.policy import Decisions
from core.quantity import Name, Sentence, Utc
from core.signature import Seen, sign

MEANING = "I put this boundary policy in force"
LATEST = timedelta(days=366)


class SignBoundaryPolicy(Command, frozen=True, kw_only=True, tag="boundary-policy.sign"):
    """Put seven decisions in force from an instant on, under signature; None is at once."""

    plant: Name
    profile: Name
    decisions: Decisions
    effective_at: Utc | None = None
    why: Sentence
    seen: Seen


class PolicyUnchanged(Refused):
    """A version states at least one other decision than the one before it."""

    def __init__(self, version: PolicyVersion) -> None:
        super().__init__(
            f"Boundary policy: version {version.version} states the same seven decisions."
            " Change one, then sign.",
            version=version.version,
        )


class EffectiveTooEarly(Refused):
    """A policy changes what comes, never what was."""

    def __init__(self, effective_at: datetime, *, earliest: datetime, why: str) -> None:
        super().__init__(
            f"Boundary policy: effective at {iso(effective_at)} is before {iso(earliest)}, {why}."
            " Choose a later time.",
            effective_at=iso(effective_at),
            earliest=iso(earliest),
        )


class EffectiveTooLate(Refused):
    """A date so far away is a slip of the pen."""

    def __init__(self, effective_at: datetime) -> None:
        super().__init__(
            f"Boundary policy: effective at {iso(effective_at)} is more than a year away."
            " Choose an earlier time.",
            effective_at=iso(effective_at),
        )


def changes(before: Decisions | None, after: Decisions) -> dict[str, tuple[str, str]]:
    """Return the decisions that differ, as (before, after); without a version before, all."""
    old = {} if before is None else msgspec.structs.asdict(before)
    return {
        name: (old.get(name, ""), value)
        for name, value in msgspec.structs.asdict(after).items()
        if old.get(name) != value
    }


def policy_words(command: SignBoundaryPolicy, before: PolicyVersion | None) -> str:
    """Return in words what the signer of a policy signs for."""
    changed = changes(None if before is None else before.decisions, command.decisions)
    listed = "; ".join(
        f"{name.replace('_', ' ')} is {after}" + (f", was {old}" if old else "")
        for name, (old, after) in changed.items()
    )
    when = "at once" if command.effective_at is None else f"from {iso(command.effective_at)}"
    return f"Boundary policy of {command.plant}, {when}: {listed}. {command.why}"


def decide(plant: Plant, command: SignBoundaryPolicy, context: Context) -> Facts:
    """Return the new version, or refuse it.

    Raises:
        Unknown: a policy for a plant that has no rules.
        PolicyUnchanged: the newest version states the same.
        EffectiveTooEarly: before now, or before a version that was signed already.
        EffectiveTooLate: more than a year away.
        RecordMoved, SignatureRequired: see `core.signature.sign`.
    """
    rules = need(plant, PlantRules, command.plant, next_step="Adopt its authority matrix first.")
    newest = rules.policies[-1] if rules.policies else None
    if newest is not None and newest.decisions == command.decisions:
        raise PolicyUnchanged(newest)
    effective_at = command.effective_at or context.at
    if effective_at < context.at:
        raise EffectiveTooEarly(effective_at, earliest=context.at, why="which is now")
    if newest is not None and effective_at < newest.effective_at:
        why = f"when version {newest.version} takes effect"
        raise EffectiveTooEarly(effective_at, earliest=newest.effective_at, why=why)
    if effective_at > context.at + LATEST:
        raise EffectiveTooLate(effective_at)
    stream = f"{PlantRules.KIND}/{command.plant}"
    words = policy_words(command, newest)
    signature = sign(plant, context, command.seen, record=stream, meaning=MEANING, words=words)
    signed = BoundaryPolicySigned(
        plant=command.plant,
        profile=command.profile,
        version=1 if newest is None else newest.version + 1,
        decisions=command.decisions,
        effective_at=effective_at,
    )
    return (Fact(stream, signature, command.why), Fact(stream, signed, command.why))
