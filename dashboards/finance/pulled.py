"""Draws how fresh the ERP's master data is, what was refused, and what is no longer listed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from markupsafe import Markup

from core.clock import parse_iso
from core.master_data import MasterData, spoken
from dashboards import parts
from dashboards.finance import words
from dashboards.palette import State
from dashboards.parts import chip, join, local_time
from erp.pull import PullState

KINDS = {"item": "Items", "bom": "Bills of material", "order": "Orders", "customer": "Customers"}
HEAD = (
    "Kind", "State", "Last good", "Age", "Changed", "New (200)", "Same (304)", "Equal (200)",
    "Failed",
)  # fmt: skip
MOST = 100
SUB = Markup('<span class="sub">{}</span>')


def stale_view(pulls: Sequence[PullState], known: MasterData | None, at: datetime) -> Markup:
    """Return a notice where master data is stale, and whether new orders are released on it."""
    if known is not None and known.is_too_old(at):
        return _told(
            State.BAD, "Master data is too old.", f"{known.says(at)} No new order of the ERP is"
            " released until they are read again; running batches go on.",
        )  # fmt: skip
    stale = [it for it in pulls if it.is_stale]
    if not stale:
        return Markup("")
    kinds = ", ".join(_stale(it) for it in stale)
    limit = "" if known is None else f" New orders rest on it up to {spoken(known.longest)}."
    return _told(State.NEAR, "Master data is stale.", f"{kinds}. The last good stands.{limit}")


def _told(state: State, word: str, text: str) -> Markup:
    return Markup('<div data-testid="stale">{}</div>').format(parts.notice(state, word, text))


def _stale(it: PullState) -> str:
    age = "never read" if it.age_s is None else f"last read {_age(it.age_s)} ago"
    return f"{kind_of(it)}: {age}"


def pulls_view(pulls: Sequence[PullState], zone: ZoneInfo) -> Markup:
    """Return one row for each kind, then the records that need a person."""
    table = parts.table(
        "Master data pulled from the ERP", HEAD, [_pull(it, zone) for it in pulls],
        numbers=("Age", "New (200)", "Same (304)", "Equal (200)", "Failed"),
        empty="Nothing was asked for yet.", testid="pulls",
    )  # fmt: skip
    refused = [(kind_of(it), name, fault) for it in pulls for name, fault in it.refused]
    gone = [(kind_of(it), name, _at(at, zone)) for it in pulls for name, at in it.vanished]
    pieces = [table]
    if refused:
        pieces.append(
            parts.table(
                f"Records that were refused ({len(refused)})",
                ("Kind", "Record", "Why, and what to do"),
                refused[:MOST],
                testid="refused-records",
            )
        )
    if gone:
        pieces.append(
            parts.table(
                f"No longer listed by the ERP ({len(gone)}); what is known of them stays",
                ("Kind", "Record", "Missed since"),
                gone[:MOST],
                testid="vanished",
            )
        )
    return join(*pieces)


def kind_of(it: PullState) -> str:
    """Return what a kind of master data is called."""
    return KINDS.get(it.kind, str(it.kind))


def _pull(it: PullState, zone: ZoneInfo) -> tuple[object, ...]:
    state, word = State.OK, "Fresh"
    if it.age_s is None:
        state, word = State.UNKNOWN, "Never answered"
    elif it.is_stale:
        state, word = State.UNKNOWN, "Stale, last good kept"
    elif it.status == "failed":
        state, word = State.NEAR, "Last try failed"
    how = "changes asked for" if it.cursor_since else "whole page asked for"
    swept = f"{how}; read whole {_at(it.swept_at, zone)}" if it.swept_at else how
    return (
        join(kind_of(it), SUB.format(swept)),
        join(chip(state, word), SUB.format(it.fault) if it.fault else ""),
        _at(it.checked_at, zone),
        "–" if it.age_s is None else _age(it.age_s),
        _at(it.fetched_at, zone),
        words.number(it.count_200),
        words.number(it.count_304),
        words.number(it.count_unchanged),
        words.number(it.count_failed),
    )


def _at(text: str | None, zone: ZoneInfo) -> str:
    at: datetime | None = parse_iso(text) if text else None
    return local_time(at, zone)


def _age(seconds: int) -> str:
    return f"{seconds} s" if seconds < 60 else spoken(timedelta(seconds=seconds))
