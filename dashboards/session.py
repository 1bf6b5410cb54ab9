"""Logins: who is signed in, from where, since when, and which open pages are theirs.

A login is an opaque random id in the cookie `mes_session`; everything about it stays in this
process. Being signed in is no part of a signature: each signing act asks for its own secrets.
"""

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from core.clock import now
from core.people import Person
from core.signing_period import Actor
from dashboards import logs

COOKIE = "mes_session"
IDLE_S = 30 * 60
ABSOLUTE_S = 12 * 3600
MOST_OF_A_PERSON = 100  # bounded: whoever has a secret could open them without end


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """The person who looks at a page, as pages need to know them."""

    person: str
    name: str
    roles: frozenset[str]
    station: str | None = None
    simulated: bool = False
    session: str | None = None

    @property
    def actor(self) -> Actor:
        """Who acts, and where: at a station in this session of it, at a desk in none."""
        return Actor(self.person, self.station, self.session if self.station else None)

    @property
    def role_text(self) -> str:
        """The roles as the header prints them."""
        return ", ".join("QA" if role == "qa" else role for role in sorted(self.roles))


class Accounts(Protocol):
    """Whoever can tell people apart."""

    def authenticate(
        self, user: str, secret: str, station: str | None, *, address: str | None = None
    ) -> Viewer:
        """Return the person behind a user id or badge and a secret, tried from an address.

        Raises:
            core.errors.Refused: unknown, wrong, locked or inactive, as one sentence.
        """
        ...

    def by_provider(self, issuer: str, subject: str, station: str | None) -> Viewer:
        """Return the person that a provider's identity is linked to.

        Raises:
            core.errors.Refused: nobody, or the person may not act.
        """
        ...

    def change_secret(self, person: Person, secret: str, station: str | None) -> None:
        """Set the secret that a person, who has just been proven, has chosen.

        Raises:
            core.errors.Refused: it would not protect its owner.
        """
        ...

    def signed_out(self, viewer: Viewer, cause: str) -> None:
        """Hear that a session ended; must not block."""
        ...

    def name_of(self, user_or_badge: str) -> str | None:
        """Return the printed name behind a user id or badge, None where there is none."""
        ...


@dataclass(slots=True, kw_only=True)
class Login:
    """One signed-in browser. `id` is public among our pages, the token is not.

    `mark` is the hash of the station cookie that must come with the token; empty at a desk.
    `opened_at` and `address` are for its owner, who looks for what is not theirs.
    """

    id: str
    viewer: Viewer
    csrf: str
    opened_s: float
    seen_s: float
    opened_at: datetime
    address: str = ""
    mark: str = ""
    ended: bool = False
    on_end: list[Callable[[], None]] = field(default_factory=list)


class Sessions:
    """All logins of this process; safe to use from any thread."""

    def __init__(
        self,
        *,
        idle_s: float = IDLE_S,
        absolute_s: float = ABSOLUTE_S,
        clock: Callable[[], float] = time.monotonic,
        ended: Callable[[Viewer, str], None] | None = None,
    ) -> None:
        """Make an empty store; `ended` hears of every end and its cause, and must not block."""
        self._idle_s, self._absolute_s, self._clock = idle_s, absolute_s, clock
        self._ended = ended
        self._lock = threading.Lock()
        self._logins: dict[str, Login] = {}

    @staticmethod
    def _key(token: str) -> str:
        """Return what the store is keyed by, so that a memory listing gives no cookie away."""
        return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()

    def open(self, viewer: Viewer, *, mark: str = "", address: str = "") -> str:
        """Start a login, bound to a station's browser by its mark; return its cookie value.

        A person who has very many loses the one that was used longest ago.
        """
        token, at, name = secrets.token_urlsafe(32), self._clock(), secrets.token_hex(8)
        login = Login(
            id=name, viewer=replace(viewer, session=name), csrf=secrets.token_urlsafe(24),
            opened_s=at, seen_s=at, opened_at=now(), address=address, mark=mark,
        )  # fmt: skip
        of_person = self.of_person(viewer.person)
        if len(of_person) >= MOST_OF_A_PERSON:
            self.end_person(viewer.person, "too many", only=of_person[-1].id)
        with self._lock:
            self._logins[self._key(token)] = login
        return token

    def of_person(self, person: str) -> list[Login]:
        """Return a person's logins that have not run out, the one used last first."""
        at = self._clock()
        with self._lock:
            held = [one for one in self._logins.values() if one.viewer.person == person]
        fresh = [one for one in held if self._is_fresh(one, at)]
        return sorted(fresh, key=lambda one: one.seen_s, reverse=True)

    def idle_s(self, login: Login) -> int:
        """Return for how many seconds a login was not used."""
        return int(self._clock() - login.seen_s)

    def _is_fresh(self, login: Login, at: float) -> bool:
        is_used = at - login.seen_s <= self._idle_s
        return is_used and at - login.opened_s <= self._absolute_s

    def get(self, token: str | None, *, touch: bool = True) -> Login | None:
        """Return the login behind a cookie value, or None when it has ended or never was."""
        if not token:
            return None
        key, at = self._key(token), self._clock()
        with self._lock:
            login = self._logins.get(key)
            if login is None:
                return None
            if self._is_fresh(login, at):
                if touch:
                    login.seen_s = at
                return login
        self.end(token, "time")
        return None

    def end(self, token: str | None, cause: str = "sign-out") -> None:
        """End a login and close every page it has open."""
        if not token:
            return
        with self._lock:
            login = self._logins.pop(self._key(token), None)
        if login is not None:
            self._close(login, cause)

    def end_person(
        self,
        person: str,
        cause: str = "withdrawn",
        *,
        but: str | None = None,
        only: str = "",
        by: str = "",
    ) -> int:
        """End every login of a person, as after a lost badge; return how many there were.

        `but` is the cookie of the one login that stays, `only` the id of the one that ends. Who did
        it, `by`, is for the ledger alone: the log names nobody.
        """
        stays = self._key(but) if but else ""
        with self._lock:
            keys = [
                key
                for key, login in self._logins.items()
                if login.viewer.person == person and key != stays and only in ("", login.id)
            ]
            ended = [self._logins.pop(key) for key in keys]
        for login in ended:
            self._close(login, cause, by=by)
        return len(ended)

    def _close(self, login: Login, cause: str, *, by: str = "") -> None:
        login.ended = True
        logs.security("signed-out", login=login.id, cause=cause)
        if self._ended is not None:
            self._ended(login.viewer, f"{cause} by {by}" if by else cause)
        for callback in tuple(login.on_end):
            callback()

    def __len__(self) -> int:
        """The number of logins held, expired ones included until somebody asks for them."""
        return len(self._logins)


def same_csrf(login: Login, given: str | None) -> bool:
    """Tell whether a form came from one of this login's own pages; the log hears if not."""
    is_own = given is not None and hmac.compare_digest(login.csrf.encode(), given.encode())
    if not is_own:
        logs.security("foreign-form", login=login.id)
    return is_own


class PageOwners:
    """Which login built which page: a page token alone opens nobody else's page."""

    def __init__(self) -> None:
        self._owner: dict[str, str] = {}

    def claim(self, page_id: str, login_id: str) -> None:
        """Bind a page to the login that is building it."""
        self._owner[page_id] = login_id

    def release(self, page_id: str) -> None:
        """Forget a page that was closed."""
        self._owner.pop(page_id, None)

    def owns(self, page_id: str, login_id: str) -> bool:
        """Tell whether the login built the page."""
        return self._owner.get(page_id) == login_id

    def __len__(self) -> int:
        """The number of open pages."""
        return len(self._owner)


class Throttle:
    """Slow down guessing: a few failures per key and window, then a wait.

    The accounts lock people out by their own rule; this only protects the hashing.
    """

    def __init__(
        self,
        *,
        failures: int = 10,
        window_s: float = 300,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failures, self._window_s, self._clock = failures, window_s, clock
        self._lock = threading.Lock()
        self._seen: dict[str, list[float]] = {}

    def wait_s(self, key: str) -> int:
        """Return how long this key must wait, 0 when it may try now."""
        at = self._clock()
        with self._lock:
            recent = [then for then in self._seen.get(key, []) if at - then < self._window_s]
            self._seen[key] = recent
            if not recent:
                del self._seen[key]
            if len(recent) < self._failures:
                return 0
            return int(self._window_s - (at - recent[0])) + 1

    def failed(self, key: str) -> None:
        """Count one failure."""
        with self._lock:
            if len(self._seen) > 10_000:  # bounded: an attacker chooses the keys
                self._seen.clear()
            self._seen.setdefault(key, []).append(self._clock())

    def passed(self, key: str) -> None:
        """Forget the failures of a key that got in."""
        with self._lock:
            self._seen.pop(key, None)
