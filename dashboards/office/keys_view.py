"""Draws the keys that sign between plant and ERP: what each is called, never a key."""

from collections.abc import Callable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from markupsafe import Markup

from dashboards import parts
from dashboards.office.keys import TITLES, KeyRow
from dashboards.palette import State
from dashboards.parts import chip, join, local_time, notice, paragraph

HEAD = ("For", "State", "Newest key", "Since", "Older, still valid", "Until")
ROTATES = "Two keys: both are valid"
NOTE = (
    "A key is named by the start of its SHA-256; the key itself is never shown. While two are live,"
    " messages carry both signatures and receipts may carry either, so none is lost. Two people"
    " sign each step, and the server takes it up while it runs. A key that has ended still proves"
    " the receipts that it signed."
)


def keys_view(
    rows: Sequence[KeyRow],
    zone: ZoneInfo,
    at: datetime,
    *,
    person: Callable[[str], str] = str,
) -> Markup:
    """Return both directions with the names of their live keys, and how a rotation stands."""
    table = parts.table(
        "Keys between plant and ERP", HEAD,
        [_row(one, zone, at) for one in rows], testid="keys",
        empty="This ERP is reached with its own sign-in; no message is signed with a shared key.",
    )  # fmt: skip
    waits = [_proposal(one, person) for one in rows if one.proposed is not None]
    return join(*waits, table, paragraph(NOTE, muted=True))


def _proposal(it: KeyRow, person: Callable[[str], str]) -> Markup:
    """Return what waits for a second person."""
    assert it.proposed is not None
    assert it.held is not None
    key = code(it.proposed.key)
    if it.proposed.step == "end":
        what = join("key ", key, " ends at once")
    else:
        what = join("key ", key, f" begins, and both live for {it.proposed.days} days")
    who = person(it.held.proposed_by or "")
    text = join(f"{TITLES[it.direction]}: {who} proposes that ", what, ".")
    return notice(State.NEAR, "A second person must agree.", text)


def code(key: str) -> Markup:
    """Return a key's name."""
    return Markup("<code>{}</code>").format(key)


def _row(it: KeyRow, zone: ZoneInfo, at: datetime) -> tuple[object, ...]:
    newest, *older = it.stand.live
    state = chip(State.INFO, ROTATES) if older else chip(State.OK, "One key")
    held = it.held
    if held is not None and held.until is not None and held.until <= at:
        state = chip(State.BAD, "Overdue: end the older")
    told = () if held is None or held.begun_at is None else (held.newest, held.older)
    if told and tuple(key for key in told if key) != it.stand.live:
        state = chip(State.NEAR, "Is being taken up")
    if it.stand.missing:
        state = chip(State.BAD, f"Not kept here: {', '.join(it.stand.missing)}")
    began = None if held is None else held.begun_at
    until = None if held is None else held.until
    return (
        TITLES[it.direction],
        state,
        code(newest),
        "–" if began is None else local_time(began, zone, seconds=False),
        join(*(code(one) for one in older)) if older else "none",
        "–" if until is None else local_time(until, zone, seconds=False),
    )
