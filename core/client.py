"""Clients of the interface: programs with roles and keys of their own, never a person's.

The keys are not here: `core/credentials.py` keeps their SHA-256 outside the ledger. A client
acts as `client:<name>`, and never signs: a signature is a person's.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import ClassVar, assert_never

from core.errors import AlreadyKnown, Refused, WrongState
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded, need
from core.people import ADMIN, ROLES, LoginName
from core.person_refusals import UnknownRole
from core.quantity import Label, Name

CLIENT = "client:"
LIVE_AT_ONCE = 2  # the one in use, and the one that takes its place
LONGEST_DAYS = 400


class RegisterClient(Command, frozen=True, kw_only=True, tag="client.register"):
    """Make a program known, with the roles that its keys carry."""

    client: LoginName
    name: Label
    roles: tuple[str, ...]


class IssueKey(Command, frozen=True, kw_only=True, tag="client.issue-key"):
    """Give a client a key; at most two live at once, so that one can take the other's place."""

    client: Name
    days: int


class RevokeKey(Command, frozen=True, kw_only=True, tag="client.revoke-key"):
    """End a key at once."""

    client: Name
    key: Name
    why: Label


class ClientRegistered(Event, frozen=True, kw_only=True, tag="client.registered"):
    """A program is known from here on."""

    client: str
    name: str
    roles: tuple[str, ...]


class KeyIssued(Event, frozen=True, kw_only=True, tag="client.key-issued"):
    """A key exists, until `ends_at`."""

    client: str
    key: str
    ends_at: datetime


class KeyRevoked(Event, frozen=True, kw_only=True, tag="client.key-revoked"):
    """A key is dead from here on."""

    client: str
    key: str
    why: str


type ClientCommand = RegisterClient | IssueKey | RevokeKey


class KeyState(StrEnum):
    """Whether a key opens anything."""

    LIVE = "live"
    ENDED = "ended"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key by its public id; it works before `ends_at`."""

    key: str
    issued_at: datetime
    ends_at: datetime
    revoked: str | None = None

    def state(self, at: datetime) -> KeyState:
        """Return how the key stands at an instant."""
        if self.revoked is not None:
            return KeyState.REVOKED
        return KeyState.LIVE if at < self.ends_at else KeyState.ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A program that uses the interface."""

    KIND: ClassVar[str] = "client"
    client: str
    name: str
    roles: tuple[str, ...]
    keys: tuple[Key, ...] = ()

    def live(self, at: datetime) -> tuple[Key, ...]:
        """Return the keys that work at an instant."""
        return tuple(key for key in self.keys if key.state(at) is KeyState.LIVE)


class NoAdministrator(Refused):
    """No program administers people."""

    def __init__(self, client: str) -> None:
        super().__init__(
            f"Client {client}: a program is no administrator. Choose other roles.", client=client
        )


class TwoKeysLive(Refused):
    """A third key would hide which one is in use."""

    def __init__(self, client: str) -> None:
        super().__init__(
            f"Client {client}: has {LIVE_AT_ONCE} live keys, at most {LIVE_AT_ONCE} may live at"
            " once. Revoke the old one first.",
            client=client,
        )


class DaysOutOfRange(Refused):
    """A key that never ends is forgotten."""

    def __init__(self, days: int) -> None:
        super().__init__(
            f"Key: {days} days, must be 1 to {LONGEST_DAYS}. Choose within.", days=days
        )


def decide(plant: Plant, command: ClientCommand, context: Context) -> Facts:
    """Return what a command about a client causes, or refuse it.

    Raises:
        AlreadyKnown: the name is a client's.
        UnknownRole, NoAdministrator: the roles cannot be held.
        TwoKeysLive, DaysOutOfRange: the key cannot be given.
        Unknown, WrongState: there is no such client or key, or it does not live.
    """
    stream = f"{Client.KIND}/{command.client}"
    if isinstance(command, RegisterClient):
        if plant.get(Client, command.client) is not None:
            raise AlreadyKnown("Client", command.client)
        for role in command.roles:
            if role not in ROLES:
                raise UnknownRole(role, ROLES)
        if ADMIN in command.roles:
            raise NoAdministrator(command.client)
        registered = ClientRegistered(client=command.client, name=command.name, roles=command.roles)
        return (Fact(stream, registered),)
    client = need(plant, Client, command.client, next_step="Register the client first.")
    match command:
        case IssueKey(days=days):
            if not 1 <= days <= LONGEST_DAYS:
                raise DaysOutOfRange(days)
            if len(client.live(context.at)) >= LIVE_AT_ONCE:
                raise TwoKeysLive(client.client)
            key, ends_at = key_id(context.idem), context.at + timedelta(days=days)
            return (Fact(stream, KeyIssued(client=client.client, key=key, ends_at=ends_at)),)
        case RevokeKey(key=key, why=why):
            found = next((one for one in client.keys if one.key == key), None)
            state = "unknown" if found is None else found.state(context.at)
            if state != KeyState.LIVE:
                raise WrongState(f"Key {key}", state, needed="live", next_step="Nothing to revoke.")
            return (Fact(stream, KeyRevoked(client=client.client, key=key, why=why)),)
        case _ as unreachable:
            assert_never(unreachable)


def key_id(idem: str) -> str:
    """Return the public id of the key that a command gives."""
    return sha256(idem.encode()).hexdigest()[:10]


def apply(client: Client | None, fact: Recorded) -> Client:
    """Fold one event of a client's stream."""
    match fact.event:
        case ClientRegistered() as it:
            return Client(client=it.client, name=it.name, roles=it.roles)
        case KeyIssued() as it:
            assert client is not None, fact
            key = Key(key=it.key, issued_at=fact.at, ends_at=it.ends_at)
            return replace(client, keys=(*client.keys, key))
        case KeyRevoked() as it:
            assert client is not None, fact
            keys = tuple(
                replace(one, revoked=it.why) if one.key == it.key else one for one in client.keys
            )
            return replace(client, keys=keys)
        case _:
            assert client is not None, fact
            return client
