"""The only way in: a command is authenticated, authorized, decided, recorded, answered.

Under the writer's lock the named streams are read as they are now, the noun's `decide` says
what happens or refuses, and its facts, the projection and the checkpoint are committed with
the group. Slow work, such as checking a secret, is done before the queue.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from threading import Lock
from typing import Any

import msgspec

from core import authority, clock
from core.catalogue import DECIDERS, NOUNS, event_type, to_data
from core.credentials import Secrets
from core.errors import Refused
from core.fact import Command, Context, Fact, Head, Signer, State
from core.fields import check_fields, check_reason
from core.ledger.checkpoint import LogKey
from core.ledger.entry import Entry
from core.ledger.store import Ledger, open_store
from core.ledger.writer import Decision, Draft, Job, Receipt, View, Writer
from core.people import (
    BadgeOwner,
    Locked,
    Person,
    PersonState,
    RecordAuthentication,
    RecordFailedAuthentication,
    RegisterPerson,
)
from core.policy import OPEN
from core.projections import verifications
from core.projections.nouns import Nouns, Row, prepare, recorded, write
from core.refusal import attempt
from core.signature import FirstSigningNeedsBoth, Seen, SigningPeriod

SECURITY = "service:security"
SIGNING = "signing"
WAIT_S = 30


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks, and from which station."""

    person: str
    station: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What a signer gave: user id or badge, and the secret; the secret alone within a period."""

    secret: str
    user: str | None = None
    badge: str | None = None

    def __repr__(self) -> str:
        return f"Credentials(user={self.user!r}, badge={self.badge!r}, secret=***)"


class DoesNotFit(Refused):
    """User id or badge, and secret, do not belong together."""

    def __init__(self) -> None:
        super().__init__("Sign-in: user or badge and secret do not fit. Try again.")


class Recalled(Refused):
    """A refusal that was answered before under the same command id."""

    def __init__(self, rule: str, sentence: str, facts: dict[str, str]) -> None:
        super().__init__(sentence, **facts)
        self._rule = rule

    @property
    def rule(self) -> str:
        """The rule that refused the first time."""
        return self._rule


class _UnderLock:
    """The plant while one command is decided: states of this group over committed ones."""

    def __init__(self, states: "_States", view: View) -> None:
        self._states, self._view = states, view

    def get[S: State](self, noun: type[S], name: str) -> S | None:
        state: S | None = self._states.read(f"{noun.KIND}/{name}")
        return state

    def head(self, stream: str) -> Head:
        head = self._view.head(stream)
        return Head(0, None) if head is None else Head(head.ver, head.leaf)


class _States:
    """Folded states, kept in step with the ledger as the writer's hooks.

    A state is read from memory, else from the committed projection, which cannot be stale:
    whoever reads here holds the ledger's lock, and states of the open group are in memory.
    """

    LIMIT = 20_000

    def __init__(self, nouns: Nouns, ledger: Ledger) -> None:
        self._nouns, self._ledger = nouns, ledger
        self._rows: dict[str, Row | None] = {}
        self._dirty: set[str] = set()
        self._before: dict[str, Row | None] = {}
        self._dirty_before: set[str] = set()

    def read(self, stream: str) -> Any:
        """Return a stream's state, or None."""
        row = self._row(stream)
        return None if row is None else row.state

    def _row(self, stream: str) -> Row | None:
        if stream not in self._rows:
            self._rows[stream] = self._nouns.row(stream)
        return self._rows[stream]

    def appended(self, view: View, entries: Sequence[Entry]) -> None:
        self._before = {entry.stream: self._row(entry.stream) for entry in entries}
        self._dirty_before = set(self._dirty)
        if any(entry.type == verifications.VERIFIED for entry in entries):
            verifications.write(view.connection, self._ledger.store, entries)
        for entry in entries:
            row = self._row(entry.stream)
            apply = NOUNS[entry.stream.split("/", 1)[0]].apply
            head = view.head(entry.stream)
            fact = recorded(entry, head.leaf if head and head.ver == entry.ver else "")
            state = apply(None if row is None else row.state, fact)
            self._rows[entry.stream] = Row(entry.stream, entry.ver, entry.seq, state)
            self._dirty.add(entry.stream)

    def foreign(self, view: View, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._rows.pop(entry.stream, None)

    def flush(self, view: View) -> None:
        rows = [row for stream in sorted(self._dirty) if (row := self._rows[stream]) is not None]
        write(view.connection, self._ledger.store, rows, upto_seq=view.size)
        self._dirty.clear()
        if len(self._rows) > self.LIMIT:
            self._rows.clear()

    def dropped(self, streams: frozenset[str] | None) -> None:
        if streams is None:
            self._rows.clear()
            self._dirty.clear()
        else:  # only the newest command was undone; earlier ones of its group still stand
            self._rows.update(self._before)
            self._dirty = self._dirty_before


class Execution:
    """A plant's commands, and the states they lead to."""

    def __init__(
        self,
        where: str | Path,
        key: LogKey,
        *,
        plant: str,
        secrets: Secrets,
        anchor_dir: Path | None = None,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        rebuilding = open_store(where)
        try:
            prepare(rebuilding)
        finally:
            rebuilding.close()
        self.plant = plant
        self.ledger = Ledger(open_store(where))
        self.nouns = Nouns(self.ledger.store)
        self.secrets = secrets
        self.verifier, self.anchor_dir = key.verifier, anchor_dir
        self._now = now
        self._states = _States(self.nouns, self.ledger)
        self.writer = Writer(open_store(where), key, self._states, anchor_dir=anchor_dir)
        self._periods: dict[str, SigningPeriod] = {}
        self._lock = Lock()

    def start(self) -> None:
        """Begin to take commands."""
        self.writer.start()

    def close(self) -> None:
        """Write what waits, then stop."""
        self.writer.close()
        self.writer.store.close()
        self.ledger.close()
        self.secrets.close()

    def submit(
        self,
        command: Command,
        *,
        actor: Actor,
        idem: str,
        credentials: Credentials | None = None,
        reason: str | None = None,
    ) -> Receipt:
        """Carry out a command once; return its receipt when it is on disk.

        With `credentials` the command is signed: their owner is the one who acts.

        Raises:
            Refused: a rule says no; evidence of the attempt may have been recorded.
            Conflict: the sender saw an older state, or reused a command id.
        """
        _check(command, reason)
        signer = None
        if credentials is not None:
            signer = self._authenticate(credentials, actor.station, SIGNING)
            actor = Actor(signer.person, actor.station)
        refusal: list[Refused] = []
        job = Job(
            idem=idem,
            request_sha256=_request_sha256(command, actor.person, reason),
            actor=actor.person,
            station=actor.station,
            at=self._now,
            decide=lambda view: self._decide(
                view, command, actor=actor, idem=idem, reason=reason, signer=signer, out=refusal
            ),
        )
        receipt = self.writer.submit(job).result(WAIT_S)
        if "refused" in receipt.answer:
            said = receipt.answer["refused"]
            if refusal and not receipt.replayed:
                raise refusal[-1]
            raise Recalled(said["rule"], said["says"], said["facts"])
        if signer is not None:
            self._signed(signer, actor.station)
        return receipt

    def _decide(
        self,
        view: View,
        command: Command,
        *,
        actor: Actor,
        idem: str,
        reason: str | None,
        signer: Signer | None,
        out: list[Refused],
    ) -> Decision:
        plant = _UnderLock(self._states, view)
        rules = plant.get(authority.PlantRules, self.plant)
        action = str(command.__struct_config__.tag)
        policy = None if rules is None else rules.policy(view.at)
        context = Context(
            at=view.at,
            actor=actor.person,
            station=actor.station,
            idem=idem,
            zone="UTC" if rules is None else rules.zone,
            reason=reason,
            signer=signer,
            policy=OPEN if policy is None else policy.decisions,
        )
        try:
            authority.permit(plant, rules, actor=actor.person, action=action)
            facts = DECIDERS[action](plant, command, context)
        except Refused as refusal:
            if not refusal.is_evidence:
                raise
            out.append(refusal)
            said = {"rule": refusal.rule, "says": refusal.sentence, "facts": refusal.facts}
            return Decision((_draft(attempt(command, refusal), reason),), {"refused": said})
        return Decision(tuple(_draft(fact, reason) for fact in facts))

    def seen(self, stream: str) -> Seen:
        """Return what a screen that shows this stream now must hand to its signer."""
        head = self.ledger.head(stream)
        if head is None:
            return Seen(stream=stream, ver=0, head="")
        return Seen(stream=stream, ver=head.ver, head=head.leaf)

    def shown(self, stream: str) -> tuple[Any, Seen] | None:
        """Return a stream's state and what a signer of exactly that state has seen, or None."""
        while True:
            seen, row = self.seen(stream), self.nouns.row(stream)
            if row is None:
                return None
            if row.ver == seen.ver:
                return row.state, seen

    def authenticate(
        self, user_or_badge: str, secret: str, *, station: str | None, purpose: str = "sign-in"
    ) -> Person:
        """Return the person behind a user id or badge and a secret.

        Raises:
            DoesNotFit: unknown, or the wrong secret; the failure is recorded and counted.
            Locked: the person may not act now.
        """
        owner = self.nouns.get(BadgeOwner, user_or_badge)
        name = owner.person if owner else user_or_badge
        person = self.nouns.get(Person, name)
        fits = self.secrets.fits(None if person is None else person.person, secret)
        if person is None:
            raise DoesNotFit
        failed = RecordFailedAuthentication(person=person.person, purpose=purpose)
        if person.state is not PersonState.ACTIVE:
            self._record(failed, person, station)
            raise Locked(person)
        if not fits:
            self._record(failed, person, station)
            raise DoesNotFit
        if person.failures and purpose == SIGNING:
            again = RecordAuthentication(person=person.person, purpose=purpose)
            self._record(again, person, station)
        return person

    def _record(self, command: Command, person: Person, station: str | None) -> None:
        idem = f"{SECURITY}:{person.person}:{token_hex(8)}"
        self.submit(command, actor=Actor(SECURITY, station), idem=idem)

    def register(self, command: RegisterPerson, *, secret: str, actor: Actor, idem: str) -> Receipt:
        """Register a person and set the first secret."""
        receipt = self.submit(command, actor=actor, idem=idem)
        self.secrets.put(command.person, secret, set_at=clock.iso(self._now()))
        return receipt

    def _authenticate(self, credentials: Credentials, station: str | None, purpose: str) -> Signer:
        given = credentials.badge or credentials.user
        if given is not None:
            person = self.authenticate(given, credentials.secret, station=station, purpose=purpose)
            component = "user" if self.nouns.get(BadgeOwner, given) is None else "badge"
            return Signer(person=person.person, name=person.name, components=(component, "secret"))
        with self._lock:
            period = self._periods.get(station or "")
        if station is None or period is None or not period.covers(station, self._now()):
            raise FirstSigningNeedsBoth
        person = self.authenticate(
            period.person, credentials.secret, station=station, purpose=purpose
        )
        return Signer(person=person.person, name=person.name, components=("secret",))

    def _signed(self, signer: Signer, station: str | None) -> None:
        if station is None:
            return
        with self._lock:
            self._periods[station] = SigningPeriod(signer.person, station, self._now())

    def end_signing_period(self, station: str) -> None:
        """Ask for all components again at this station: sign-out, user or station change."""
        with self._lock:
            self._periods.pop(station, None)


def _draft(fact: Fact, reason: str | None) -> Draft:
    return Draft(
        stream=fact.stream,
        type=event_type(fact.event),
        v=fact.event.SCHEMA,
        data=to_data(fact.event),
        reason=fact.reason or reason,
    )


def _check(command: Command, reason: str | None) -> None:
    check_fields(command, msgspec.json.encode(command))
    check_reason(command, reason)


def _request_sha256(command: Command, person: str, reason: str | None) -> str:
    body = msgspec.json.encode([person, reason, command], order="sorted")
    return sha256(body).hexdigest()
