"""Electronic signatures: who, when, with which meaning, over exactly what was seen.

A signature is an entry in the signed record's own stream. Its manifest names the stream, the
version and the leaf hash of the newest entry that the signer's screen showed, so it cannot be
moved to another record or another version. Where the manifest was prepared and shown before,
what is signed equals what was shown, field by field.

Source:
    21 CFR 11.50, 11.70, 11.200(a).
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from msgspec.structs import replace

from core.clock import iso, parse_iso
from core.equipment import Station
from core.errors import Conflict, Refused
from core.fact import Context, Event, Plant, Signer
from core.manifest import Assertion, Vouched, manifest_digest
from core.manifest import Manifest as Manifest  # nouns that are signed take these from here
from core.manifest import Seen as Seen
from core.manifest import manifest_bytes as manifest_bytes
from core.people import Person
from core.signing_gates import (
    ANY,
    NAMED,
    NOT_PERFORMER,
    PERFORMER,
    ROLE,
    CommentRule,
    Components,
    Gate,
    SigningGates,
    in_force,
    named,
)

LIFE = timedelta(minutes=3)  # of a manifest that was shown and not yet signed
SECRET_ALONE = ("secret",)


class SignatureApplied(
    Event, frozen=True, kw_only=True, omit_defaults=True, tag="signature.applied"
):
    """A person signed; the digest is over the manifest's canonical bytes.

    `gate` and `gates_version` name the rules that let the person sign; `assertion` is the
    passkey's own signature over the digest, `vouched` a sign-in provider's, where one was used.
    """

    manifest: Manifest
    manifest_sha256: str
    components: tuple[str, ...]
    gate: str = ""
    gates_version: int = 0
    assertion: Assertion | None = None
    vouched: Vouched | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One entry that came after what a signer saw."""

    seq: int
    type: str
    by: str
    at: datetime
    step: str | None

    def __str__(self) -> str:
        """Return the change in words: what, where, who, when."""
        step = "" if self.step is None else f", step {self.step}"
        return f"{self.type}{step}, by {self.by} at {self.at:%H:%M:%S} UTC"


class SignatureRequired(Refused):
    """The action stands only with a signature."""

    def __init__(self, meaning: str) -> None:
        super().__init__(
            f'Signature: "{meaning}" needs badge or user id, and secret. Sign to go on.',
            meaning=meaning,
        )


class RecordMoved(Conflict):
    """The record changed between the look and the signature; `changes` says how."""

    def __init__(
        self, stream: str, *, seen: int, current: int, changes: Sequence[Change] = ()
    ) -> None:
        new = f" New: {'; '.join(map(str, changes))}." if changes else ""
        super().__init__(
            f"{stream}: changed while you looked; you saw version {seen}, it is now {current}."
            f"{new} Read what changed and sign again.",
            stream=stream,
            seen=seen,
            current=current,
        )
        self.stream, self.seen, self.current = stream, seen, current
        self.changes = tuple(changes)


class WrongRecord(Refused):
    """The signer's screen showed another record than the one that is to be signed."""

    is_evidence = True

    def __init__(self, seen: str, *, record: str) -> None:
        super().__init__(
            f"{record}: the signature is for {seen}. Open {record}, read it, and sign there.",
            seen=seen,
            record=record,
        )


class NotAsShown(Refused):
    """What would be signed is not what was shown."""

    is_evidence = True

    def __init__(self, record: str, *, fields: Sequence[str]) -> None:
        super().__init__(
            f"{record}: {', '.join(fields)} would not be signed as shown."
            " Read it again, then sign.",
            record=record,
            fields=", ".join(fields),
        )


class ShownTooLongAgo(Refused):
    """The statement was shown longer ago than its life."""

    is_evidence = True

    def __init__(self, record: str, *, shown_at: str) -> None:
        super().__init__(
            f"{record}: what you sign was shown at {shown_at}, at most"
            f" {LIFE.seconds // 60} minutes before signing. Read it again, then sign.",
            record=record,
            shown_at=shown_at,
        )


class MayNotSignHere(Refused):
    """The gate's rule names other people."""

    is_evidence = True

    def __init__(self, gate: str, *, name: str, who: str) -> None:
        super().__init__(
            f"{name}: may not sign {gate}; it needs {who}. Ask one of them to sign.",
            gate=gate,
            name=name,
            who=who,
        )


class MeaningNeeded(Refused):
    """The gate offers several meanings, or another one than was given."""

    def __init__(self, gate: str, *, meanings: Sequence[str], given: str | None) -> None:
        says = "none is chosen" if given is None else f"{given} is not one of them"
        super().__init__(
            f"Meaning of {gate}: {says}. Choose one of: {'; '.join(meanings)}.",
            gate=gate,
            given=given,
        )
        self.meanings = tuple(meanings)


class CommentNotAsAsked(Refused):
    """The gate wants a comment, or takes none."""

    def __init__(self, gate: str, *, asked: str, next_step: str) -> None:
        super().__init__(f"Comment of {gate}: {asked}. {next_step}", gate=gate)


class FirstSigningNeedsBoth(Refused):
    """The secret alone is enough only within a continuous signing period."""

    is_evidence = True

    def __init__(self) -> None:
        super().__init__(
            "Signature: the first signing of a period needs badge or user id, and secret."
            " Give both."
        )


class EverySigningNeedsBoth(Refused):
    """Here the secret alone is never enough."""

    is_evidence = True

    def __init__(self, where: str) -> None:
        super().__init__(
            f"{where}: each signing needs badge or user id, and secret. Give both.", where=where
        )


def sign(
    plant: Plant,
    context: Context,
    seen: Seen,
    *,
    record: str,
    meaning: str,
    words: str,
    step: str | None = None,
    party: str | None = None,
    performers: Collection[str | None] = (),
    own: Callable[[str], Refused] | None = None,
    compliant: bool = True,
) -> SignatureApplied:
    """Return the signature event of the person who has just authenticated.

    Args:
        record: the stream that the command concerns, which must be the one that was seen.
        meaning: the statement, where the plant's table offers no other.
        party: for whom, where parties sign apart.
        performers: who did what is signed.
        own: the refusal for a performer by printed name; with it no performer may ever sign.
        compliant: whether all that is signed was within its rules.

    Raises:
        SignatureRequired: nobody has signed.
        WrongRecord, RecordMoved: the stream is another one, or not where the signer saw it.
        MayNotSignHere, MeaningNeeded, CommentNotAsAsked, EverySigningNeedsBoth: the gate.
        NotAsShown, ShownTooLongAgo: it is not what was prepared, or no longer.
    """
    signer = context.signer
    if signer is None:
        raise SignatureRequired(meaning)
    _check_seen(plant, seen, record)
    if own is not None and signer.person in performers:
        raise own(signer.name)
    name = context.action if party is None else f"{context.action}:{party}"
    table = in_force(plant, context.plant)
    gate = table.gate(name)
    _check_who(plant, name, gate, signer=signer, performers=performers)
    _check_components(plant, context, table, gate=gate, name=name)
    _check_comment(name, gate, signer.comment, compliant=compliant)
    stated = _meaning(name, gate.meanings or (meaning,), signer.meaning)
    manifest = _manifest(context, seen, step=step, meaning=stated, words=words)
    return SignatureApplied(
        manifest=manifest,
        manifest_sha256=manifest_digest(manifest).hex(),
        components=signer.components,
        gate=name,
        gates_version=table.version,
        assertion=signer.assertion,
        vouched=signer.vouched,
    )


def _manifest(
    context: Context, seen: Seen, *, step: str | None, meaning: str, words: str
) -> Manifest:
    """Return what is signed: what was shown before, where it was, if it is still the same."""
    signer = context.signer
    assert signer is not None
    manifest = Manifest(
        record=seen.stream,
        ver=seen.ver,
        head=seen.head,
        step=step,
        meaning=meaning,
        words=words,
        signer=signer.person,
        name=signer.name,
        at=iso(context.at),
        zone=context.zone,
        nonce=sha256(context.idem.encode()).hexdigest()[:32],
        comment=signer.comment,
    )
    if signer.prepared is None:
        return manifest
    return _as_shown(signer.prepared, manifest, context.at)


def _check_seen(plant: Plant, seen: Seen, record: str) -> None:
    if seen.stream != record:
        raise WrongRecord(seen.stream, record=record)
    head = plant.head(seen.stream)
    if (head.ver, head.leaf or "") != (seen.ver, seen.head):
        raise RecordMoved(seen.stream, seen=seen.ver, current=head.ver)


def _as_shown(shown: Manifest, now: Manifest, at: datetime) -> Manifest:
    """Return the manifest that was shown, if it is what would be signed now, but for its time."""
    now = replace(now, at=shown.at, nonce=shown.nonce)
    differing = [
        field for field in now.__struct_fields__ if getattr(now, field) != getattr(shown, field)
    ]
    if differing:
        raise NotAsShown(now.record, fields=differing)
    if not timedelta(0) <= at - parse_iso(shown.at) <= LIFE:
        raise ShownTooLongAgo(now.record, shown_at=shown.at)
    return shown


def _check_who(
    plant: Plant, name: str, gate: Gate, *, signer: Signer, performers: Collection[str | None]
) -> None:
    did, who = signer.person in performers, gate.who
    if who.startswith(ROLE):
        person = plant.get(Person, signer.person)
        role = who.removeprefix(ROLE)
        fits, says = person is not None and role in person.roles, f"the role {role}"
    elif who.startswith(NAMED):
        people = named(who)
        fits, says = signer.person in people, f"one of {', '.join(people)}"
    else:
        rules = {
            ANY: (True, ""),
            PERFORMER: (did, "the person who did the work"),
            NOT_PERFORMER: (not did, "a person who did no part of the work"),
        }
        fits, says = rules[who]
    if not fits:
        raise MayNotSignHere(name, name=signer.name, who=says)


def _check_components(
    plant: Plant, context: Context, table: SigningGates, *, gate: Gate, name: str
) -> None:
    assert context.signer is not None
    if context.signer.components != SECRET_ALONE:
        return
    if gate.components is Components.ALWAYS:
        raise EverySigningNeedsBoth(name)
    if asks_always(plant, table, context.station):
        raise EverySigningNeedsBoth(f"Kiosk {context.station}")


def asks_always(plant: Plant, table: SigningGates, station: str | None) -> bool:
    """Return whether a station is a shared kiosk where the secret alone is never enough."""
    is_kiosk = station is not None and plant.get(Station, station) is not None
    return is_kiosk and table.kiosk_components is Components.ALWAYS


def _check_comment(name: str, gate: Gate, comment: str, *, compliant: bool) -> None:
    rule, written = gate.comment, bool(comment.strip())
    if rule is CommentRule.NONE and written:
        raise CommentNotAsAsked(name, asked="none is taken here", next_step="Leave it empty.")
    if rule is CommentRule.REQUIRED and not written:
        raise CommentNotAsAsked(name, asked="is empty", next_step="Write one.")
    if rule is CommentRule.REQUIRED_WHEN_NOT_COMPLIANT and not compliant and not written:
        raise CommentNotAsAsked(
            name,
            asked="is empty, and not all was within its rules",
            next_step="Write why you sign.",
        )


def _meaning(gate: str, meanings: Sequence[str], chosen: str | None) -> str:
    if chosen is None and len(meanings) == 1:
        return meanings[0]
    if chosen not in meanings:
        raise MeaningNeeded(gate, meanings=meanings, given=chosen)
    assert chosen is not None
    return chosen
