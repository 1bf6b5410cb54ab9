"""The scan field: takes what a reader types, keeps the focus, loses no character.

Characters stay in the browser until Enter; each scan is one message. `n` and the browser's clock
in a message are neither an idempotency key nor a record's time.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent


class ScanField(JSComponent):
    """A field for scanned codes, at most one on a page."""

    label = param.String(default="Scan")
    max_length = param.Integer(default=128, constant=True)
    enabled = param.Boolean(default=True)
    autofocus = param.Boolean(default=True, doc="Take the focus back after a tap elsewhere.")
    answer = param.Dict(default={}, doc="What the last scan led to: state and text.")

    _esm = (Path(__file__).parent / "scan_field.js").read_text("utf-8")

    def __init__(self, on_scan: Callable[[str], None] | None = None, **params: Any) -> None:
        params.setdefault("sizing_mode", "stretch_width")
        params.setdefault("margin", (0, 10, 12, 10))
        super().__init__(**params)
        self._callbacks = [on_scan] if on_scan else []

    def on_scan(self, callback: Callable[[str], None]) -> None:
        """Call back with the text of each scan."""
        self._callbacks.append(callback)

    def accepted(self, text: str) -> None:
        """Say below the field what was recognized."""
        self.answer = {"state": "ok", "text": text}

    def refused(self, text: str) -> None:
        """Say below the field why the scan does not fit; a hard stop belongs in a RefusalBar."""
        self.answer = {"state": "bad", "text": text}

    def _handle_msg(self, msg: Any) -> None:
        text = msg.get("text") if isinstance(msg, dict) else None
        if not self.enabled or not isinstance(text, str) or not 0 < len(text) <= self.max_length:
            return
        for callback in self._callbacks:
            callback(text)
