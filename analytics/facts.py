"""From ledger entries to rows of the projection: pure, one function per entry type.

Quantities stay decimals, times become microseconds. History is never refused: an entry that
does not fit becomes a row of `fault`.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from core.clock import micros, parse_iso
from core.ledger.entry import Entry

PLACES = 9  # decimal places that the tables keep
WHOLE = 19  # digits before the point

type Row = tuple[Any, ...]
type Rows = Iterator[tuple[str, Row]]


class Inexact(ValueError):
    """A stored quantity has more digits than the tables keep."""


def quantity(text: str | None) -> Decimal | None:
    """Return a stored decimal, exactly.

    Raises:
        Inexact: it has more digits than the tables keep.
    """
    if text is None:
        return None
    value = Decimal(text)
    if not value.is_finite() or value != round(value, PLACES) or abs(value) >= 10**WHOLE:
        raise Inexact(f"{text}: more than {WHOLE} digits before or {PLACES} after the point.")
    return value


class Place:
    """An entry with its instant, and the plant's calendar day of it."""

    def __init__(self, entry: Entry, zone: ZoneInfo) -> None:
        at = parse_iso(entry.at)
        self.entry, self.data = entry, entry.data
        self.at_us = micros(at)
        self.day = at.astimezone(zone).date()

    def get(self, *names: str) -> Row:
        """Return fields of the entry's body, None where it has none."""
        return tuple(self.data.get(name) for name in names)

    def quantities(self, *names: str) -> Row:
        """Return decimal fields of the entry's body."""
        return tuple(quantity(self.data.get(name)) for name in names)


def _weighing(it: Place) -> Rows:
    names = ("batch", "step", "material", "lot", "container", "scale")
    weights = ("net_g", "gross_g", "tare_g", "sum_g", "target_g", "low_g", "high_g")
    person = (it.entry.actor, it.at_us, it.day)
    rest = it.get("within", "last")
    yield "weighing", (it.entry.seq, *it.get(*names), *person, *it.quantities(*weights), *rest)


def _deviation_opened(it: Place) -> Rows:
    names = ("deviation", "batch", "step", "kind", "severity", "says", "why")
    lots = ", ".join(it.data.get("lots") or ())
    tail = (lots, it.data.get("scale"), it.entry.actor, it.at_us, it.day)
    yield "deviation", (it.entry.seq, *it.get(*names), *tail)


def _deviation_event(it: Place) -> Rows:
    fields = it.get("disposition", "assessment")
    who = (it.entry.actor, it.at_us)
    yield (
        "deviation_event",
        (it.entry.seq, it.data["deviation"], it.entry.type, *fields, *who),
    )


def _refusal(it: Place) -> Rows:
    names = ("subject", "command", "rule", "says")
    step = (it.data.get("facts") or {}).get("step")
    who = (it.entry.actor, it.entry.station, it.at_us, it.day)
    yield "refusal", (it.entry.seq, *it.get(*names), step, *who)


def _batch(it: Place) -> Rows:
    content, seq, batch = it.data["content"], it.entry.seq, it.data["batch"]
    head = it.get("batch", "order", "erp_order", "room", "recipe")
    product = (content["product"], content.get("product_name"))
    size = (quantity(content.get("quantity")), content.get("unit"))
    yield "batch", (seq, *head, *product, *size, it.at_us, it.day)
    for n, step in enumerate(content.get("steps", ()), 1):
        names = ("phase", "title", "kind", "material", "work_center")
        yield "step", (seq, batch, step["step"], n, *(step.get(name) for name in names))


def _batch_event(it: Place) -> Rows:
    fields = it.get("step", "says")
    who = (it.entry.actor, it.at_us, it.day)
    yield "batch_event", (it.entry.seq, it.data["batch"], it.entry.type, *fields, *who)
    if it.entry.type == "step.completed":
        row = (it.entry.seq, it.data["batch"], it.data["step"], it.at_us, it.day)
        yield "step_done", row


def _order_event(it: Place) -> Rows:
    size = (quantity(it.data.get("quantity")), it.data.get("unit"), it.at_us)
    fields = it.get("batch", "product")
    yield "order_event", (it.entry.seq, it.data["order"], it.entry.type, *fields, *size)


def _signature(it: Place) -> Rows:
    manifest = it.data["manifest"]
    names = ("record", "ver", "step", "meaning", "signer", "name")
    row = tuple(manifest.get(name) for name in names)
    yield "signature", (it.entry.seq, *row, it.at_us, it.day)


def _stop_label(it: Place) -> Rows:
    end_us = it.data.get("end_us")
    span = (it.data["line"], it.data["start_us"], end_us, end_us)
    row = (*span, *it.get("reason", "category"), it.entry.actor, it.at_us)
    yield "stop_label", (it.entry.seq, *row)


def _run(it: Place) -> Rows:
    started = it.entry.type == "run.started"
    row = (*it.get("line", "order", "batch", "product"), started, it.at_us)
    yield "run", (it.entry.seq, *row)


READERS: dict[str, Callable[[Place], Rows]] = {
    "weighing.weight-recorded": _weighing,
    "deviation.opened": _deviation_opened,
    "deviation.dispositioned": _deviation_event,
    "deviation.closed": _deviation_event,
    "attempt.refused": _refusal,
    "batch.created": _batch,
    "signature.applied": _signature,
    "stop.labeled": _stop_label,
    "run.started": _run,
    "run.ended": _run,
    **dict.fromkeys(
        (
            "step.started", "step.completed", "step.verified", "batch.held", "batch.resumed",
            "batch.completed", "batch.released", "batch.rejected", "batch.closed",
            "batch-exception.raised", "batch-exception.reviewed", "audit-trail.reviewed",
        ),
        _batch_event,
    ),
    **dict.fromkeys(
        (
            "work-order.received", "work-order.revised", "work-order.made-ready",
            "work-order.dispatched", "work-order.started", "work-order.held",
            "work-order.resumed", "work-order.completed",
        ),
        _order_event,
    ),
}  # fmt: skip


def rows_of(entry: Entry, zone: ZoneInfo) -> list[tuple[str, Row]]:
    """Return (table, row) pairs of one entry: always its own, and what its type adds."""
    it = Place(entry, zone)
    own = (entry.seq, entry.stream, entry.type, it.at_us, it.day)
    rows = [("entry", (*own, entry.actor, entry.station, entry.reason))]
    read = READERS.get(entry.type)
    if read is None:
        return rows
    try:
        return rows + list(read(it))
    except (KeyError, TypeError, ValueError, ArithmeticError) as fault:
        says = f"{type(fault).__name__}: {fault}"
        return [*rows, ("fault", (entry.seq, entry.type, says))]
