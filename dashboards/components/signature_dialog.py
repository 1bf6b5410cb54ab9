"""The signature dialog: who signs, when, with which meaning, and exactly what (21 CFR 11.50).

The core prepares what a person would sign as soon as the person is named; it is shown word for
word, and that is what the secret, the passkey or the sign-in provider then signs. The secret leaves
the browser in one message, when Sign is pressed, and is kept nowhere. The provider asks for its own
in a window of its own, which tells this page the name of its answer. A refusal is shown inside the
dialog, which stays open; a record that moved is shown anew with what happened to it.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import param
from panel.custom import JSComponent

from core.clock import now, parse_iso
from core.errors import MesError
from core.signature import EverySigningNeedsBoth, FirstSigningNeedsBoth, MeaningNeeded, RecordMoved
from core.signing import PasskeyAnswer, Preparation
from core.signing_gates import CommentRule
from dashboards import visit
from dashboards.components import with_focus
from dashboards.signing_act import Ask

LONGEST, LONGEST_COMMENT, LONGEST_ANSWER = 128, 500, 4000
MOST_LOOKS = 3  # at a record that moves all the time, before the signer is asked to look
NOTHING_GIVEN = "Signature: needs the PIN, a passkey or the company account. Give one of them."
FAULT = "Not recorded: the server had a fault. Try again, then call help."


class Act(Protocol):
    """What is signed: `dashboards.signing_act.SigningAct`, or a test's own."""

    def ask(self) -> Ask:
        """Return what is asked."""
        ...

    @property
    def is_in_period(self) -> bool:
        """Whether the secret alone may be enough."""
        ...

    def prepare(self, who: str | None, *, meaning: str | None, comment: str) -> Preparation:
        """Return what would be signed."""
        ...

    @property
    def is_ready(self) -> bool:
        """Whether what was shown can still be signed."""
        ...

    def sign(
        self,
        pending: str,
        *,
        secret: str = "",
        passkey: PasskeyAnswer | None = None,
        provider: str | None = None,
    ) -> Any:
        """Sign what was shown."""
        ...

    def news(self, moved: RecordMoved) -> tuple[str, ...]:
        """Return what happened to a record."""
        ...


@dataclass(slots=True)
class _Open:
    n: int
    act: Act
    renew: Callable[[], object]
    done: Callable[[Any], None] | None
    cancelled: Callable[[], object] | None
    named: tuple[str | None, str | None, str] = (None, None, "")


class SignatureDialog(JSComponent):
    """One per page; invisible until `request` is called.

    `issuer` is the plant's sign-in provider, empty where there is none.
    """

    issuer = param.String(default="")
    ask = param.Dict(default={})
    answer = param.Dict(default={})

    _esm = with_focus(Path(__file__).parent / "signature_dialog.js")

    def __init__(self, **params: Any) -> None:
        """Make the dialog."""
        super().__init__(**params)
        self._count = self._answers = 0
        self._open: _Open | None = None
        self._busy = False

    def request(
        self,
        act: Act,
        *,
        done: Callable[[Any], None] | None = None,
        cancelled: Callable[[], object] | None = None,
        renew: Callable[[], object] = lambda: None,
    ) -> None:
        """Open the dialog.

        Args:
            act: what is signed; its methods run in worker threads and must not touch widgets.
            done: called on the page's turn with what signing returned, after closing.
            cancelled: called on the page's turn after Cancel.
            renew: called on the page's turn when the record moved, before it is shown anew.
        """
        self._count += 1
        self._busy = False
        self._open = _Open(self._count, act, renew, done, cancelled)
        asked = act.ask()
        self.ask = {
            "n": self._count,
            "subject": asked.subject,
            "lines": [[label, value] for label, value in asked.lines],
            "asks": not act.is_in_period,
        }

    def close(self) -> None:
        """Close without signing."""
        self._open, self._busy = None, False
        self.ask = {}

    @property
    def is_open(self) -> bool:
        """Whether somebody is asked to sign."""
        return self._open is not None

    def _say(self, **answer: Any) -> None:
        self._answers += 1  # two equal refusals in a row are two answers
        self.answer = {"n": self._count, "answer": self._answers, **answer}

    def _handle_msg(self, msg: Any) -> None:
        it = self._open
        if not isinstance(msg, dict) or it is None or msg.get("n") != it.n:
            return
        kind = msg.get("kind")
        if kind == "cancel" and not self._busy:
            self.close()
            if it.cancelled is not None:
                it.cancelled()
        elif kind == "who" and not self._busy:
            who, meaning, comment = msg.get("who"), msg.get("meaning"), msg.get("comment")
            fits = _text(who or "", LONGEST) and _text(meaning or "", LONGEST_COMMENT)
            if fits and _text(comment or "", LONGEST_COMMENT):
                it.named = (who or None, meaning or None, comment or "")
                visit.soon(lambda: self._prepare(it, it.named))
        elif kind == "sign" and not self._busy:
            given = _given(msg)
            if given is None:
                self._say(refusal=NOTHING_GIVEN)
                return
            self._busy = True
            visit.soon(lambda: self._sign(it, str(msg.get("pending")), given))

    async def _prepare(
        self, it: _Open, named: tuple[str | None, str | None, str], *, told: str = ""
    ) -> None:
        """Show what the named person would sign, or why they cannot; `told` stands beside it."""
        who, meaning, comment = named
        heard: dict[str, None] = {}  # each news once, in order
        for _ in range(MOST_LOOKS):  # a record that moved is read again
            try:
                shown = await asyncio.to_thread(
                    it.act.prepare, who, meaning=meaning, comment=comment
                )
            except RecordMoved as moved:
                heard |= dict.fromkeys(await asyncio.to_thread(it.act.news, moved))
                told = moved_words(heard)
                it.renew()
                continue
            except MeaningNeeded as needed:
                self._tell(it, named, meanings=list(needed.meanings), refusal=told)
            except FirstSigningNeedsBoth as no:  # the period has ended meanwhile
                self._tell(it, named, asks=True, refusal=f"{told} {no}".strip())
            except EverySigningNeedsBoth:
                self._tell(it, named, asks=True, refusal=told)
            except MesError as no:
                self._tell(it, named, refusal=f"{told} {no}".strip())
            except Exception:
                self._tell(it, named, refusal=FAULT)
                raise
            else:
                lines = [list(line) for line in it.act.ask().lines]
                self._tell(it, named, shown=_shown(shown), lines=lines, refusal=told)
            return
        self._tell(it, named, refusal=told)

    def _tell(self, it: _Open, named: object, **answer: Any) -> None:
        if self._open is it and it.named == named:  # else somebody else is named meanwhile
            self._say(**answer)

    async def _sign(self, it: _Open, pending: str, given: dict[str, Any]) -> None:
        """Have it signed off the page's thread, then close or show the refusal."""
        try:
            result = await asyncio.to_thread(lambda: it.act.sign(pending, **given))
        except RecordMoved as moved:
            self._busy = False
            it.renew()
            news = await asyncio.to_thread(it.act.news, moved)
            await self._prepare(it, it.named, told=f"Not signed. {moved_words(news)}")
            return
        except MesError as refusal:
            self._busy = False
            if it.act.is_ready:
                self._say(refusal=str(refusal))
            else:  # what was shown is used up or too old: show it again
                await self._prepare(it, it.named, told=str(refusal))
            return
        except Exception:
            self._busy = False
            self._say(refusal=FAULT)
            raise
        if self._open is it:
            self.close()
        if it.done is not None:
            it.done(result)


def moved_words(news: Iterable[str]) -> str:
    """Return what a signer is told of a record that moved."""
    return f"The record changed while you looked: {' '.join(news)} Read it again, then sign."


def _text(value: Any, longest: int) -> bool:
    return isinstance(value, str) and len(value) <= longest


def _given(msg: dict[str, Any]) -> dict[str, Any] | None:
    """Return what a message gives to sign with, None where nothing of it fits."""
    answer = msg.get("passkey")
    if isinstance(answer, dict):
        names = PasskeyAnswer.__dataclass_fields__
        if set(answer) == set(names) and all(_text(v, LONGEST_ANSWER) for v in answer.values()):
            return {"passkey": PasskeyAnswer(**answer)}
        return None
    provider = msg.get("provider")
    if _text(provider, LONGEST) and provider:
        return {"provider": provider}
    secret = msg.get("secret")
    return {"secret": secret} if _text(secret, LONGEST) and secret else None


def _shown(it: Preparation) -> dict[str, Any]:
    """Return a prepared manifest as the browser draws it."""
    manifest = it.manifest
    at = parse_iso(manifest.at).astimezone(ZoneInfo(manifest.zone))
    return {
        "pending": it.pending,
        "words": manifest.words,
        "meaning": manifest.meaning,
        "name": manifest.name,
        "when": f"{at:%Y-%m-%d %H:%M:%S} {manifest.zone}",
        "record": f"{manifest.record}, version {manifest.ver}",
        "life_ms": max(int((it.expires_at - now()).total_seconds() * 1000), 1000),
        "comment": it.gate.comment.value,
        "takes_comment": it.gate.comment is not CommentRule.NONE,
        "meanings": list(it.gate.meanings),
        "secret_is_enough": it.secret_is_enough,
        "rp_id": it.rp_id or "",
        "passkeys": list(it.passkeys),
        "issuers": list(it.issuers),
        "challenge": it.sha256,
    }
