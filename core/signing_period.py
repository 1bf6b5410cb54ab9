"""Continuous periods of controlled access: within one, the secret alone signs.

A period belongs to one person, with one set of roles, one secret and one badge, at one place: a
station, or a browser's session where there is no station. At a station too it is of the session
that it began in: another browser that names the same station has no part in it. It ends by time
since the last signing, by signing or coming to sign elsewhere or of somebody else, and with the
session. It lives in this process: lost with it, all components are asked again.

Source:
    21 CFR 11.200(a)(1)(i), (ii).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from core.people import Person
from core.projections.nouns import Nouns


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks, from which station, and in which browser's session where it has one."""

    person: str
    station: str | None = None
    session: str | None = None

    @property
    def place(self) -> tuple[str, str] | None:
        """Where a signing period can run; None where nothing tells two visits apart."""
        if self.station is not None:
            return ("station", self.station)
        return None if self.session is None else ("session", self.session)


@dataclass(frozen=True, slots=True)
class _Period:
    began: Person
    session: str | None
    last_at: datetime

    @property
    def person(self) -> str:
        return self.began.person

    def is_of(self, person: Person | None) -> bool:
        """Return whether the person still is who began the period, with the same means."""
        return person is not None and _means(person) == _means(self.began)


def _means(person: Person) -> tuple[object, ...]:
    return person.roles, person.secret_set_at, person.badge


class Periods:
    """The periods that run in this process; safe from any thread."""

    def __init__(
        self, nouns: Nouns, *, steady: Callable[[], datetime], idle: Callable[[], timedelta]
    ) -> None:
        """Make an empty list; `steady` is a clock that no step of the server's clock moves."""
        self._nouns, self._steady, self._idle = nouns, steady, idle
        self._lock = Lock()
        self._periods: dict[tuple[str, str], _Period] = {}

    def running(self, actor: Actor) -> str | None:
        """Return whose period runs where the actor is, None where all components are asked."""
        place = actor.place
        with self._lock:
            period = self._periods.get(place) if place is not None else None
        if period is None or period.session != actor.session:
            return None
        # A clock that was set back must not lengthen the period.
        fresh = timedelta(0) <= self._steady() - period.last_at <= self._idle()
        is_theirs = fresh and period.is_of(self._nouns.get(Person, period.person))
        return period.person if is_theirs else None

    def met(self, person: str, actor: Actor) -> None:
        """End the period of anybody else here: another person has come to sign."""
        with self._lock:
            period = self._periods.get(actor.place) if actor.place else None
            if period is not None and period.person != person and actor.place:
                del self._periods[actor.place]

    def signed(self, name: str, actor: Actor) -> None:
        """Begin or renew a signer's period here, and end the one they had elsewhere."""
        person, at = self._nouns.get(Person, name), self._steady()
        with self._lock:
            for place, period in tuple(self._periods.items()):
                if period.person == name:
                    del self._periods[place]
            if actor.place is not None and person is not None:
                self._periods[actor.place] = _Period(person, actor.session, at)

    def end(self, place: tuple[str, str]) -> None:
        """Ask for all components again at a place."""
        with self._lock:
            self._periods.pop(place, None)

    def end_of(self, person: str) -> None:
        """Ask a person for all components again, wherever they signed."""
        with self._lock:
            self._periods = {at: it for at, it in self._periods.items() if it.person != person}
