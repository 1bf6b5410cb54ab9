"""One act of signing on a screen: what is asked, shown by the core, signed as it was shown."""

from collections.abc import Callable
from dataclasses import dataclass

from core.command_id import new_command_id
from core.execution import Actor, Credentials, Execution
from core.fact import Command
from core.ledger.writer import Receipt
from core.signature import RecordMoved, Seen
from core.signing import NotShown, PasskeyAnswer, Preparation, told
from dashboards.entry_words import summary

MOST_NEWS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What somebody is asked to sign: about what, with which facts beside it, by which command."""

    subject: str
    lines: tuple[tuple[str, str], ...]
    command: Command


@dataclass(frozen=True, slots=True)
class _Ready:
    command: Command
    idem: str
    who: str | None
    shown: Preparation


class SigningAct:
    """An act that is asked for; prepared as often as the signer or the record changes.

    `ask` is called for each preparation, on a worker thread: it reads what the page shows.
    """

    def __init__(
        self,
        execution: Execution,
        actor: Actor,
        ask: Callable[[], Ask],
        *,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self._execution, self._actor, self._alive = execution, actor, alive
        self._ask = ask
        self._ready: _Ready | None = None
        self._known: dict[str, int] = {}  # the version up to which the signer knows a record

    def ask(self) -> Ask:
        """Return what is asked, as the page shows it now."""
        asked = self._ask()
        if (seen := _seen_by(asked.command)) is not None:
            self._known.setdefault(seen.stream, seen.ver)
        return asked

    def _look_again(self, command: Command) -> None:
        """Refuse once what the page has taken in quietly since the signer looked."""
        now = _seen_by(command)
        if now is None:
            return
        before = self._known.setdefault(now.stream, now.ver)
        if before < now.ver:
            moved = RecordMoved(now.stream, seen=before, current=now.ver)
            raise told(moved, self._execution.ledger)

    @property
    def is_in_period(self) -> bool:
        """Whether somebody's signing period runs here, and this is no shared kiosk."""
        return self._execution.secret_is_enough(self._actor)

    def prepare(self, who: str | None, *, meaning: str | None, comment: str) -> Preparation:
        """Return what `who` would sign, None for the person whose period runs here.

        Raises:
            Refused, Conflict: what the rules say about it; see `Execution.prepare`.
        """
        self._alive()
        command, idem = self._ask().command, f"signing:{new_command_id()}"
        self._look_again(command)
        shown = self._execution.prepare(
            command, actor=self._actor, idem=idem, who=who, meaning=meaning, comment=comment
        )
        self._ready = _Ready(command, idem, who, shown)
        return shown

    @property
    def is_ready(self) -> bool:
        """Whether what was shown last can still be signed."""
        ready = self._ready
        return (
            ready is not None
            and self._execution.signing.statements.shown(ready.shown.pending) is not None
        )

    def sign(
        self,
        pending: str,
        *,
        secret: str = "",
        passkey: PasskeyAnswer | None = None,
        provider: str | None = None,
    ) -> Receipt:
        """Sign what was shown last, if that is what the screen still shows.

        `provider` names the answer of the sign-in provider to what was shown.

        Raises:
            Refused, Conflict: what the rules say about it; see `Execution.submit`.
        """
        self._alive()
        ready = self._ready
        if ready is None or ready.shown.pending != pending:
            raise NotShown
        credentials = Credentials(
            secret, user=ready.who, pending=pending, passkey=passkey, provider=provider
        )
        return self._execution.submit(
            ready.command, actor=self._actor, idem=ready.idem, credentials=credentials
        )

    def news(self, moved: RecordMoved) -> tuple[str, ...]:
        """Return in words what happened in a record since it was shown, the newest last.

        Whoever reads them knows the record up to there: a page that then shows no more is shown.
        """
        self._known[moved.stream] = moved.seen + len(moved.changes)
        seqs = [change.seq for change in moved.changes]
        entries = [self._execution.ledger.entry(seq) for seq in seqs]
        told = [summary(entry) for entry in entries if entry is not None]
        more = len(told) - MOST_NEWS
        return (*(() if more <= 0 else (f"{more} more before these.",)), *told[-MOST_NEWS:])


def _seen_by(command: Command) -> Seen | None:
    """Return the version of the record that a command names, None where it names none."""
    seen = getattr(command, "seen", None)
    return seen if isinstance(seen, Seen) else None
