"""The check of the whole ledger at a press, and how far it is proven outside. No widgets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.clock import now, parse_iso
from core.errors import LedgerBroken
from core.execution import Execution
from core.ledger.anchor import AnchorFolder
from core.ledger.audit import audit, check_anchors, check_outside
from core.ledger.checkpoint import Checkpoint
from core.ledger.exposure import exposed
from core.ledger.rotation import as_recorded
from core.ledger.store import AnchorRow, EntryRow, Ledger
from core.ledger.timestamp import Certificates, check_stamps
from core.projections.nouns import differences
from core.signature_check import SIGNED, Checked, check_signatures

STREAMS_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the check found; `says` is the whole result in one sentence."""

    holds: bool
    says: str
    at: datetime
    size: int
    root: str
    took_s: str


class _Counted:
    """A ledger that tells how far it was read and which entries are signatures.

    The check itself is the core's.
    """

    def __init__(self, ledger: Ledger, told: Callable[[int], None]) -> None:
        self._ledger, self._told = ledger, told
        self.signatures: list[int] = []

    def checkpoint(self) -> Checkpoint | None:
        return self._ledger.checkpoint()

    def root(self, size: int) -> bytes:
        return self._ledger.root(size)

    def rows(self, after: int = 0, limit: int = 1000) -> list[EntryRow]:
        found = self._ledger.rows(after, limit)
        if found:
            self._told(found[-1].seq)
        self.signatures += [row.seq for row in found if row.type == SIGNED]
        return found


class ProjectionsDiffer(LedgerBroken):
    """The states that screens read are not what the entries lead to."""

    def __init__(self, streams: list[str]) -> None:
        named = ", ".join(streams[:STREAMS_NAMED])
        more = f" and {len(streams) - STREAMS_NAMED} more" if len(streams) > STREAMS_NAMED else ""
        super().__init__(
            f"Projections: {named}{more} differ from the entries; the entries themselves hold."
            " Stop the server and start it again: it rebuilds them."
        )


@dataclass(frozen=True, slots=True)
class _Found:
    checkpoint: Checkpoint | None
    signed: Checked
    stamps: int
    revoked: list[str]


def verify(
    execution: Execution,
    told: Callable[[int, int], None],
    *,
    stampers: Certificates = (),
) -> Verdict:
    """Check every entry, stream and signature, the checkpoint, the anchors and the projections.

    Runs for seconds: give it a thread. `told` hears entries read and entries in all; `stampers`
    are the certificates that a time stamp must lead to.
    """
    began, ledger = now(), execution.ledger
    whole = ledger.size()
    try:
        found = _check(execution, lambda seq: told(min(seq, whole), whole), stampers)
    except LedgerBroken as fault:
        return Verdict(
            holds=False, says=str(fault), at=now(), size=whole, root="", took_s=_since(began)
        )
    checkpoint = found.checkpoint
    if checkpoint is None:
        says = "The ledger is empty: there is nothing to verify yet."
        return Verdict(holds=True, says=says, at=now(), size=0, root="", took_s=_since(began))
    root = checkpoint.root.hex()
    says = (
        f"All {checkpoint.size} entries hold: every stored byte has its hash, every stream is"
        " unbroken, the signed checkpoint has this size and root, and the states that screens"
        f" show are what the entries lead to. {_more(found, stampers)}"
    )
    return Verdict(
        holds=True, says=says, at=now(), size=checkpoint.size, root=root, took_s=_since(began)
    )


def _more(found: _Found, stampers: Certificates) -> str:
    """Return what else holds: signatures, and time stamps where there are any."""
    signed, stamps = found.signed, found.stamps
    says = f"Each of {signed.signatures} signatures is over what was signed"
    if signed.proven:
        says += f", {signed.proven} are proven by a passkey or the sign-in provider as well"
    if stamps and stampers:
        says += f"; {stamps} time stamps of the authority hold"
    elif stamps:
        says += (
            f"; {stamps} time stamps are over these checkpoints, and whose they are was not"
            " checked: no certificate of an authority is named"
        )
    says += "".join(f". This copy proves nothing: {one.rstrip('.')}" for one in found.revoked)
    return f"{says}."


def _check(execution: Execution, told: Callable[[int], None], stampers: Certificates) -> _Found:
    counted = _Counted(execution.ledger, told)
    verifier = as_recorded(execution.verifier, execution.ledger)
    checkpoint = audit(counted, verifier)  # type: ignore[arg-type]
    revoked: list[str] = []
    if execution.anchor_dir is not None:
        folder = AnchorFolder(execution.anchor_dir)
        check_anchors(execution.ledger, folder, verifier)
        revoked = folder.revoked(verifier)
    check_outside(execution.ledger)
    stamps = check_stamps(execution.ledger, stampers)
    signed = check_signatures(execution.ledger, counted.signatures)
    differing = differences(execution.ledger)
    for _ in range(3):  # a command may be recorded between the two reads of a comparison
        if differing:
            differing = differences(execution.ledger)
    if differing:
        raise ProjectionsDiffer(differing)
    return _Found(checkpoint, signed, stamps, revoked)


def _since(began: datetime) -> str:
    return f"{(now() - began).total_seconds():.1f} s"


@dataclass(frozen=True, slots=True)
class Held:
    """The newest checkpoint that one kind of place outside holds."""

    kind: str
    place: str
    size: int
    at: datetime


# how a place begins -> its kind
KINDS = {
    "ERP receipt": "ERP, by its signed receipt",
    "time-stamp authority": "Time-stamp authority",
    "printed record": "Paper, a printed record",
}


def held_outside(anchors: Sequence[AnchorRow]) -> tuple[Held, ...]:
    """Return each kind of place with the newest checkpoint it holds, the newest first."""
    newest: dict[str, Held] = {}
    for row in anchors:
        kind = next((kind for begin, kind in KINDS.items() if row.place.startswith(begin)), "Other")
        newest[kind] = Held(kind, row.place, row.size, parse_iso(row.at))
    return tuple(sorted(newest.values(), key=lambda one: one.size, reverse=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """What a thief of the database could still change without being seen.

    `since` is when the oldest entry without an outside anchor was recorded.
    """

    size: int
    checkpoint: Checkpoint | None
    anchored: int
    place: str
    anchored_at: datetime | None
    since: datetime | None
    held: tuple[Held, ...]
    copies: int
    newest_copy: int

    @property
    def entries(self) -> int:
        return self.size - self.anchored


def exposure(execution: Execution) -> Exposure:
    """Return how much of the ledger no outside place has confirmed yet."""
    ledger = execution.ledger
    found = exposed(ledger)
    copies: list[Checkpoint] = []
    if execution.anchor_dir is not None:
        try:
            folder = AnchorFolder(execution.anchor_dir)
            verifier = as_recorded(execution.verifier, ledger)
            copies = [one for _, one in folder.checkpoints(verifier)]
        except LedgerBroken:
            copies = []  # the check at a press says what is wrong with them
    return Exposure(
        size=found.size,
        checkpoint=ledger.checkpoint(),
        anchored=found.anchored,
        place=found.place,
        anchored_at=found.anchored_at,
        since=found.since,
        held=held_outside(ledger.anchors()),
        copies=len(copies),
        newest_copy=max((one.size for one in copies), default=0),
    )
