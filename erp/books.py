"""Follows the ERP's books: what is added at once, everything again on a slower cadence."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from erp.port import ErpAdapter, ErpOrder, Kind, Scope, Validators
from erp.reconcile import PostingRow, posting_row

LINES = 20_000  # what one look reads at most
ORDERS = 20  # orders whose books are read one by one
SWEEP_SHARE = 20  # reading everything again takes at most one part in twenty of the time


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Lines of the ERP's books: all after one and up to another, or all of some orders.

    `upto` is None at the end of the books.
    """

    lines: tuple[PostingRow, ...]
    after: int = 0
    upto: int | None = None
    orders: tuple[str, ...] | None = None


class BookReader:
    """The ERP's books: what is added at once, everything again on a slower cadence.

    Where the ERP's own numbers only grow, what is new stands after the last line read; elsewhere
    the orders of new receipts are read. A line that was changed by hand is found by the sweep.
    """

    def __init__(self, port: ErpAdapter) -> None:
        self._port = port
        self._last = self._swept = 0
        self._first = True
        self._took_s, self._swept_s = 0.0, -1e9
        self._validators: Validators | None = None

    def read(self, orders: Iterable[str], *, sweep: bool) -> tuple[list[Part], bool]:
        """Return what is new, and whether there is more to read before the books are whole.

        Args:
            orders: the ERP's numbers of orders whose messages have moved.
            sweep: whether everything may be read again.

        Raises:
            ErpUnreachable: no answer, or a line that cannot be read; the position stands.
        """
        if self._first:
            part = self._slice(self._last)
            self._first = part.upto is not None
            return [part], self._first
        parts = []
        names = sorted(set(orders))
        if self._port.profile.ledger_grows:
            parts.append(self._slice(self._last))
        elif names and len(names) <= ORDERS:
            lines = [row for name in names for row in self._rows(Scope(order=name))]
            parts.append(Part(lines=tuple(lines), orders=tuple(names)))
        elif names:
            return [self._sweep(whole=True)], False
        if sweep and time.monotonic() - self._swept_s >= SWEEP_SHARE * self._took_s:
            parts.append(self._sweep(whole=not self._port.profile.ledger_grows))
        return parts, False

    def states(self) -> list[tuple[str, str]] | None:
        """Return the ERP's orders with their states, None where they are as they were."""
        page = self._port.pull(Kind.ORDER, None, self._validators)
        if page.records is None:
            return None
        self._validators = page.validators
        return [(it.id, str(it.state)) for it in page.records if isinstance(it, ErpOrder)]

    def marks(self) -> dict[str, int | None]:
        """Return where it stands; no line where the books were not read whole yet."""
        return {"last": None if self._first else self._last}

    def restore(self, marks: Mapping[str, int | None]) -> None:
        """Stand where it stood; what was read before is read again by the sweeps."""
        if marks["last"] is not None:
            self._last, self._first = marks["last"], False

    def again(self) -> None:
        """Have everything read again: the ERP was away, and may have come back as another."""
        self._swept, self._swept_s = 0, -1e9

    def _rows(self, scope: Scope) -> Iterator[PostingRow]:
        return (posting_row(line, self._port.profile) for line in self._port.ledger(scope))

    def _slice(self, after: int) -> Part:
        """Return the lines after one, as many as one look reads."""
        rows = self._rows(Scope(after=after))
        # Only where numbers grow can a reading be broken off: elsewhere it is whole.
        lines = tuple(islice(rows, LINES) if self._port.profile.ledger_grows else rows)
        upto = lines[-1].seq if self._port.profile.ledger_grows and len(lines) == LINES else None
        self._last = max(self._last, max((line.seq for line in lines), default=0))
        return Part(lines=lines, after=after, upto=upto)

    def _sweep(self, *, whole: bool) -> Part:
        began = time.monotonic()
        part = self._slice(0 if whole else self._swept)
        self._swept = part.upto or 0
        self._swept_s = time.monotonic()
        self._took_s = self._swept_s - began
        return part
