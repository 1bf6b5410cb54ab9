"""Signing acts before the queue: who acts, what was shown to them, and what they gave.

A prepared manifest is shown once, to one person at one place, for one command under one id. It
waits in `core.signing_shown` and is lost with this process: then it is shown again.

Source:
    21 CFR 11.70, 11.200(a)(1).
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from core.access import ProviderIdentity, identity_name
from core.clock import parse_iso
from core.errors import Refused, Unknown
from core.fact import Signer, Site
from core.ledger.store import Ledger
from core.manifest import Assertion, Manifest
from core.passkey import Keyring, Passkey, PasskeysOff
from core.passkey_proof import PasskeyRefused, check_assertion
from core.people import BadgeOwner, Person, PersonState
from core.person_refusals import BadgeIsDead, Locked
from core.projections.nouns import Nouns
from core.provider_proof import ProviderRefused, check_vouched
from core.signature import (
    Change,
    FirstSigningNeedsBoth,
    RecordMoved,
    ShownTooLongAgo,
    SignatureApplied,
)
from core.signing_gates import Gate
from core.signing_period import Actor, Periods
from core.signing_shown import NotShown as NotShown  # who signs takes these from here
from core.signing_shown import Request as Request
from core.signing_shown import Statements

SECRET, USER, BADGE, PASSKEY, PROVIDER = "secret", "user", "badge", "passkey", "provider"


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyAnswer:
    """What a person's device answered to the digest of the manifest, in base64url."""

    credential: str
    authenticator_data: str
    client_data: str
    signature: str


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What a signer gave: user id or badge, and the secret; the secret alone within a period.

    `pending` names the manifest that was shown; without it, `meaning` and `comment` are stated
    here and the words come back in the receipt's entries. A `passkey` answers to what was shown
    and needs neither id nor secret; so does the sign-in provider, whose answer `provider` names.
    """

    secret: str = ""
    user: str | None = None
    badge: str | None = None
    pending: str | None = None
    meaning: str | None = None
    comment: str = ""
    passkey: PasskeyAnswer | None = None
    provider: str | None = None

    def __repr__(self) -> str:
        return (
            f"Credentials(user={self.user!r}, badge={self.badge!r}, pending={self.pending!r},"
            " secret=***)"
        )


class DoesNotFit(Refused):
    """User id or badge, and secret, do not belong together."""

    def __init__(self) -> None:
        super().__init__("Sign-in: user or badge and secret do not fit. Try again.")


class UnknownSigner(DoesNotFit):
    """Nobody has this user id or badge; it is said as if the secret were wrong."""

    @property
    def rule(self) -> str:
        """The rule's name, which does not tell the two cases apart."""
        return DoesNotFit.__name__


class NothingToSign(Refused):
    """The command stands without a signature."""

    def __init__(self, action: str) -> None:
        super().__init__(f"{action}: takes no signature. Send it without one.", action=action)


# Recorded by whoever submits; a wrong secret is recorded where it is checked.
FAILED_SIGNING = (
    FirstSigningNeedsBoth, NotShown, PasskeyRefused, ProviderRefused, ShownTooLongAgo,
    UnknownSigner,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """A manifest as it is shown to its signer, and what the signer gives to sign it."""

    pending: str
    manifest: Manifest
    sha256: str
    expires_at: datetime
    gate: Gate
    secret_is_enough: bool
    rp_id: str | None = None
    passkeys: tuple[str, ...] = ()
    issuers: tuple[str, ...] = ()


class Signing:
    """The desk where commands are signed; safe from any thread."""

    def __init__(
        self,
        nouns: Nouns,
        ledger: Ledger,
        *,
        now: Callable[[], datetime],
        periods: Periods,
        authenticate: Callable[[str, str, str | None], Person],
        site: Site | None,
    ) -> None:
        """Make the desk of a plant whose pages are at `site`; without one it takes no passkeys."""
        self._nouns, self._ledger, self._now, self.periods = nouns, ledger, now, periods
        self._authenticate, self.site = authenticate, site
        self.statements = Statements()

    def person(self, user_or_badge: str) -> Person | None:
        """Return the person behind a user id or a badge that is not dead."""
        owner = self._nouns.get(BadgeOwner, user_or_badge)
        if owner and owner.dead:
            raise BadgeIsDead(owner.badge, owner.dead)
        return self._nouns.get(Person, owner.person if owner else user_or_badge)

    def component(self, user_or_badge: str) -> str:
        """Return which component an identification is."""
        return USER if self._nouns.get(BadgeOwner, user_or_badge) is None else BADGE

    def to_sign(self, who: str | None, actor: Actor) -> tuple[Person, tuple[str, ...]]:
        """Return the person who is about to sign, and the components that they would give.

        Raises:
            FirstSigningNeedsBoth: nobody is named, and no period runs here.
            Unknown, Locked: nobody has this badge or user id, or they may not act.
            BadgeIsDead: the badge was revoked.
        """
        name = who if who is not None else self.periods.running(actor)
        if name is None:
            raise FirstSigningNeedsBoth
        person = self.person(name)
        if person is None:
            raise Unknown("Badge or user id", name)
        if person.state is not PersonState.ACTIVE:
            raise Locked(person)
        return person, (SECRET,) if who is None else (self.component(name), SECRET)

    def prepared(
        self, event: SignatureApplied, request: Request, *, at: datetime, gate: Gate, asked_by: str
    ) -> Preparation:
        """Keep a manifest until it is signed or too old, and return it as it is shown."""
        pending, expires_at = self.statements.keep(event, request, at=at, asked_by=asked_by)
        signer = self._nouns.get(Person, event.manifest.signer)
        return Preparation(
            pending=pending,
            manifest=event.manifest,
            sha256=event.manifest_sha256,
            expires_at=expires_at,
            gate=gate,
            secret_is_enough=event.components == (SECRET,),
            rp_id=None if self.site is None else self.site.rp_id,
            passkeys=() if self.site is None else self._credentials_of(event.manifest.signer),
            issuers=() if signer is None else signer.issuers,
        )

    def _credentials_of(self, person: str) -> tuple[str, ...]:
        ring = self._nouns.get(Keyring, person)
        return () if ring is None else ring.credentials

    def owner(self, answer: PasskeyAnswer) -> tuple[Passkey, Person]:
        """Return the key that answered, and its owner.

        Raises:
            PasskeyRefused: it is not registered here, or revoked.
            Locked: its owner may not act.
        """
        key = self._nouns.get(Passkey, answer.credential)
        if key is None:
            raise PasskeyRefused("it is not registered here")
        if key.revoked_at is not None:
            raise PasskeyRefused("it is revoked", credential=key.credential)
        person = self._nouns.get(Person, key.person)
        assert person is not None, key
        if person.state is not PersonState.ACTIVE:
            raise Locked(person)
        return key, person

    @staticmethod
    def asserted(
        key: Passkey, answer: PasskeyAnswer, manifest: Manifest, *, site: Site
    ) -> Assertion:
        """Return the assertion that goes into the signature, after checking all but its count.

        Raises:
            PasskeyRefused: it is not the key's own answer to this manifest, on our pages.
        """
        assertion = Assertion(
            credential=key.credential,
            public_key=key.public_key,
            rp_id=site.rp_id,
            authenticator_data=answer.authenticator_data,
            client_data=answer.client_data,
            signature=answer.signature,
        )
        check_assertion(assertion, manifest, site.origins)
        return assertion

    def signer(self, credentials: Credentials, actor: Actor, request: Request) -> Signer:
        """Return who signs, after checking all that they gave."""
        if credentials.passkey is not None:
            return self._by_passkey(
                credentials.passkey, credentials.pending, actor, request=request
            )
        if credentials.provider is not None:
            return self._by_provider(
                credentials.provider, credentials.pending or "", actor, request=request
            )
        given = credentials.badge or credentials.user
        who = given if given is not None else self.periods.running(actor)
        if who is None:
            raise FirstSigningNeedsBoth
        person = self._authenticate(who, credentials.secret, actor.station)
        self.periods.met(person.person, actor)
        signer = Signer(
            person=person.person,
            name=person.name,
            components=(SECRET,) if given is None else (self.component(given), SECRET),
            meaning=credentials.meaning,
            comment=credentials.comment,
        )
        if credentials.pending is None or self._ledger.receipt(request.idem) is not None:
            return signer  # a repeat of what is recorded gets its first receipt
        shown = self.statements.take(credentials.pending, person.person, request, at=self._now())
        return replace(signer, meaning=shown.meaning, comment=shown.comment, prepared=shown)

    def _by_passkey(
        self, answer: PasskeyAnswer, pending: str | None, actor: Actor, *, request: Request
    ) -> Signer:
        """Return who signs by a passkey: its owner, whose device verified them."""
        if self.site is None:
            raise PasskeysOff
        key, person = self.owner(answer)
        signer = Signer(person=person.person, name=person.name, components=(PASSKEY,))
        if self._is_repeat(answer, request.idem):
            return signer
        if pending is None:
            raise NotShown
        shown = self.statements.take(pending, person.person, request, at=self._now())
        assertion = self.asserted(key, answer, shown, site=self.site)
        self.periods.met(person.person, actor)
        return replace(
            signer, meaning=shown.meaning, comment=shown.comment, prepared=shown,
            assertion=assertion,
        )  # fmt: skip

    def _is_repeat(self, answer: PasskeyAnswer, idem: str) -> bool:
        """Return whether a request was signed before, with the very answer that it brings now."""
        receipt = self._ledger.receipt(idem)
        if receipt is None or receipt.first_seq is None:
            return False
        entries = self._ledger.entries(receipt.first_seq - 1, receipt.entry_count)
        kept = [it for one in entries if (it := one.data.get("assertion"))]
        return any(asdict(answer).items() <= it.items() for it in kept)

    def _by_provider(self, answer: str, pending: str, actor: Actor, *, request: Request) -> Signer:
        """Return who signs by a provider's word: whose account it names, asked again for this."""
        before = self.statements.proved(answer)
        if before is not None and self._ledger.receipt(request.idem) is not None:
            return before  # a repeat of what is recorded gets its first receipt
        shown, vouched = self.statements.answer(pending, answer)
        name = identity_name(vouched.issuer, vouched.subject)
        identity = self._nouns.get(ProviderIdentity, name)
        person = None if identity is None else self._nouns.get(Person, identity.person)
        if person is None:
            raise ProviderRefused(vouched.issuer, "its account is linked to nobody here")
        if person.person != shown.signer:
            raise ProviderRefused(vouched.issuer, "its account is another person's")
        if person.state is not PersonState.ACTIVE:
            raise Locked(person)
        shown = self.statements.take(pending, person.person, request, at=self._now())
        check_vouched(vouched, shown, at=self._now())
        self.periods.met(person.person, actor)
        signer = Signer(person=person.person, name=person.name, components=(PROVIDER,))
        self.statements.proven(answer, signer)
        return replace(
            signer, meaning=shown.meaning, comment=shown.comment, prepared=shown, vouched=vouched
        )


def told(moved: RecordMoved, ledger: Ledger) -> RecordMoved:
    """Return the conflict with what happened in the record since it was seen."""
    changes = tuple(
        Change(
            seq=entry.seq, type=entry.type, by=entry.actor, at=parse_iso(entry.at),
            step=entry.data.get("step"),
        )
        for entry in ledger.stream(moved.stream)[moved.seen :]
    )  # fmt: skip
    return RecordMoved(moved.stream, seen=moved.seen, current=moved.current, changes=changes)
