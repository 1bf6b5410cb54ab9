"""Draws the keys that sign between plant and ERP: what each is called, never a key."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from markupsafe import Markup

from core.erp_key import ErpKey
from dashboards import parts
from dashboards.palette import State
from dashboards.parts import chip, join, local_time, paragraph

TITLES = {
    "send": "Messages to the ERP, signed here",
    "receive": "Receipts of the ERP, checked here",
}
HEAD = ("For", "State", "Newest key", "Since", "Older, still valid", "Until")
ROTATES = "Two keys: rotation under way"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """The live keys of one direction, newest first."""

    direction: str
    ids: tuple[str, ...]
    rotation: ErpKey | None = None


def keys_view(rows: Sequence[KeyRow], zone: ZoneInfo, at: datetime) -> Markup:
    """Return both directions with the ids of their live keys, and how a rotation stands."""
    table = parts.table(
        "Keys between plant and ERP", HEAD,
        [_row(one, zone, at) for one in rows], testid="keys",
        empty="This ERP is reached with its own sign-in; no message is signed with a shared key.",
    )  # fmt: skip
    note = (
        "A key is named by the start of its SHA-256; the key itself is never shown. While two are"
        " live, messages carry both signatures and receipts may carry either. A rotation is begun"
        " and ended at the server: batchwright erp rotate-key, batchwright erp end-key."
    )
    return join(table, paragraph(note, muted=True))


def _row(it: KeyRow, zone: ZoneInfo, at: datetime) -> tuple[object, ...]:
    newest, *older = it.ids
    state = chip(State.INFO, ROTATES) if older else chip(State.OK, "One key")
    held = it.rotation
    if held is not None and held.until is not None and held.until <= at:
        state = chip(State.BAD, "Overdue: end the older")
    told = () if held is None else tuple(key for key in (held.newest, held.older) if key)
    if told and told != it.ids:
        state = chip(State.NEAR, "Restart the server")
    since = "–" if held is None else local_time(held.begun_at, zone, seconds=False)
    until = (
        "–" if held is None or held.until is None else local_time(held.until, zone, seconds=False)
    )
    ids = join(*(Markup("<code>{}</code> ").format(one) for one in older)) if older else "none"
    return TITLES[it.direction], state, Markup("<code>{}</code>").format(newest), since, ids, until
