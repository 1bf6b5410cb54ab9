"""The plant's people as the login sees them; signing in and out are entries of the ledger."""

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from core.access import ConfirmEnrolment
from core.authentication import LocalSignInOff
from core.client import CLIENT, Client, IssueKey, key_id
from core.clock import now
from core.command_id import new_command_id
from core.errors import MesError
from core.execution import Actor, Execution
from core.fact import Command
from core.ledger.writer import Receipt
from core.people import Person, RecordSignIn, RecordSignOut
from dashboards.names import Names
from dashboards.session import Viewer

log = logging.getLogger(__name__)
USE_NOTED = timedelta(minutes=1)  # a key's last use is no finer than this


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
        self._execution, self._names = execution, Names(execution)
        # A session may run out on the event loop, which must not wait for a disk.
        self._later = ThreadPoolExecutor(1, thread_name_prefix="sign-out")
        self._key_used: dict[str, datetime] = {}
        self.has_provider = False

    def authenticate(
        self, user: str, secret: str, station: str | None, *, address: str | None = None
    ) -> Viewer:
        """Return the person behind a user id or badge and a secret, and record the sign-in.

        Raises:
            LocalSignInOff: the plant signs in by its provider alone.
            MustChangeSecret: they fit, and the person must choose a secret first.
            core.errors.Refused: they do not fit, or the person may not act.
        """
        if self.has_provider and not self._execution.authentication.policy.local_with_provider:
            raise LocalSignInOff
        person = self._execution.authenticate(user, secret, station=station, address=address)
        return self.signed_in(person, station)

    def by_provider(self, issuer: str, subject: str, station: str | None) -> Viewer:
        """Return the person that a provider's identity is linked to, and record the sign-in.

        Raises:
            core.errors.Refused: the identity is linked to nobody, or the person may not act.
        """
        person = self._execution.authentication.linked(issuer, subject, station=station)
        return self.signed_in(person, station, means=f"provider {issuer}"[:64])

    def signed_in(self, person: Person, station: str | None, *, means: str = "secret") -> Viewer:
        """Record the sign-in of a person who has just been proven.

        Raises:
            core.errors.Refused: the person may not act.
        """
        self._execution.submit(
            RecordSignIn(person=person.person, means=means),
            actor=Actor(person.person, station),
            idem=f"sign-in:{new_command_id()}",
        )
        if station is not None:
            self._execution.end_signing_period(station)
        return viewer_of(person, station)

    def change_secret(self, person: Person, secret: str, station: str | None) -> None:
        """Set the secret that a person, who has just been proven, has chosen.

        Raises:
            core.errors.Refused: the secret would not protect its owner.
        """
        self._execution.authentication.change(person, secret, station=station)

    def signed_out(self, viewer: Viewer, cause: str) -> None:
        """Record that a session ended; returns at once."""
        self._later.submit(self._record_sign_out, viewer, cause)

    def _record_sign_out(self, viewer: Viewer, cause: str) -> None:
        if viewer.station is not None:
            self._execution.end_signing_period(viewer.station)
        try:
            self._execution.submit(
                RecordSignOut(person=viewer.person, cause=cause),
                actor=viewer.actor,
                idem=f"sign-out:{new_command_id()}",
            )
        except MesError as refusal:  # the session is over all the same
            log.warning("sign-out of %s was not recorded: %s", viewer.person, refusal)

    def name_of(self, user_or_badge: str) -> str | None:
        """Return the printed name behind a user id or badge, None where there is none."""
        return self._names.signer(user_or_badge)

    def by_key(self, text: str) -> Viewer | None:
        """Return the client behind an API key, None where the key opens nothing now."""
        found = self._execution.secrets.key_of(text)
        if found is None:
            return None
        name, key = found
        client, at = self._execution.nouns.get(Client, name), now()
        if client is None or key not in {one.key for one in client.live(at)}:
            return None
        before = self._key_used.get(key)
        if before is None or at - before >= USE_NOTED:
            self._key_used[key] = at
            self._execution.secrets.key_used(key, at)
        return Viewer(person=CLIENT + name, name=client.name, roles=frozenset(client.roles))

    def shown_once(self, command: Command, receipt: Receipt) -> Mapping[str, str]:
        """Return the secret that a command has made, empty where there is none.

        A repeated command makes none: what was shown is shown once.
        """
        if receipt.replayed:
            return {}
        match command:
            case ConfirmEnrolment(person=person):
                return {"enrolment_code": self._execution.authentication.enrol(person)}
            case IssueKey(client=client):
                return {"key": self._execution.secrets.put_key(client, key_id(receipt.idem))}
            case _:
                return {}

    def close(self) -> None:
        """Record what waits, then stop."""
        self._later.shutdown(wait=True)
