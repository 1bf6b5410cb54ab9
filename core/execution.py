"""The only way in: a command is authenticated, authorized, decided, recorded, answered.

Under the writer's lock the named streams are read as they are now, the noun's `decide` says
what happens or refuses, and its facts, the projection and the checkpoint are committed with
the group. Slow work, such as checking a secret, is done before the queue.
"""

from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from core import authority, clock, signing_gates
from core.authentication import SIGN_IN, SIGNING, Authentication
from core.catalogue import DECIDERS, event_type, to_data
from core.clock_step import StepWatch
from core.command_id import new_command_id
from core.credentials import Secrets
from core.errors import Refused, WrongState
from core.fact import Command, Context, Fact, Facts, Plant, Signer, Site
from core.fields import check_fields, check_words
from core.ledger.checkpoint import LogKey, Verifier
from core.ledger.rotation import as_recorded, chained, rotations_of
from core.ledger.store import Ledger, open_store
from core.ledger.writer import Decision, Draft, Job, Receipt, View, Writer
from core.master_data import MasterData
from core.passkey import with_passkey
from core.people import SECURITY, Person, RegisterPerson
from core.policy import OPEN
from core.projections.nouns import Nouns, prepare
from core.refusal import attempt
from core.signature import RecordMoved, Seen, SignatureApplied, asks_always
from core.signing import FAILED_SIGNING, NothingToSign, Preparation, Request, Signing, told
from core.signing import Credentials as Credentials  # who submits takes these from here
from core.signing import DoesNotFit as DoesNotFit
from core.signing_period import Actor as Actor
from core.signing_period import Periods
from core.states import Committed, States, UnderLock

CLOCK = "service:clock"
WAIT_S = 30


class Recalled(Refused):
    """A refusal that was answered before under the same command id."""

    def __init__(self, rule: str, sentence: str, facts: dict[str, str]) -> None:
        super().__init__(sentence, **facts)
        self._rule = rule

    @property
    def rule(self) -> str:
        """The rule that refused the first time."""
        return self._rule


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
        site: Site | None = None,
        watch: clock.Watch | None = None,
        verifier: Verifier | None = None,
    ) -> None:
        """`verifier` is the key's public half with those before it; left out, the ledger says."""
        self.plant, self.secrets = plant, secrets
        with ExitStack() as opened:  # let go again where the ledger refuses
            opened.callback(secrets.close)
            with closing(open_store(where)) as rebuilding:
                prepare(rebuilding)
            self.ledger = opened.enter_context(closing(Ledger(open_store(where))))
            keys = verifier or chained(rotations_of(self.ledger), key.verifier)
            self.verifier = as_recorded(keys, self.ledger)
            opened.pop_all()
        self.nouns = Nouns(self.ledger.store)
        self.anchor_dir = anchor_dir
        self.master_data: Callable[[], MasterData | None] = lambda: None  # whoever pulls, says it
        self._now = now
        self._steps, self._steady = StepWatch(plant, watch), watch.steady if watch else now
        self._states = States(self.nouns, self.ledger)
        self._committed = Committed(self.nouns, self.ledger)
        self.writer = Writer(
            open_store(where), key, self._states, anchor_dir=anchor_dir, verifier=self.verifier
        )
        self.authentication = Authentication(
            self.nouns, secrets, self._record, plant=plant, now=now, steady=self._steady
        )
        self.periods = Periods(
            self.nouns,
            steady=self._steady,
            idle=lambda: signing_gates.in_force(self._committed, plant).idle,
        )
        self.signing = Signing(
            self.nouns,
            self.ledger,
            now=now,
            periods=self.periods,
            authenticate=lambda who, secret, station: self.authenticate(
                who, secret, station=station, purpose=SIGNING
            ),
            site=site,
        )

    def start(self) -> None:
        """Begin to take commands."""
        self.writer.start()
        if newest := self.ledger.entry(self.ledger.size()):
            self._steps.expect(clock.parse_iso(newest.at))

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
        _check(command, reason, comment="" if credentials is None else credentials.comment)
        self._notice_step()
        signer = None
        if credentials is not None:
            request = self._request(command, actor, idem=idem, reason=reason)
            try:
                signer = self.signing.signer(credentials, actor, request)
            except FAILED_SIGNING as refusal:
                self._attempted(command, refusal, actor)
                raise
            actor = Actor(signer.person, actor.station, actor.session)
        refused: list[Refused] = []
        job = Job(
            idem=idem,
            request_sha256=_request_sha256(command, actor.person, reason),
            actor=actor.person,
            station=actor.station,
            at=self._now,
            decide=lambda view: self._decide(
                view, command, actor=actor, idem=idem, reason=reason, signer=signer, out=refused
            ),
        )
        try:
            receipt = self.writer.carry_out(job, WAIT_S)
        except RecordMoved as moved:
            raise told(moved, self.ledger) from moved
        if "refused" in receipt.answer:
            said = receipt.answer["refused"]
            if refused and not receipt.replayed:
                raise refused[-1]
            raise Recalled(said["rule"], said["says"], said["facts"])
        # A repeat is answered, and signs nothing: it neither begins nor renews a period.
        if signer is not None and not receipt.replayed:
            self.periods.signed(signer.person, actor)
        return receipt

    def prepare(
        self,
        command: Command,
        *,
        actor: Actor,
        idem: str,
        who: str | None = None,
        meaning: str | None = None,
        comment: str = "",
        reason: str | None = None,
    ) -> Preparation:
        """Return what a person would sign with a command, to be shown and then signed as shown.

        The command is decided on the last commit, and nothing of it is recorded. It is signed by
        submitting the same command, reason and `idem` with `Credentials.pending`.

        Args:
            who: badge or user id of the signer; None for the one whose period runs here.
            meaning: None where the gate offers one only.

        Raises:
            Refused: a rule says no; evidence of the attempt is recorded under the actor's name.
            RecordMoved: the command names a version that has passed.
        """
        _check(command, reason, comment=comment)
        at = self._now()
        person, components = self.signing.to_sign(who, actor)
        signer = Signer(
            person=person.person, name=person.name, components=components,
            meaning=meaning, comment=comment,
        )  # fmt: skip
        plant, by = self._committed, Actor(person.person, actor.station)
        try:
            facts = self._facts(
                plant, command, at=at, actor=by, idem=f"{idem}:{new_command_id()}", reason=reason,
                signer=signer, entry=self.ledger.size() + 1,
            )  # fmt: skip
        except WrongState as refusal:  # by what happened meanwhile, where something did
            raise self._moved(command) or refusal from refusal
        except Refused as refusal:
            if refusal.is_evidence and who is not None:  # else nobody has tried yet
                self._attempted(command, refusal, actor)
            raise
        except RecordMoved as moved:
            raise told(moved, self.ledger) from moved
        signed = [one.event for one in facts if isinstance(one.event, SignatureApplied)]
        if not signed:
            raise NothingToSign(str(command.__struct_config__.tag))
        request = self._request(command, actor, idem=idem, reason=reason)
        gate = signing_gates.in_force(plant, self.plant).gate(signed[0].gate)
        return self.signing.prepared(signed[0], request, at=at, gate=gate, asked_by=actor.person)

    def _moved(self, command: Command) -> RecordMoved | None:
        """Return the conflict where the version that a command names has passed, else None."""
        seen = getattr(command, "seen", None)
        if not isinstance(seen, Seen) or (now := self.seen(seen.stream)) == seen:
            return None
        return told(RecordMoved(seen.stream, seen=seen.ver, current=now.ver), self.ledger)

    def _notice_step(self) -> None:
        if step := self._steps.look():
            idem = f"{CLOCK}:{new_command_id()}"
            self._steps.say(lambda: self.submit(step, actor=Actor(CLOCK), idem=idem))

    def _request(self, command: Command, actor: Actor, *, idem: str, reason: str | None) -> Request:
        return Request(sha256=_request_sha256(command, "", reason), idem=idem, place=actor.place)

    def _attempted(self, command: Command, refusal: Refused, actor: Actor) -> None:
        """Record that a signing was refused before it came to the queue."""
        draft = _draft(attempt(command, refusal), None)
        job = Job(
            idem=f"{SECURITY}:attempt:{new_command_id()}",
            request_sha256=_request_sha256(command, actor.person, None),
            actor=actor.person,
            station=actor.station,
            at=self._now,
            decide=lambda _: Decision((draft,)),
        )
        self.writer.submit(job).result(WAIT_S)

    def _facts(
        self,
        plant: Plant,
        command: Command,
        *,
        at: datetime,
        actor: Actor,
        idem: str,
        reason: str | None,
        signer: Signer | None,
        entry: int,
    ) -> Facts:
        rules = plant.get(authority.PlantRules, self.plant)
        action = str(command.__struct_config__.tag)
        policy = None if rules is None else rules.policy(at)
        context = Context(
            at=at,
            actor=actor.person,
            station=actor.station,
            idem=idem,
            zone="UTC" if rules is None else rules.zone,
            reason=reason,
            signer=signer,
            policy=OPEN if policy is None else policy.decisions,
            plant=self.plant,
            action=action,
            site=self.signing.site,
            entry=entry,
            master_data=self.master_data(),
        )
        authority.permit(plant, rules, actor=actor.person, action=action)
        return with_passkey(plant, DECIDERS[action](plant, command, context))

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
        plant = UnderLock(self._states, view)
        try:
            facts = self._facts(
                plant, command, at=view.at, actor=actor, idem=idem, reason=reason, signer=signer,
                entry=view.size + 1,
            )  # fmt: skip
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
        self,
        user_or_badge: str,
        secret: str,
        *,
        station: str | None,
        address: str | None = None,
        purpose: str = SIGN_IN,
    ) -> Person:
        """Return the person behind a user id or badge and a secret.

        Raises:
            Refused: as `Authentication.check` says.
        """
        return self.authentication.check(
            user_or_badge, secret, station=station, address=address, purpose=purpose
        )

    def _record(self, command: Command, actor: str, station: str | None) -> None:
        self.submit(command, actor=Actor(actor, station), idem=new_command_id())

    def register(self, command: RegisterPerson, *, secret: str, actor: Actor, idem: str) -> Receipt:
        """Register a person with a first secret, as an installer does; no screen offers this."""
        receipt = self.submit(command, actor=actor, idem=idem)
        self.authentication.install(command.person, secret)
        return receipt

    def secret_is_enough(self, actor: Actor) -> bool:
        """Return whether a period runs where the actor is, and the place is no shared kiosk."""
        table = signing_gates.in_force(self._committed, self.plant)
        return self.periods.running(actor) is not None and not asks_always(
            self._committed, table, actor.station
        )

    def end_signing_period(self, station: str) -> None:
        """Ask for all components again at this station: sign-out, user or station change."""
        self.periods.end(("station", station))

    def end_session(self, session: str) -> None:
        """Ask for all components again in this browser's session."""
        self.periods.end(("session", session))

    def end_signing_periods_of(self, person: str) -> None:
        """Ask for all components again wherever this person signed: a badge was lost."""
        self.periods.end_of(person)


def _draft(fact: Fact, reason: str | None) -> Draft:
    return Draft(
        stream=fact.stream,
        type=event_type(fact.event),
        v=fact.event.SCHEMA,
        data=to_data(fact.event),
        reason=fact.reason or reason,
    )


def _check(command: Command, reason: str | None, *, comment: str) -> None:
    check_fields(command, msgspec.json.encode(command))
    check_words(command, reason=reason, comment=comment)


def _request_sha256(command: Command, person: str, reason: str | None) -> str:
    body = msgspec.json.encode([person, reason, command], order="sorted")
    return sha256(body).hexdigest()
