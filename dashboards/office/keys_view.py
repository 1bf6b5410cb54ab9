"""Draws the keys that sign between plant and ERP: what each is called, never a key."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dashboards import parts
from dashboards.palette import State
from dashboards.parts import chip, join, paragraph

TITLES = {
    "send": "Messages to the ERP, signed here",
    "receive": "Receipts of the ERP, checked here",
}
ROTATES = "Two keys: rotation under way"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """The live keys of one direction, newest first."""

    direction: str
    ids: tuple[str, ...]


def keys_view(rows: Sequence[KeyRow]) -> Markup:
    """Return both directions with the ids of their live keys."""
    table = parts.table(
        "Keys between plant and ERP", ("For", "State", "Newest key", "Older, still valid"),
        [_row(one) for one in rows], testid="keys",
        empty="This ERP is reached with its own sign-in; no message is signed with a shared key.",
    )  # fmt: skip
    note = (
        "A key is named by the start of its SHA-256; the key itself is never shown. While two are"
        " live, messages carry both signatures and receipts may carry either."
    )
    return join(table, paragraph(note, muted=True))


def _row(it: KeyRow) -> tuple[object, ...]:
    newest, *older = it.ids
    state = chip(State.NEAR, ROTATES) if older else chip(State.OK, "One key")
    ids = join(*(Markup("<code>{}</code> ").format(one) for one in older)) if older else "none"
    return TITLES[it.direction], state, Markup("<code>{}</code>").format(newest), ids
