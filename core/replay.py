"""Messages that a person has sent to the ERP again: each under its own key, with its own bytes.

The entry says who asked for which messages and why; the relay carries it out once, in the order of
the ledger. What the ERP has booked already it answers with its first documents.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from core.clock import iso
from core.errors import Refused
from core.fact import Command, Context, Event, Fact, Facts, Plant, Recorded, need
from core.order import Order
from core.quantity import Name, Sentence, Utc

MOST = 200  # named one by one; more are chosen by order or time


class ReplayMessages(Command, frozen=True, kw_only=True, tag="message.replay"):
    """Send messages again: those named, or all of an order, of a time, or of an order in a time.

    A time is when the message was made: from `since`, before `until`; None is open, and `until`
    never reaches past the moment of the command.
    """

    messages: tuple[Name, ...] = ()
    order: Name | None = None
    since: Utc | None = None
    until: Utc | None = None
    why: Sentence


class ReplayOrdered(Event, frozen=True, kw_only=True, tag="message.replay-ordered"):
    """These messages go out again; `until` is never open."""

    messages: tuple[str, ...]
    order: str | None
    since: Utc | None
    until: Utc
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replays:
    """Every replay of a plant, by its entry."""

    KIND: ClassVar[str] = "replay"
    plant: str
    seqs: tuple[int, ...] = ()


class NothingChosen(Refused):
    """Without a choice everything would go out again."""

    def __init__(self) -> None:
        super().__init__(
            "Replay: names no message, no order and no time. Give one, so that not everything is"
            " sent again."
        )


class ChosenTwice(Refused):
    """Messages named one by one need no order and no time."""

    def __init__(self) -> None:
        super().__init__(
            "Replay: names messages and an order or a time. Give the messages alone, or the others."
        )


class TooManyNamed(Refused):
    """A long list is chosen by order or time."""

    def __init__(self, count: int) -> None:
        super().__init__(
            f"Replay: names {count} messages, at most {MOST}. Choose them by order or time.",
            count=count,
        )


class EmptyTime(Refused):
    """A time that ends before it begins."""

    def __init__(self, since: datetime, until: datetime) -> None:
        super().__init__(
            f"Replay: since {iso(since)} is not before {iso(until)}. Give an earlier start.",
            since=iso(since),
            until=iso(until),
        )


def decide(plant: Plant, it: ReplayMessages, context: Context) -> Facts:
    """Return the order to send messages again, or refuse it.

    Raises:
        NothingChosen, ChosenTwice, TooManyNamed, EmptyTime: the choice is none.
        Unknown: there is no such order.
    """
    by_time = it.since is not None or it.until is not None
    if not it.messages and it.order is None and not by_time:
        raise NothingChosen
    if it.messages and (it.order is not None or by_time):
        raise ChosenTwice
    if len(it.messages) > MOST:
        raise TooManyNamed(len(it.messages))
    if it.order is not None:
        need(plant, Order, it.order)
    until = min(it.until or context.at, context.at)
    if it.since is not None and it.since >= until:
        raise EmptyTime(it.since, until)
    ordered = ReplayOrdered(
        messages=tuple(dict.fromkeys(it.messages)),
        order=it.order,
        since=it.since,
        until=until,
        why=it.why,
    )
    return (Fact(f"{Replays.KIND}/{context.plant}", ordered, it.why),)


def apply(replays: Replays | None, fact: Recorded) -> Replays:
    """Fold one replay."""
    assert isinstance(fact.event, ReplayOrdered), fact
    before = replays.seqs if replays is not None else ()
    plant = fact.stream.partition("/")[2]
    return Replays(plant=plant, seqs=(*before, fact.seq))
