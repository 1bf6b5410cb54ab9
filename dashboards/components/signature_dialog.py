"""The signature dialog: who signs, when, with which meaning, and exactly what (21 CFR 11.50).

Badge (or user id) and PIN leave the browser in one message, when Sign is pressed, and are kept
nowhere. A refusal is shown inside the dialog, which stays open with the PIN emptied.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent

from core.errors import MesError
from dashboards import visit

type Sign = Callable[[str, str], Any]
type Done = Callable[[Any], None]
type NameOf = Callable[[str], str | None]

LONGEST = 128


@dataclass(frozen=True, slots=True)
class _Pending:
    n: int
    sign: Sign
    done: Done | None
    cancelled: Callable[[], None] | None


class SignatureDialog(JSComponent):
    """One per page; invisible until `request` is called."""

    ask = param.Dict(default={})
    answer = param.Dict(default={})

    _esm = (Path(__file__).parent / "signature_dialog.js").read_text("utf-8")

    def __init__(self, *, zone: object, name_of: NameOf | None = None, **params: Any) -> None:
        """Make the dialog.

        Args:
            zone: the plant's time zone.
            name_of: the printed name behind a badge or user id, None where it is not known.
        """
        super().__init__(**params)
        self._zone, self._name_of = str(zone), name_of
        self._count = self._answers = 0
        self._pending: _Pending | None = None
        self._busy = False

    def request(
        self,
        subject: str,
        lines: Sequence[tuple[str, str]],
        *,
        meaning: str,
        sign: Sign,
        done: Done | None = None,
        cancelled: Callable[[], None] | None = None,
        user: str = "",
    ) -> None:
        """Open the dialog.

        Args:
            subject: the record that is signed, as `Batch B26-0178, step 3`.
            lines: exactly what is signed, label and value with unit.
            meaning: the statement in words.
            sign: called with badge or user id, and secret, in a worker thread; it must not
                touch widgets. What it raises as `MesError` is shown inside the dialog.
            done: called on the page's turn with what `sign` returned, after closing.
            user: fills the first field, where a continuous period needs the secret only.
        """
        self._count += 1
        self._busy = False
        self._pending = _Pending(self._count, sign, done, cancelled)
        self.ask = {
            "n": self._count,
            "subject": subject,
            "lines": [[label, value] for label, value in lines],
            "meaning": meaning,
            "user": user,
            "zone": self._zone,
            "now_ms": int(time.time() * 1000),
        }

    def close(self) -> None:
        """Close without signing."""
        self._pending, self._busy = None, False
        self.ask = {}

    @property
    def is_open(self) -> bool:
        """Whether somebody is asked to sign."""
        return self._pending is not None

    def _say(self, **answer: Any) -> None:
        self._answers += 1  # two equal refusals in a row are two answers
        self.answer = {"n": self._count, "answer": self._answers, **answer}

    def _handle_msg(self, msg: Any) -> None:
        pending = self._pending
        if not isinstance(msg, dict) or pending is None or msg.get("n") != pending.n:
            return
        kind, who, secret = msg.get("kind"), msg.get("who"), msg.get("secret")
        if kind == "cancel" and not self._busy:
            self.close()
            if pending.cancelled is not None:
                pending.cancelled()
        elif kind == "who" and isinstance(who, str) and 0 < len(who) <= LONGEST:
            if self._name_of is not None:
                self._say(printed=self._name_of(who) or "")
        elif kind == "sign" and not self._busy:
            if not all(isinstance(x, str) and 0 < len(x) <= LONGEST for x in (who, secret)):
                self._say(refusal="Signature: needs badge and PIN. Give both.")
                return
            self._busy = True
            visit.soon(lambda: self._sign(pending, str(who), str(secret)))

    async def _sign(self, pending: _Pending, who: str, secret: str) -> None:
        """Have it signed off the page's thread, then close or show the refusal."""
        try:
            result = await asyncio.to_thread(pending.sign, who, secret)
        except MesError as refusal:
            self._busy = False
            self._say(refusal=str(refusal))
            return
        except Exception:
            self._busy = False
            self._say(refusal="Not recorded: the server had a fault. Try again, then call help.")
            raise
        if self._pending is pending:
            self.close()
        if pending.done is not None:
            pending.done(result)
