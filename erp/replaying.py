"""Which messages go out again: named, of an order, or made in a time. Ids and bytes stay.

What was never tried is no replay: it goes out by itself, and what the policy gathers keeps waiting.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, true, update
from sqlalchemy.engine import Connection

from core.clock import iso, parse_iso
from erp import tables
from erp.rows import State

message = tables.message
AGAIN = (State.DEAD, State.UNKNOWN, State.PENDING, State.DONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a person chose: the messages named, else all of an order made in a time.

    `since` is taken in, `until` is not.
    """

    messages: tuple[str, ...] = ()
    order: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """What a choice covers: how many messages of how many orders, and when they were made."""

    messages: int
    orders: int
    first: str | None
    last: str | None


def choice_in(data: Mapping[str, Any]) -> Choice:
    """Return the choice that an entry `message.replay-ordered` states."""
    return Choice(
        messages=tuple(data["messages"]),
        order=data["order"],
        since=parse_iso(data["since"]) if data["since"] else None,
        until=parse_iso(data["until"]),
    )


def _chosen(choice: Choice, before: int | None) -> ColumnElement[bool]:
    tried = or_(message.c.state != State.PENDING, message.c.last_code.is_not(None))
    parts: list[ColumnElement[bool]] = [message.c.state.in_(AGAIN), tried]
    if before is not None:
        parts.append(message.c.entry_seq < before)
    if choice.messages:
        return and_(*parts, message.c.event_id.in_(choice.messages))
    parts.append(message.c.lane == choice.order if choice.order is not None else true())
    if choice.since is not None:
        parts.append(message.c.made_at >= iso(choice.since))
    if choice.until is not None:
        parts.append(message.c.made_at < iso(choice.until))
    return and_(*parts)


def covering(choice: Choice) -> Select[Any, Any, Any, Any]:
    """Return the question what would be sent again now, as the fields of `Covered`."""
    return select(
        func.count().label("messages"),
        func.count(message.c.lane.distinct()).label("orders"),
        func.min(message.c.made_at).label("first"),
        func.max(message.c.made_at).label("last"),
    ).where(_chosen(choice, None))


def send_again(connection: Connection, choice: Choice, *, before: int, at: datetime) -> int:
    """Make the chosen messages of facts before an entry due again; return how many."""
    again = (
        update(message)
        .where(_chosen(choice, before))
        .values(state=State.PENDING, attempts=0, due_at=iso(at))
    )
    return connection.execute(again).rowcount
