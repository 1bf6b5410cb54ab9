"""Who somebody is: a user id or badge and a secret, failures that count, pauses that grow.

Every failure of a known person is an entry. Guessing is slowed down twice: a person's next try
waits longer with each failure, and a place where many people fail waits as a whole, so that one
kiosk, or one address, cannot lock everybody out. At the door the place is the address: whoever
comes in names the station, and could name another one's.

Source:
    21 CFR 11.300(d).
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

from core.access import ProviderIdentity, RecordSecretChange, identity_name
from core.authority import PlantRules
from core.clock import iso
from core.credentials import Secrets, SecretUsedBefore, new_code
from core.errors import Refused
from core.fact import Command
from core.people import (
    INSTALLER,
    SECURITY,
    BadgeOwner,
    Person,
    PersonState,
    RecordAuthentication,
    RecordFailedAuthentication,
)
from core.person_refusals import BadgeIsDead, Locked
from core.projections.nouns import Nouns
from core.secret_rules import AccountPolicy, SecretRefused, check_secret, ends_at
from core.signing import DoesNotFit, UnknownSigner

SIGN_IN, SIGNING, CHANGING = "sign-in", "signing", "secret change"
LONGEST_PAUSE = timedelta(minutes=15)
PLACE_FAILURES = 10
# One failure of a place: the typing errors of a busy kiosk are no guessing.
FORGIVEN = timedelta(minutes=2)
MOST_KEPT = 10_000

type Record = Callable[[Command, str, str | None], None]  # command, actor, station


class TooSoon(Refused):
    """After failures the next try waits."""

    def __init__(self, seconds: int) -> None:
        super().__init__(
            f"Sign-in: the last tries did not fit. Wait {seconds} s, then try again.",
            seconds=seconds,
        )


class PlacePaused(Refused):
    """Too many failures at one place, whoever was named."""

    def __init__(self, seconds: int) -> None:
        super().__init__(
            f"Sign-in: {PLACE_FAILURES} or more tries did not fit here. Wait {seconds} s, or use"
            " another station.",
            seconds=seconds,
        )


class NotLetIn(Refused):
    """At the door nobody is told which it was: that would tell who exists."""

    def __init__(self) -> None:
        super().__init__(
            "Sign-in: user or badge and secret do not fit, or the access is locked or has ended."
            " Try again, or ask an administrator."
        )


class MustChangeSecret(Refused):
    """The secret fits, and opens nothing but the form for a new one."""

    def __init__(self, person: Person, why: str) -> None:
        super().__init__(
            f"{person.name}: {why}. Choose a secret of your own at the sign-in page.",
            person=person.person,
        )
        self.who, self.why = person, why


class EnrolmentEnded(Refused):
    """A code waits for its person for so long only."""

    def __init__(self, person: Person) -> None:
        super().__init__(
            f"{person.name}: the enrolment code has ended. Ask an administrator for a new one.",
            person=person.person,
        )


class ProvenBefore(Refused):
    """Between the proof of who somebody is and the new secret, their access changed."""

    def __init__(self, person: Person) -> None:
        super().__init__(
            f"{person.name}: the access was changed meanwhile. Sign in again with the code or"
            " secret you have.",
            person=person.person,
        )


class NotLinked(Refused):
    """The provider vouches for somebody whom no signed entry links to a person."""

    def __init__(self, issuer: str) -> None:
        super().__init__(
            f"{issuer}: this identity is linked to nobody here. Ask an administrator to link it.",
            issuer=issuer,
        )


class LocalSignInOff(Refused):
    """The plant takes the provider's word alone at the door."""

    def __init__(self) -> None:
        super().__init__(
            "Sign-in: this plant signs in by the company account only. Use its button."
        )


def person_pause(failures: int) -> timedelta:
    """Return how long the next try waits after so many failures in a row.

    >>> [person_pause(n).seconds for n in (0, 1, 2, 3, 4, 10)]
    [0, 0, 1, 2, 4, 256]
    """
    if failures < 2:
        return timedelta(0)
    return min(timedelta(seconds=2 ** min(failures - 2, 30)), LONGEST_PAUSE)


def place_pause(failures: int) -> timedelta:
    """Return how long a place waits after so many failures that are not forgiven yet.

    >>> [place_pause(n).seconds for n in (9, 10, 11, 30)]
    [0, 30, 60, 900]
    """
    if failures < PLACE_FAILURES:
        return timedelta(0)
    return min(timedelta(seconds=30 * 2 ** min(failures - PLACE_FAILURES, 20)), LONGEST_PAUSE)


def _means(person: Person) -> tuple[datetime | None, datetime | None]:
    return person.secret_set_at, person.enrolment_ends_at


class Pauses:
    """Failures by name, and how long each name still waits; in memory, bounded.

    `steady` is a clock that is not set, where the plant has a watch. After each quiet `forgiven`
    one failure counts no more.
    """

    def __init__(
        self,
        pause: Callable[[int], timedelta],
        steady: Callable[[], datetime],
        *,
        forgiven: timedelta,
    ) -> None:
        self._pause, self._steady, self._lock = pause, steady, Lock()
        self._forgiven = forgiven
        self._failed: dict[str, tuple[int, datetime]] = {}

    def wait_s(self, name: str) -> int:
        """Return how many seconds a name still waits, 0 where it may try."""
        with self._lock:
            failures, last = self._failed.get(name, (0, None))
        if last is None:
            return 0
        whole = self._pause(failures)
        left = min(last + whole - self._steady(), whole)  # without a watch, it may be set back
        return max(0, -(-left // timedelta(seconds=1)))

    def failed(self, name: str) -> None:
        """Count one more."""
        at = self._steady()
        with self._lock:
            failures, last = self._failed.pop(name, (0, at))
            failures = max(0, failures - (at - last) // self._forgiven)
            while len(self._failed) >= MOST_KEPT:  # the oldest; whoever guesses chooses names
                del self._failed[next(iter(self._failed))]
            self._failed[name] = (failures + 1, at)

    def passed(self, name: str) -> None:
        """Forget a name's failures."""
        with self._lock:
            self._failed.pop(name, None)


class Authentication:
    """Tells people apart by what they know; records what did not fit."""

    def __init__(
        self,
        nouns: Nouns,
        secrets: Secrets,
        record: Record,
        *,
        plant: str,
        now: Callable[[], datetime],
        steady: Callable[[], datetime],
    ) -> None:
        """`now` dates what is recorded; pauses run by `steady`, a clock that nobody sets.

        Two may be set later: `is_handed_out`, whose secret is one that somebody else has seen,
        and `is_breached`, which secrets are in the plant's own list.
        """
        self._nouns, self._secrets, self._record = nouns, secrets, record
        self._plant, self._now = plant, now
        self.is_handed_out: Callable[[str], bool] = lambda _: False
        self.is_breached: Callable[[str], bool] = lambda _: False
        self._people = Pauses(person_pause, steady, forgiven=LONGEST_PAUSE * 2)
        self._places = Pauses(place_pause, steady, forgiven=FORGIVEN)

    @property
    def policy(self) -> AccountPolicy:
        """The plant's rules for secrets."""
        rules = self._nouns.get(PlantRules, self._plant)
        return AccountPolicy() if rules is None else rules.accounts

    def check(
        self,
        user_or_badge: str,
        secret: str,
        *,
        station: str | None,
        address: str | None = None,
        purpose: str = SIGN_IN,
    ) -> Person:
        """Return the person behind a user id or badge and a secret.

        Args:
            address: where the try comes from, at the door; the station is only said there.

        Raises:
            TooSoon, PlacePaused: after failures, the next try waits.
            BadgeIsDead: the badge was revoked; the try is recorded.
            DoesNotFit: unknown, or the wrong secret; the failure is recorded and counted.
            Locked: the person may not act now.
            EnrolmentEnded: the code is too old.
            MustChangeSecret: the secret fits, and must be changed before anything else.
        """
        owner = self._nouns.get(BadgeOwner, user_or_badge)
        name = owner.person if owner else user_or_badge
        # Whoever holds a dead badge makes nobody wait but themselves.
        tried_as = user_or_badge if owner and owner.dead else name
        place = address or station
        self._wait(tried_as, place)
        person = self._nouns.get(Person, name)
        enrolling = person is not None and person.enrolment_ends_at is not None
        fits = self._secrets.fits(name if person else None, secret, enrolling=enrolling)
        if person is not None and enrolling and not person.enrolment_confirmed:
            fits = False  # a code from before; the one that was issued is not handed out yet
        if person is None:
            self._failed(tried_as, place)
            raise UnknownSigner
        failed = RecordFailedAuthentication(person=person.person, purpose=purpose)
        if owner is not None and owner.dead is not None:
            tried = RecordFailedAuthentication(
                person=person.person, purpose=purpose, badge=owner.badge
            )
            self._failed(tried_as, place)
            self._record(tried, SECURITY, station)
            raise BadgeIsDead(owner.badge, owner.dead)
        if person.state is not PersonState.ACTIVE:
            self._failed(tried_as, place)
            self._record(failed, SECURITY, station)
            raise Locked(person)
        if not fits:
            self._failed(tried_as, place)
            self._record(failed, SECURITY, station)
            raise DoesNotFit
        self._people.passed(name)
        if purpose != CHANGING:
            self._check_stands(person)
        if person.failures and purpose == SIGNING:
            again = RecordAuthentication(person=person.person, purpose=purpose)
            self._record(again, SECURITY, station)
        return person

    def _wait(self, name: str, place: str | None) -> None:
        if place is not None and (seconds := self._places.wait_s(place)):
            raise PlacePaused(seconds)
        if seconds := self._people.wait_s(name):
            raise TooSoon(seconds)

    def _failed(self, name: str, place: str | None) -> None:
        self._people.failed(name)
        if place is not None:
            self._places.failed(place)

    def _check_stands(self, person: Person) -> None:
        """Refuse a secret that others know, or that is too old."""
        at = self._now()
        if person.enrolment_ends_at is not None:
            if at >= person.enrolment_ends_at:
                raise EnrolmentEnded(person)
            raise MustChangeSecret(person, "this code was given by an administrator")
        if self.is_handed_out(person.person):
            raise MustChangeSecret(person, "this secret was handed out by the installer")
        since = person.secret_set_at or person.registered_at
        end = ends_at(since, self.policy)
        if end is not None and at >= end:
            days = self.policy.secret_days
            raise MustChangeSecret(person, f"the secret is older than {days} days")

    def linked(self, issuer: str, subject: str, *, station: str | None) -> Person:
        """Return the person that a provider's identity is linked to.

        Raises:
            NotLinked: nobody, however well the provider knows them.
            Locked: the person may not act now; the try is recorded.
        """
        identity = self._nouns.get(ProviderIdentity, identity_name(issuer, subject))
        person = None if identity is None else self._nouns.get(Person, identity.person)
        if person is None:
            raise NotLinked(issuer)
        if person.state is not PersonState.ACTIVE:
            failed = RecordFailedAuthentication(person=person.person, purpose=SIGN_IN)
            self._record(failed, SECURITY, station)
            raise Locked(person)
        return person

    def change(self, person: Person, secret: str, *, station: str | None) -> None:
        """Set the secret that a person has chosen; `person` is who was checked, as they were then.

        Raises:
            Locked: the person may not act now.
            ProvenBefore: another code was given, or another secret chosen, since the check.
            SecretRefused, SecretUsedBefore: it would not protect its owner.
        """
        now, policy = self._nouns.get(Person, person.person), self.policy
        if now is None or _means(now) != _means(person):
            raise ProvenBefore(person)
        if now.state is not PersonState.ACTIVE:
            raise Locked(now)
        check_secret(
            secret, person=person.person, name=person.name, roles=person.roles, plant=self._plant
        )
        if self.is_breached(secret):
            raise SecretRefused("is known from breaches and tried first", "Take other words.")
        if self._secrets.was_used(person.person, secret, remembered=policy.remembered):
            raise SecretUsedBefore(policy.remembered)
        hashed = self._secrets.hashed(secret)
        change = RecordSecretChange(person=person.person, origin="own")
        self._record(change, SECURITY, station)
        self._secrets.put_hash(person.person, hashed, set_at=iso(self._now()))

    def enrol(self, person: str) -> str:
        """Return a fresh enrolment code, which has ended the person's secret."""
        code = new_code()
        self._secrets.enrol(person, code)
        return code

    def install(self, person: str, secret: str) -> None:
        """Set a first secret, as the installer of a plant or of a demo does."""
        hashed = self._secrets.hashed(secret)
        self._record(RecordSecretChange(person=person, origin="installer"), INSTALLER, None)
        self._secrets.put_hash(person, hashed, set_at=iso(self._now()))

    def unlocked(self, person: str) -> None:
        """Let a person try at once, after an administrator looked at the lock."""
        self._people.passed(person)
