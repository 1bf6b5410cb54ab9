"""Draws the keys that sign the ledger: which one signs, which did, and which is trusted no more."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from markupsafe import Markup

from core.log_key import KeyUsed, LogKeys, short
from dashboards import parts
from dashboards.palette import State
from dashboards.parts import chip, join, local_time, paragraph

HEAD = ("Key", "State", "Counts up to", "Since", "By", "Why")

type Name = Callable[[str], str]


def log_keys_view(held: LogKeys | None, newest: str, zone: ZoneInfo, *, name: Name) -> Markup:
    """Return the log's keys, the newest first; `held` is None while there was only one."""
    former = () if held is None else held.former
    since = local_time(former[-1].at, zone, seconds=False) if former else "the first entry"
    signs = (_code(newest), chip(State.OK, "Signs now"), "every entry", since, "–", "–")
    rows = [signs, *(_row(one, held, zone, name=name) for one in reversed(former))]
    table = parts.table("Keys that sign the ledger", HEAD, rows, testid="log-keys")
    note = (
        "The log is handed over at the server: batchwright keys rotate. A former key that was"
        " stolen or lost is revoked by two people, one after another, on this page; its later"
        " checkpoints are then refused, and no bundle is believed for its sake."
    )
    return join(table, paragraph(note, muted=True))


def _row(it: KeyUsed, held: LogKeys | None, zone: ZoneInfo, *, name: Name) -> tuple[object, ...]:
    gone, asked = it.revoked, None if held is None else held.proposed
    if gone is not None:
        return (
            _code(it.vkey), chip(State.BAD, f"Revoked: {gone.cause}"), _entries(gone.trusted),
            local_time(gone.at, zone, seconds=False),
            f"{name(gone.proposed_by)} and {name(gone.by)}", gone.why,
        )  # fmt: skip
    state, by, why = chip(State.INFO, "Signed before"), "–", "–"
    if it.recovery:
        state, why = chip(State.NEAR, "Lost"), f"The recovery key {short(it.recovery)} followed."
    if asked is not None and asked.key == it.vkey:
        state, by = chip(State.NEAR, "Second person must agree"), name(asked.by)
        why = f"{asked.cause}, to count up to {_entries(asked.trusted)}: {asked.why}"
    since = local_time(it.at, zone, seconds=False)
    return _code(it.vkey), state, _entries(it.until), since, by, why


def _code(vkey: str) -> Markup:
    return Markup("<code>{}</code>").format(short(vkey))


def _entries(count: int) -> str:
    return f"{count} entries"
