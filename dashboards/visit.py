"""One visit: a page opened by one person in one browser tab. Only this module reads `pn.state`."""

import logging
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlencode

import panel as pn
import param

from dashboards import turns
from dashboards.session import Login, Viewer

log = logging.getLogger(__name__)
_panels_own = param.parameterized.async_executor


def _answer(work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    """Run a widget's answer that is a coroutine; Panel's own way does not take the page's lock."""
    if getattr(pn.state.curdoc, "session_context", None) is None:
        _panels_own(work)
    else:
        aside(work)


param.parameterized.async_executor = _answer


def document() -> Any:
    """Return the Bokeh document of this visit."""
    return pn.state.curdoc


def login() -> Login:
    """Return the login that opened this page.

    Raises:
        LookupError: nobody is visiting; pages are built for a visit only.
    """
    context = getattr(pn.state.curdoc, "session_context", None)
    user = getattr(getattr(context, "request", None), "user", None)
    if not isinstance(user, Login):
        raise LookupError("no login: a page is built for a visit only")
    return user


def signing_session(execution: Any) -> str:
    """Return the browser's session, in which a signing period can run until it ends."""
    held = login()

    def ended() -> None:
        execution.end_session(held.id)

    held.on_end.append(ended)
    on_leave(lambda: held.on_end.remove(ended))
    return held.id


def is_built() -> bool:
    """Tell whether this page is there; while it is being built, no browser has it."""
    context = getattr(pn.state.curdoc, "session_context", None)
    return getattr(context, "session", None) is not None


def viewer() -> Viewer:
    """Return the person looking at this page."""
    return login().viewer


def page_id() -> str:
    """Return the id that Bokeh gave this page."""
    return str(pn.state.curdoc.session_context.id)


def query(name: str, default: str = "") -> str:
    """Return one value of the URL's query as the browser sent it; escape before showing."""
    values = pn.state.session_args.get(name) if pn.state.curdoc else None
    return values[0].decode("utf-8", "replace")[:200] if values else default


def part(name: str, default: str = "") -> str:
    """Return one named part of the URL path, as `{batch}` in `/review/batch/{batch}`."""
    context = getattr(pn.state.curdoc, "session_context", None)
    params = getattr(getattr(context, "request", None), "route_params", None) or {}
    return str(params.get(name, default))[:200]


def set_query(**values: str | None) -> None:
    """Put values into the URL's query without loading the page again; None takes one out."""
    location = pn.state.location
    if location is None:
        return
    kept = dict(location.query_params)
    for name, value in values.items():
        kept[name] = value
    given = {name: value for name, value in kept.items() if value not in (None, "")}
    location.search = "?" + _encode(given) if given else ""


def _encode(values: dict[str, Any]) -> str:
    return urlencode({name: str(value) for name, value in values.items()})


def is_dark() -> bool:
    """Tell whether this visit is drawn dark: `?theme=` first, then the stored choice, then the
    scheme the browser last reported.
    """
    asked = query("theme")
    if asked in ("light", "dark"):
        return asked == "dark"
    cookies = pn.state.cookies if pn.state.curdoc else {}
    chosen = cookies.get("mes_theme", "")
    if chosen in ("light", "dark"):
        return bool(chosen == "dark")
    return bool(cookies.get("mes_scheme", "") == "dark")


def use_theme(dark: bool) -> None:
    """Set Panel's theme for this visit."""
    pn.config.theme = "dark" if dark else "default"


def on_leave(callback: Callable[[], None]) -> None:
    """Call back once when the page is gone."""
    pn.state.on_session_destroyed(lambda _context: callback())


def soon(callback: Callable[[], Any]) -> None:
    """Run a callback in a turn of its own on this page; a coroutine keeps the page to its end."""
    later(pn.state.curdoc, callback)


def aside(work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    """Run a coroutine on this page that gives the page away to others while it waits."""
    try:
        turns.give_aside(pn.state.curdoc, work)
    except turns.PageGone:
        log.debug("a page was closed before it could go on")


def later(page: Any, callback: Callable[[], Any]) -> None:
    """Run a callback in a turn of its own, from any thread; a closed page needs none."""
    try:
        turns.hand_over(page, callback)
    except turns.PageGone:
        log.debug("a page was closed before it could be drawn again")


def follows_browser() -> bool:
    """Tell whether the scheme is the browser's own, so that the page may correct a wrong guess."""
    cookies = pn.state.cookies if pn.state.curdoc else {}
    return not query("theme") and cookies.get("mes_theme", "") not in ("light", "dark")
