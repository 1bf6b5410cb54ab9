"""The list on the left of a review: walked with J and K, one message for what was chosen."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent

from dashboards.components import with_focus
from dashboards.palette import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing to look at; `word` says in what state it is, `tone` shows it."""

    id: str
    group: str
    title: str
    word: str
    tone: State
    sub: str = ""


class WalkList(JSComponent):
    """A list with one current item, keys for the page, and a help for the keys."""

    label = param.String(default="To review")
    items = param.List(default=[])
    at = param.String(default="", doc="Where the list opens; after that the browser knows.")

    _esm = with_focus(Path(__file__).parent / "walk.js")

    def __init__(self, on_choice: Callable[[str], None], **params: Any) -> None:
        params.setdefault("sizing_mode", "stretch_width")
        super().__init__(**params)
        self._on_choice = on_choice

    def show(self, items: Sequence[Item], at: str) -> None:
        """Replace the list, which opens at `at`; nothing is sent where nothing changed."""
        told = [asdict(one) | {"tone": one.tone.value} for one in items]
        if told != self.items:
            self.param.update(items=told, at=self.at or at)

    def _handle_msg(self, msg: Any) -> None:
        chosen = msg.get("id") if isinstance(msg, dict) else None
        if any(item["id"] == chosen for item in self.items):
            self._on_choice(str(chosen))
