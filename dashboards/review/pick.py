"""Buttons of which one can be chosen; none is chosen beforehand unless the page says so."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent


class Pick(JSComponent):
    """A row of named buttons; `value` is the id of the pressed one, empty for none."""

    label = param.String(default="Choose")
    options = param.List(default=[])
    value = param.String(default="")

    _esm = (Path(__file__).parent / "pick.js").read_text("utf-8")

    def __init__(self, titles: Mapping[str, str], **params: Any) -> None:
        super().__init__(
            options=[{"id": name, "title": title} for name, title in titles.items()], **params
        )

    def count(self, counts: Mapping[str, int]) -> None:
        """Show a number beside each option."""
        told = [one | {"count": str(counts.get(one["id"], 0))} for one in self.options]
        if told != self.options:
            self.options = told

    def _handle_msg(self, msg: Any) -> None:
        chosen = msg.get("id") if isinstance(msg, dict) else None
        if any(one["id"] == chosen for one in self.options):
            self.value = str(chosen)
