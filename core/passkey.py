"""Passkeys: keys in people's own devices that sign a manifest after the device verified them.

A key belongs to one person for ever. Its owner registers it with a signature and may revoke it;
an administrator may revoke a lost one. What it signed before stays verifiable.

Source:
    21 CFR 11.100(b), 11.200(a), 11.300(c). WebAuthn Level 2, section 7.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Annotated, ClassVar

from msgspec import Meta

from core.errors import AlreadyKnown, Refused, WrongState
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded, need
from core.manifest import Assertion, Seen
from core.passkey_proof import (
    PasskeyRefused,
    check_count,
    decode,
    new_key,
    registration_challenge,
)
from core.people import Person
from core.quantity import Label, Name
from core.signature import SignatureApplied, sign

MEANING = "I will sign with this passkey as with my own hand"
LONGEST_ID = 400  # characters of a credential id: devices make up to about 200

type Base64 = Annotated[str, Meta(min_length=1, max_length=4000, pattern="^[A-Za-z0-9_-]+$")]


class RegisterPasskey(Command, frozen=True, kw_only=True, tag="person.register-passkey"):
    """Take a key that the person's device made, signed by the person.

    `client_data` and `attestation` are the device's answer to the challenge of the person's
    record as `seen`, in base64url.
    """

    person: Name
    label: Label
    client_data: Base64
    attestation: Base64
    seen: Seen


class RevokePasskey(Command, frozen=True, kw_only=True, tag="person.revoke-passkey"):
    """End the use of a key: its owner no longer wants it, or it is lost."""

    passkey: Name
    why: Label


class PasskeyRegistered(Event, frozen=True, kw_only=True, tag="passkey.registered"):
    """The key is the person's from here on; the public key is in COSE form, base64url."""

    person: str
    credential: str
    label: str
    public_key: str
    sign_count: int
    rp_id: str
    origin: str
    client_data: str
    attestation: str


class PasskeyUsed(Event, frozen=True, kw_only=True, tag="passkey.used"):
    """The key signed a manifest; `sign_count` is what its device counts."""

    credential: str
    sign_count: int
    record: str
    manifest_sha256: str


class PasskeyRevoked(Event, frozen=True, kw_only=True, tag="passkey.revoked"):
    """The key signs no more."""

    person: str
    credential: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """One key."""

    KIND: ClassVar[str] = "passkey"
    credential: str
    person: str
    label: str
    public_key: str
    sign_count: int
    registered_at: datetime
    used_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """A person's keys that are not revoked."""

    KIND: ClassVar[str] = "keyring"
    person: str
    credentials: tuple[str, ...] = ()


class PasskeysOff(Refused):
    """The server has no name that a passkey could be bound to."""

    def __init__(self) -> None:
        super().__init__(
            "Passkeys: this server has no address of its own for them."
            " Set BATCHWRIGHT_ORIGIN to the address that people open, and start it again."
        )


class NotOwnPasskey(Refused):
    """Nobody registers or revokes another person's key."""

    is_evidence = True

    def __init__(self, owner: str, *, actor: str) -> None:
        super().__init__(
            f"Passkey of {owner}: {actor} cannot change it. Its owner registers and revokes it; an"
            " administrator revokes a lost one.",
            owner=owner,
            actor=actor,
        )


def key_words(public_key: str) -> str:
    """Return the short name of a public key that a person can compare."""
    return sha256(decode(public_key)).hexdigest()[:16]


def decide(plant: Plant, command: RegisterPasskey | RevokePasskey, context: Context) -> Facts:
    """Return what a command about a key causes, or refuse it.

    Raises:
        PasskeysOff: the server has no origin.
        PasskeyRefused: the device's answer does not hold.
        AlreadyKnown: the key was registered before.
        NotOwnPasskey: it is another person's.
        WrongState: it is revoked.
    """
    if isinstance(command, RegisterPasskey):
        return _register(plant, command, context)
    key = need(plant, Passkey, command.passkey)
    actor = need(plant, Person, context.actor)
    if actor.person != key.person and "admin" not in actor.roles:
        raise NotOwnPasskey(key.person, actor=actor.name)
    if key.revoked_at is not None:
        raise WrongState(
            f"Passkey {key.label}", "revoked", needed="in use", next_step="Nothing to revoke."
        )
    revoked = PasskeyRevoked(person=key.person, credential=key.credential, why=command.why)
    return (
        Fact(f"{Passkey.KIND}/{key.credential}", revoked, command.why),
        Fact(f"{Keyring.KIND}/{key.person}", revoked, command.why),
    )


def _register(plant: Plant, it: RegisterPasskey, context: Context) -> Facts:
    site = context.site
    if site is None:
        raise PasskeysOff
    person = need(plant, Person, it.person)
    challenge = registration_challenge(person.person, ver=it.seen.ver, head=it.seen.head)
    key = new_key(
        it.client_data, it.attestation, challenge=challenge, rp_id=site.rp_id, origins=site.origins
    )
    if len(key.credential) > LONGEST_ID:
        raise PasskeyRefused(f"its id has {len(key.credential)} characters, at most {LONGEST_ID}")
    if plant.get(Passkey, key.credential) is not None:
        raise AlreadyKnown("Passkey", it.label)
    words = (
        f"Passkey {it.label}, key {key_words(key.public_key)}, of {person.name}: signs as this"
        f" person at {key.origin} from now on."
    )
    record = f"{Person.KIND}/{person.person}"
    signature = sign(plant, context, it.seen, record=record, meaning=MEANING, words=words)
    if signature.manifest.signer != person.person:
        raise NotOwnPasskey(person.name, actor=signature.manifest.name)
    registered = PasskeyRegistered(
        person=person.person,
        credential=key.credential,
        label=it.label,
        public_key=key.public_key,
        sign_count=key.sign_count,
        rp_id=site.rp_id,
        origin=key.origin,
        client_data=it.client_data,
        attestation=it.attestation,
    )
    return (
        Fact(record, signature),
        Fact(f"{Passkey.KIND}/{key.credential}", registered),
        Fact(f"{Keyring.KIND}/{person.person}", registered),
    )


def used(plant: Plant, assertion: Assertion, *, record: str, manifest_sha256: str) -> Fact:
    """Return the fact that a key signed; called under the lock, where its count is the newest.

    Raises:
        PasskeyRefused: it was revoked meanwhile, or its count is not above the last one.
    """
    key = need(plant, Passkey, assertion.credential)
    if key.revoked_at is not None:
        raise PasskeyRefused("it is revoked", credential=key.credential)
    event = PasskeyUsed(
        credential=key.credential,
        sign_count=check_count(assertion, key.sign_count),
        record=record,
        manifest_sha256=manifest_sha256,
    )
    return Fact(f"{Passkey.KIND}/{key.credential}", event)


def with_passkey(plant: Plant, facts: Facts) -> Facts:
    """Return a command's facts, and that of the key that signed them, if one did."""
    signed = [one.event for one in facts if isinstance(one.event, SignatureApplied)]
    return (
        *facts,
        *(
            used(plant, it.assertion, record=it.manifest.record, manifest_sha256=it.manifest_sha256)
            for it in signed
            if it.assertion is not None
        ),
    )


def apply(key: Passkey | None, fact: Recorded) -> Passkey:
    """Fold one event of a key's stream."""
    match fact.event:
        case PasskeyRegistered() as it:
            return Passkey(
                credential=it.credential,
                person=it.person,
                label=it.label,
                public_key=it.public_key,
                sign_count=it.sign_count,
                registered_at=fact.at,
            )
        case PasskeyUsed(sign_count=count):
            assert key is not None, fact
            return replace(key, sign_count=count, used_at=fact.at)
        case _:
            assert key is not None, fact
            return replace(key, revoked_at=fact.at)


def apply_keyring(ring: Keyring | None, fact: Recorded) -> Keyring:
    """Fold one event of a person's keys."""
    match fact.event:
        case PasskeyRegistered(person=person, credential=credential):
            held = () if ring is None else ring.credentials
            return Keyring(person=person, credentials=(*held, credential))
        case PasskeyRevoked(credential=credential):
            assert ring is not None, fact
            left = tuple(one for one in ring.credentials if one != credential)
            return replace(ring, credentials=left)
        case _:
            assert ring is not None, fact
            return ring
