"""Big things to tap: rows of a list, or a grid of reasons; a message a tap, text never HTML."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent

from dashboards.palette import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One thing to tap. `tone` and `word` belong together: colour never speaks alone.

    `was` is the value before a correction; it is struck.
    """

    id: str
    title: str
    lines: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    value: str = ""
    was: str = ""
    tone: State | None = None
    word: str = ""
    enabled: bool = True
    selected: bool | None = None

    def item(self) -> dict[str, Any]:
        """Return what the browser draws."""
        item: dict[str, Any] = {
            "id": self.id,
            "title": self.title,
            "lines": list(self.lines),
            "why": list(self.why),
            "value": self.value,
            "was": self.was,
            "tone": self.tone.value if self.tone else "",
            "word": self.word,
            "enabled": self.enabled,
        }
        return item if self.selected is None else item | {"selected": self.selected}


class Choices(JSComponent):
    """A list or a grid of choices."""

    label = param.String(default="Choices")
    items = param.List(default=[])
    shape = param.Selector(default="list", objects=["list", "grid", "tight"])
    empty = param.String(default="Nothing here.")

    _esm = (Path(__file__).parent / "choices.js").read_text("utf-8")

    def __init__(
        self, choices: Sequence[Choice], on_choice: Callable[[str], Any], **params: Any
    ) -> None:
        params.setdefault("sizing_mode", "stretch_width")
        params.setdefault("margin", 0)
        super().__init__(items=[one.item() for one in choices], **params)
        self._on_choice = on_choice

    def show(self, choices: Sequence[Choice]) -> None:
        """Replace what can be chosen; nothing is sent where nothing changed."""
        items = [one.item() for one in choices]
        if items != self.items:
            self.items = items

    def _handle_msg(self, msg: Any) -> None:
        chosen = msg.get("id") if isinstance(msg, dict) else None
        if any(item["id"] == chosen and item["enabled"] for item in self.items):
            self._on_choice(str(chosen))
