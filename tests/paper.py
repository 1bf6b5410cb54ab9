"""A plant that lives in memory: the core's rules and folds, without ledger, secrets or threads.

Decisions are made and folded as in a real plant; who may act is not asked.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from config.accounts import new_accounts
from config.seed import seed
from core.authority import PlantRules
from core.catalogue import DECIDERS, NOUNS
from core.execution import Actor, Credentials
from core.fact import Command, Context, Fact, Facts, Head, Recorded, Signer
from core.people import Person
from core.signature import Seen
from tests.hands import AT, PACK, Hands, say


class Paper(Hands):
    """States and heads of streams in two dictionaries; also what a seed needs of an execution."""

    plant = PACK.id

    def __init__(self, at: datetime = AT) -> None:
        self.states: dict[str, Any] = {}
        self.heads: dict[str, Head] = {}
        self.written: list[Recorded] = []
        self.at = at
        self.nouns = self.ledger = self

    def copy(self) -> Paper:
        other = Paper(self.at)
        other.states, other.heads = dict(self.states), dict(self.heads)
        other.written = list(self.written)
        return other

    def size(self) -> int:
        return len(self.written)

    def get(self, noun: Any, name: str) -> Any:
        return self.states.get(f"{noun.KIND}/{name}")

    def head(self, stream: str) -> Head:
        return self.heads.get(stream, Head(0, None))

    def seen(self, stream: str) -> Seen:
        head = self.head(stream)
        return Seen(stream=stream, ver=head.ver, head=head.leaf or "")

    def signer(self, person: str) -> Signer:
        return Signer(
            person=person, name=self.get(Person, person).name, components=("badge", "secret")
        )

    def context(self, by: str, *, signer: Signer | None = None, **fields: Any) -> Context:
        given = {"station": None, "idem": f"paper:{self.size()}", "reason": None} | fields
        rules = self.get(PlantRules, PACK.id)
        policy = None if rules is None else rules.policy(self.at)
        if policy is not None:
            given["policy"] = policy.decisions
        return Context(
            at=self.at, actor=by, zone="Europe/Berlin", signer=signer, plant=self.plant, **given
        )

    def instant(self) -> datetime:
        return self.at

    def act(
        self,
        command: Command,
        by: str,
        *,
        station: str | None = "kiosk-B1",
        reason: str | None = None,
    ) -> Facts:
        return self._do(command, self.context(by, station=station, reason=reason))

    def sign(self, command: Command, by: str, *, station: str | None = "kiosk-B1") -> Facts:
        return self._do(command, self.context(by, station=station, signer=self.signer(by)))

    def submit(
        self,
        command: Command,
        *,
        actor: Actor,
        idem: str,
        credentials: Credentials | None = None,
        reason: str | None = None,
    ) -> Facts:
        if credentials is not None:
            return self.sign(command, credentials.user or actor.person, station=actor.station)
        return self.act(command, actor.person, station=actor.station, reason=reason)

    def register(self, command: Command, *, secret: str, actor: Actor, idem: str) -> Facts:
        return self.submit(command, actor=actor, idem=idem)

    def end_signing_period(self, station: str) -> None:
        """There are none on paper."""

    def pass_time(self, **by: int) -> None:
        self.at += timedelta(**by)

    def _do(self, command: Command, context: Context) -> Facts:
        context = replace(context, action=say(command))
        facts = tuple(DECIDERS[say(command)](self, command, context))
        for fact in facts:
            self._append(fact, context)
        return facts

    def _append(self, fact: Fact, context: Context) -> None:
        ver, seq = self.head(fact.stream).ver + 1, len(self.written) + 1
        entry = Recorded(
            event=fact.event,
            stream=fact.stream,
            seq=seq,
            ver=ver,
            at=context.at,
            actor=context.actor,
            station=context.station,
        )
        apply = NOUNS[fact.stream.split("/", 1)[0]].apply
        self.states[fact.stream] = apply(self.states.get(fact.stream), entry)
        self.heads[fact.stream] = Head(ver, f"{seq:064x}")
        self.written.append(entry)


@functools.cache
def _seeded() -> Paper:
    paper = Paper()
    seed(paper, PACK, new_accounts(PACK), at=AT)
    return paper


def paper() -> Paper:
    """Return a plant with the whole tablets pack in it, of this test alone."""
    return _seeded().copy()
