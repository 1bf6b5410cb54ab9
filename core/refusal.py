"""Refused attempts that are evidence: a wrong scan, an over-weigh, a foreign signature.

They stand in a stream of their own beside the record they concern, so that an attempt never
moves the version that somebody is about to sign.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar

from core.errors import Refused
from core.fact import Command, Event, Fact, Recorded

SUBJECTS = (
    "batch",
    "amendment",
    "deviation",
    "order",
    "lot",
    "recipe",
    "equipment",
    "line",
    "person",
    "plant",
    "difference",
)


class AttemptRefused(Event, frozen=True, kw_only=True, tag="attempt.refused"):
    """Somebody tried something that a rule forbids; nothing was changed."""

    subject: str
    command: str
    rule: str
    says: str
    facts: dict[str, str]


KEPT = 200  # newest attempts in the document; the ledger keeps every one
SAME = timedelta(seconds=1)  # within which a stuck scanner repeats itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One refused attempt; `times` counts it with its repetitions, the last one at `last_at`."""

    command: str
    rule: str
    says: str
    by: str
    at: datetime
    station: str | None
    seq: int
    step: str | None
    times: int = 1
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """The refused attempts that concern one record: how many there were, and the newest ones."""

    KIND: ClassVar[str] = "refusal"
    subject: str
    count: int = 0
    attempts: tuple[Attempt, ...] = ()


def subject(command: Command) -> str:
    """Return the stream that a command is about, such as `batch/B26-0178`."""
    for name in SUBJECTS:
        value = getattr(command, name, None)
        if isinstance(value, str):
            return f"{name}/{value}"
    return f"command/{command.__struct_config__.tag}"


def attempt(command: Command, refusal: Refused) -> Fact:
    """Return the fact that a command was refused."""
    about = subject(command)
    refused = AttemptRefused(
        subject=about,
        command=str(command.__struct_config__.tag),
        rule=refusal.rule,
        says=refusal.sentence,
        facts=refusal.facts,
    )
    return Fact(f"{Refusals.KIND}/{about}", refused)


def apply(refusals: Refusals | None, fact: Recorded) -> Refusals:
    """Fold one refused attempt."""
    assert isinstance(fact.event, AttemptRefused), fact
    it = fact.event
    one = Attempt(
        command=it.command,
        rule=it.rule,
        says=it.says,
        by=fact.actor,
        at=fact.at,
        station=fact.station,
        seq=fact.seq,
        step=it.facts.get("step"),
    )
    before = refusals or Refusals(subject=it.subject)
    attempts = _with(before.attempts, one)[-KEPT:]
    return Refusals(subject=it.subject, count=before.count + 1, attempts=attempts)


def _with(attempts: tuple[Attempt, ...], new: Attempt) -> tuple[Attempt, ...]:
    """Return the attempts with one more; the same again within `SAME` only counts."""
    if not attempts:
        return (new,)
    last = attempts[-1]
    as_before = replace(last, at=new.at, seq=new.seq, times=1, last_at=None)
    if as_before != new or new.at - (last.last_at or last.at) > SAME:
        return (*attempts, new)
    return (*attempts[:-1], replace(last, times=last.times + 1, last_at=new.at))
