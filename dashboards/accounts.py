"""The plant's people as the login sees them; signing in and out are entries of the ledger."""

import logging
import secrets
from concurrent.futures import ThreadPoolExecutor

from core.errors import MesError
from core.execution import Actor, Execution
from core.people import BadgeOwner, Person, RecordSignIn, RecordSignOut
from dashboards.session import Viewer

log = logging.getLogger(__name__)


def viewer_of(person: Person, station: str | None = None) -> Viewer:
    """Return a person as pages know them."""
    return Viewer(
        person=person.person,
        name=person.name,
        roles=frozenset(person.roles),
        station=station,
        simulated=person.simulated,
    )


class PlantAccounts:
    """Accounts over the execution core."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        # A session may run out on the event loop, which must not wait for a disk.
        self._later = ThreadPoolExecutor(1, thread_name_prefix="sign-out")

    def authenticate(self, user: str, secret: str, station: str | None) -> Viewer:
        """Return the person behind a user id or badge and a secret, and record the sign-in.

        Raises:
            core.errors.Refused: they do not fit, or the person may not act.
        """
        person = self._execution.authenticate(user, secret, station=station)
        self._execution.submit(
            RecordSignIn(person=person.person),
            actor=Actor(person.person, station),
            idem=f"sign-in:{secrets.token_hex(16)}",
        )
        if station is not None:
            self._execution.end_signing_period(station)
        return viewer_of(person, station)

    def signed_out(self, viewer: Viewer, cause: str) -> None:
        """Record that a session ended; returns at once."""
        self._later.submit(self._record_sign_out, viewer, cause)

    def _record_sign_out(self, viewer: Viewer, cause: str) -> None:
        if viewer.station is not None:
            self._execution.end_signing_period(viewer.station)
        try:
            self._execution.submit(
                RecordSignOut(person=viewer.person, cause=cause),
                actor=Actor(viewer.person, viewer.station),
                idem=f"sign-out:{secrets.token_hex(16)}",
            )
        except MesError as refusal:  # the session is over all the same
            log.warning("sign-out of %s was not recorded: %s", viewer.person, refusal)

    def name_of(self, user_or_badge: str) -> str | None:
        """Return the printed name behind a user id or badge, None where there is none."""
        owner = self._execution.nouns.get(BadgeOwner, user_or_badge)
        person = self._execution.nouns.get(Person, owner.person if owner else user_or_badge)
        return None if person is None else person.name

    def close(self) -> None:
        """Record what waits, then stop."""
        self._later.shutdown(wait=True)
