"""Turns: a page's document belongs to one at a time, and the server's event loop hands it out.

A document is not safe to touch from two threads: what one adds while another draws can be lost,
and a turn that is lost is never made up for. So nobody else's thread touches it. Whatever is to
happen on a page comes in by the event loop and has the document's lock while it runs.
"""

import asyncio
import logging
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Final

from bokeh.io.doc import patch_curdoc
from panel.io.state import set_curdoc

BUILDING_S: Final = 120  # the longest that a page may take until its session is there
LOOK_S: Final = 0.02
ENDED: Final = object()

log = logging.getLogger(__name__)
_turns: set[asyncio.Task[None]] = set()  # the loop itself holds its tasks weakly


class PageGone(Exception):
    """The page was closed, or its server ended: there is nobody to draw for."""


def hand_over(document: Any, callback: Callable[[], Any]) -> None:
    """Run a callback in a turn of its own; safe to call from any thread.

    Turns of one page follow in the order in which they were handed over, once it is built. A
    coroutine that the callback returns keeps the page until it ends.

    Raises:
        PageGone: the page is closed, or its server ended.
    """
    _begin(document, lambda: _turn(document, callback))


def give_aside(document: Any, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    """Run a coroutine that has the page between its waits, and gives it away while it waits.

    Raises:
        PageGone: the page is closed, or its server ended.
    """
    _begin(document, lambda: _aside(document, work))


def _begin(document: Any, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    context = getattr(document, "session_context", None)
    if context is None or context.destroyed:
        raise PageGone
    loop = context.server_context.application_context.io_loop
    try:
        loop.call_soon_threadsafe(_start, work)
    except (AttributeError, RuntimeError) as ended:  # no loop any more, or a closed one
        raise PageGone from ended


def _start(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    task = asyncio.get_running_loop().create_task(work())
    _turns.add(task)
    task.add_done_callback(_ended)


def _ended(task: asyncio.Task[None]) -> None:
    _turns.discard(task)
    if task.cancelled():
        return
    fault = task.exception()
    if isinstance(fault, PageGone):
        log.debug("a page was closed before its turn")
    elif fault is not None:
        log.error("a turn of a page failed", exc_info=fault)


async def _turn(document: Any, callback: Callable[[], Any]) -> None:
    session = await _session(document)
    with set_curdoc(document), patch_curdoc(document):
        await session.with_document_locked(callback)


async def _aside(document: Any, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    session = await _session(document)
    session.block_expiration()  # what was begun is ended, for a page closed meanwhile too
    try:
        with set_curdoc(document), patch_curdoc(document):
            await _in_steps(session, work())
    finally:
        session.unblock_expiration()


async def _session(document: Any) -> Any:
    """Return a page's session; while the page is being built it has none."""
    for _ in range(round(BUILDING_S / LOOK_S)):
        context = document.session_context
        if context is None or context.destroyed:
            break
        if context.session is not None:
            return context.session
        del context
        await asyncio.sleep(LOOK_S)
    raise PageGone


async def _in_steps(session: Any, work: Coroutine[Any, Any, Any]) -> None:
    """Run a coroutine with the document's lock, but for the time that it waits for something."""
    fault: BaseException | None = None
    while True:
        reached = list[Any]()
        await session.with_document_locked(_step, work, fault, reached)
        if not reached:  # the session ended, and with it its lock
            work.close()
            raise PageGone
        if reached[0] is ENDED:
            return
        fault = None
        try:
            await _waited(reached[0])
        except BaseException as it:  # the coroutine's to answer, as where it waits by itself
            fault = it


async def _step(
    work: Coroutine[Any, Any, Any], fault: BaseException | None, reached: list[Any]
) -> None:
    """Go on to what the coroutine waits for next, or to its end."""
    try:
        reached.append(work.send(None) if fault is None else work.throw(fault))
    except StopIteration:
        reached.append(ENDED)


@types.coroutine
def _waited(waits_for: Any) -> Generator[Any, Any, None]:
    yield waits_for
