"""A qualification test: its script as a person reads it, and what came out when it was run.

    @script("OQ-01", "Title", shows=("H1",), clauses=("21 CFR 11.50(a)",), steps=..., expected=...)
    def signing_period(plant: Scratch, found: Found) -> None:
        \"\"\"What the test is for.\"\"\"
        found.must(plant.is_up, "The server answers.")

A test passes where every statement that it must make is true and none is missing. It is not run,
and says why, where it lacks something that this machine or this call does not give.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from core.clock import iso, now
from core.errors import Conflict, Refused
from dashboards.demo.client import Said

NO = (Said, Refused, Conflict)  # a rule's answer, over HTTP or at the door that pages use


class Outcome(StrEnum):
    """How a test ended; what was not run is never counted as passed."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not run"


class NotRun(Exception):
    """The test lacks something; the text says what, and how to give it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing that was found, and whether it is as it must be."""

    says: str
    holds: bool = True


@dataclass(slots=True)
class Found:
    """What a running test has found so far: sentences, and values for the file."""

    seen: list[Seen] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    def must(self, holds: bool, says: str, *, otherwise: str = "") -> bool:
        """Note what must hold; `otherwise` is the sentence where it does not."""
        self.seen.append(Seen(says if holds or not otherwise else otherwise, bool(holds)))
        return bool(holds)

    def note(self, says: str) -> None:
        """Note a fact that no limit belongs to."""
        self.seen.append(Seen(says))

    def hear(self, says: str) -> None:
        """Take what a part of the program tells while it works, without making it evidence."""

    def refused(self, act: str, call: Callable[[], object], *, by: str) -> None:
        """Do what must be refused by a rule, and note the sentence of the refusal."""
        try:
            call()
        except NO as no:
            held = no.rule == by
            says = f"{act}: refused. “{no}”"
            self.must(held, says, otherwise=f"{says} The rule was {no.rule}, must be {by}.")
        else:
            self.must(False, f"{act}: was accepted, and must be refused by {by}.")

    def accepted(self, act: str, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Do what must be accepted; return its receipt, an empty one where it was refused."""
        try:
            receipt = call()
        except NO as no:
            self.must(False, f"{act}: was refused, and must be accepted. “{no}”")
            return {}
        entries = receipt.get("last_seq")
        self.note(f"{act}: accepted" + (f", entry {entries}." if entries else "."))
        return receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Script[Where]:
    """One test. `shows` are ids of requirements, `clauses` those that it gives evidence for."""

    id: str
    title: str
    shows: tuple[str, ...]
    clauses: tuple[str, ...]
    purpose: str
    steps: tuple[str, ...]
    expected: str
    act: Callable[[Where, Found], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A test that was run, or was not; times are aware UTC."""

    script: Script[Any]
    outcome: Outcome
    actual: tuple[Seen, ...]
    values: dict[str, Any]
    why: str
    started_at: datetime
    ended_at: datetime

    def as_json(self) -> dict[str, Any]:
        """Return script and result as plain values."""
        it = self.script
        return {
            "id": it.id,
            "name": it.title,
            "requirements": list(it.shows),
            "clauses": list(it.clauses),
            "purpose": it.purpose,
            "steps": list(it.steps),
            "expected": it.expected,
            "actual": [{"says": one.says, "holds": one.holds} for one in self.actual],
            "outcome": self.outcome.value,
            "why": self.why,
            "values": self.values,
            "started_at": iso(self.started_at),
            "ended_at": iso(self.ended_at),
        }


def script[Where](
    id: str,
    title: str,
    *,
    shows: tuple[str, ...],
    clauses: tuple[str, ...],
    steps: tuple[str, ...],
    expected: str,
) -> Callable[[Callable[[Where, Found], None]], Script[Where]]:
    """Make a function a test; its docstring is what the test is for."""

    def made(act: Callable[[Where, Found], None]) -> Script[Where]:
        purpose = " ".join((act.__doc__ or "").split())
        return Script(
            id=id, title=title, shows=shows, clauses=clauses, purpose=purpose, steps=steps,
            expected=expected, act=act,
        )  # fmt: skip

    return made


def run[Where](it: Script[Where], where: Where) -> Result:
    """Run one test; whatever stops it is a failure with the reason, never a pass."""
    found, started_at, why = Found(), now(), ""
    try:
        it.act(where, found)
        if not found.seen:
            found.must(False, "Nothing was looked at.")
        holds = all(one.holds for one in found.seen)
        outcome = Outcome.PASSED if holds else Outcome.FAILED
    except NotRun as reason:
        outcome, why = Outcome.NOT_RUN, str(reason)
    except Exception as fault:  # a test that cannot go on has not shown what it is for
        outcome = Outcome.FAILED
        found.must(False, f"The test stopped: {type(fault).__name__}: {fault}")
    if outcome is Outcome.FAILED:
        why = next(one.says for one in found.seen if not one.holds)
    return Result(
        script=it, outcome=outcome, actual=tuple(found.seen), values=found.values, why=why,
        started_at=started_at, ended_at=now(),
    )  # fmt: skip


def not_run(it: Script[Any], why: str) -> Result:
    """Return a test that nobody could begin."""
    at = now()
    return Result(
        script=it, outcome=Outcome.NOT_RUN, actual=(), values={}, why=why, started_at=at,
        ended_at=at,
    )  # fmt: skip
