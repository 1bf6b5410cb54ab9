"""Server-made HTML that stays on its page: links to the same page change it in place.

Every link is a real address, so tabs, bookmarks and the back button work. What has the focus,
what is unfolded, what is scrolled and what is being typed stays so when the content is drawn again.
A button with `data-act` is an act of the page; within a form the form's values go with it.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import param
from markupsafe import Markup
from panel.custom import JSComponent

from dashboards import visit
from dashboards.components import with_focus
from dashboards.parts import PARTS_CSS, markup

LONGEST = 1000
MOST_FIELDS, LONGEST_VALUE = 20, 2000
PRESS_ID = re.compile(r"[0-9a-f]{32}")


class Sheet(JSComponent):
    """A piece of a page, or its drawer.

    Args of the constructor:
        on_go: hears the query of a link to this page.
        on_act: hears the name of a pressed button and the id of the press; `values` holds what its
            form said.
        css: rules for what is inside, after those of `dashboards.parts`.
    """

    markup = param.String(default="")
    modal = param.Boolean(default=False)
    follows = param.Boolean(default=False)
    answered = param.Integer(default=0)
    url = param.String(default="")

    _esm = with_focus(Path(__file__).parent / "sheet.js")

    def __init__(
        self,
        on_go: Callable[[Mapping[str, str]], Any],
        on_act: Callable[[str, str], Any] = lambda _act, _press: None,
        *,
        css: str = "",
        **params: Any,
    ) -> None:
        params.setdefault("sizing_mode", "stretch_width")
        params.setdefault("margin", (0, 10))
        super().__init__(stylesheets=[PARTS_CSS + css], **params)
        self._on_go, self._on_act, self._last = on_go, on_act, ""
        self.values: Mapping[str, str] = {}

    def show(self, *pieces: Markup) -> None:
        """Draw pieces; nothing is sent where nothing changed."""
        text = markup(*pieces)
        if text != self.markup:
            self.markup = text

    def at(self, url: str) -> None:
        """Put another address of this page into the URL, without a step in the history."""
        self.url = ""
        self.url = url

    def _handle_msg(self, msg: Any) -> None:
        if not isinstance(msg, dict):
            return
        search, act, press = msg.get("go"), msg.get("act"), msg.get("id")
        if isinstance(search, str) and len(search) <= LONGEST:
            query = {key: value[:200] for key, value in parse_qsl(search.removeprefix("?"))}
            visit.soon(lambda: self._run(lambda: self._on_go(query)))
        elif isinstance(act, str) and isinstance(press, str) and press != self._last:
            if not PRESS_ID.fullmatch(press):
                return
            self._last, self.values = press, _values(msg.get("values"))
            visit.soon(lambda: self._run(lambda: self._on_act(act, press)))

    async def _run(self, answer: Callable[[], Any]) -> None:
        try:
            result = answer()
            if inspect.isawaitable(result):
                await result
        finally:
            self.answered += 1


def _values(said: Any) -> Mapping[str, str]:
    """Return the fields of a form, cut to what a page takes; what is no text is left out."""
    if not isinstance(said, dict):
        return {}
    fields = list(said.items())[:MOST_FIELDS]
    return {
        name: value[:LONGEST_VALUE]
        for name, value in fields
        if isinstance(name, str) and isinstance(value, str)
    }
