"""The keypad: big keys handled in the browser, one message when OK is pressed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent


class Keypad(JSComponent):
    """Digits for a gloved hand: a decimal number, or a PIN that is never shown.

    The browser empties the field when it sends, and when another choice is taken on the page.
    """

    label = param.String(default="Value")
    unit = param.String(default="")
    mode = param.Selector(default="decimal", objects=["decimal", "pin"])
    ok_label = param.String(default="OK")
    max_length = param.Integer(default=12, constant=True)

    _esm = (Path(__file__).parent / "keypad.js").read_text("utf-8")

    def __init__(self, on_ok: Callable[[str], None] | None = None, **params: Any) -> None:
        params.setdefault("margin", (0, 10, 12, 10))
        super().__init__(**params)
        self._callbacks = [on_ok] if on_ok else []

    def on_ok(self, callback: Callable[[str], None]) -> None:
        """Call back with the digits; a decimal has at most one point and no exponent."""
        self._callbacks.append(callback)

    def _handle_msg(self, msg: Any) -> None:
        text = msg.get("text") if isinstance(msg, dict) else None
        if not isinstance(text, str) or not 0 < len(text) <= self.max_length:
            return
        digits = text.replace(".", "", 1) if self.mode == "decimal" else text
        if not digits.isascii() or not digits.isdigit():
            return
        for callback in self._callbacks:
            callback(text)
