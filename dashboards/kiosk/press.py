"""A button that cannot be pressed twice: it locks in the browser, and each press has its own id."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent

from dashboards import visit

PRESS_ID = re.compile(r"[0-9a-f]{32}")


class Press(JSComponent):
    """One act. The callback gets the press's id, which becomes the command's id."""

    label = param.String(default="OK")
    busy_label = param.String(default="Recording …")
    tone = param.Selector(default="quiet", objects=["primary", "quiet", "danger"])
    enabled = param.Boolean(default=True)
    answered = param.Integer(default=0)
    testid = param.String(default="")

    _esm = (Path(__file__).parent / "press.js").read_text("utf-8")

    def __init__(self, label: str, on_press: Callable[[str], Any], **params: Any) -> None:
        params = {"margin": 0, "align": "center"} | params
        super().__init__(label=label, **params)
        self._on_press, self._working, self._last = on_press, False, ""

    def _handle_msg(self, msg: Any) -> None:
        press = msg.get("id") if isinstance(msg, dict) else None
        if not isinstance(press, str) or not PRESS_ID.fullmatch(press):
            return
        if self._working or press == self._last:
            return
        if not self.enabled:  # it was, when it was pressed: a weight that moves again takes it back
            self.answered += 1
            return
        self._working, self._last = True, press
        visit.soon(lambda: self._run(press))

    async def _run(self, press: str) -> None:
        try:
            result = self._on_press(press)
            if inspect.isawaitable(result):
                await result
        finally:
            self._working = False
            self.answered += 1


def primary(label: str, on_press: Callable[[str], Any], **params: Any) -> Press:
    """Return the one button that does what the screen asks for."""
    return Press(label, on_press, tone="primary", **({"testid": "primary"} | params))
