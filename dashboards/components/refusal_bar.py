"""The refusal: full width, red, with word, sign, sentence and sound; full screen for hard stops."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent

from dashboards.components import with_focus


class RefusalBar(JSComponent):
    """Shows one refusal until it is understood; empty, it takes no room."""

    refusal = param.Dict(default={"n": 0, "sentence": "", "word": "", "full": False})
    sound = param.Boolean(default=True)

    _esm = with_focus(Path(__file__).parent / "refusal_bar.js")

    def __init__(self, on_understood: Callable[[], None] | None = None, **params: Any) -> None:
        params.setdefault("sizing_mode", "stretch_width")
        params.setdefault("margin", (0, 10))
        super().__init__(**params)
        self._on_understood = on_understood
        self._count = 0

    def show(self, refusal: object, *, full: bool = False, word: str = "") -> None:
        """Show a refusal, or any sentence.

        Args:
            full: cover the screen, as for a wrong lot; nothing else can be pressed until
                the person has understood.
            word: the heading; `STOP` in full, else `Refused`.
        """
        self._count += 1
        self.refusal = {
            "n": self._count,
            "sentence": str(refusal),
            "word": word or ("STOP" if full else "Refused"),
            "full": full,
        }

    def clear(self) -> None:
        """Take the refusal off the screen."""
        if self.refusal["sentence"]:
            self.refusal = {"n": self._count, "sentence": "", "word": "", "full": False}

    def _handle_msg(self, msg: Any) -> None:
        if not isinstance(msg, dict) or msg.get("n") != self._count:
            return  # a press on an older refusal does not take a newer one off
        self.clear()
        if self._on_understood is not None:
            self._on_understood()
