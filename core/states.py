"""The plant while a command is decided: folded states, under the writer's lock or as committed."""

from collections.abc import Sequence
from typing import Any

from core.catalogue import NOUNS
from core.fact import Head, State
from core.ledger.entry import Entry
from core.ledger.store import Ledger
from core.ledger.tables import Statement
from core.ledger.writer import View
from core.projections import verifications
from core.projections.nouns import Nouns, Row, recorded, statements


class Committed:
    """The plant as of the last commit, for what is decided on trial."""

    def __init__(self, nouns: Nouns, ledger: Ledger) -> None:
        self._nouns, self._ledger = nouns, ledger

    def get[S: State](self, noun: type[S], name: str) -> S | None:
        return self._nouns.get(noun, name)

    def head(self, stream: str) -> Head:
        head = self._ledger.head(stream)
        return Head(0, None) if head is None else Head(head.ver, head.leaf)


class UnderLock:
    """The plant while one command is decided: states of this group over committed ones."""

    def __init__(self, states: "States", view: View) -> None:
        self._states, self._view = states, view

    def get[S: State](self, noun: type[S], name: str) -> S | None:
        state: S | None = self._states.read(f"{noun.KIND}/{name}")
        return state

    def head(self, stream: str) -> Head:
        head = self._view.head(stream)
        return Head(0, None) if head is None else Head(head.ver, head.leaf)


class States:
    """Folded states, kept in step with the ledger as the writer's hooks.

    A state is read from memory, else from the committed projection, which cannot be stale:
    whoever reads here holds the ledger's lock, and states of the open group are in memory.
    """

    LIMIT = 20_000

    def __init__(self, nouns: Nouns, ledger: Ledger) -> None:
        self._nouns, self._ledger = nouns, ledger
        self._rows: dict[str, Row | None] = {}
        self._dirty: set[str] = set()
        self._before: dict[str, Row | None] = {}
        self._dirty_before: set[str] = set()

    def read(self, stream: str) -> Any:
        """Return a stream's state, or None."""
        row = self._row(stream)
        return None if row is None else row.state

    def _row(self, stream: str) -> Row | None:
        if stream not in self._rows:
            self._rows[stream] = self._nouns.row(stream)
        return self._rows[stream]

    def appended(self, view: View, entries: Sequence[Entry]) -> None:
        self._before = {entry.stream: self._row(entry.stream) for entry in entries}
        self._dirty_before = set(self._dirty)
        if any(entry.type == verifications.VERIFIED for entry in entries):
            verifications.write(view.connection, self._ledger.store, entries)
        for entry in entries:
            row = self._row(entry.stream)
            apply = NOUNS[entry.stream.split("/", 1)[0]].apply
            state = apply(None if row is None else row.state, recorded(entry))
            self._rows[entry.stream] = Row(entry.stream, entry.ver, entry.seq, state)
            self._dirty.add(entry.stream)

    def foreign(self, view: View, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._rows.pop(entry.stream, None)

    def flush(self, view: View) -> list[Statement]:
        rows = [row for stream in sorted(self._dirty) if (row := self._rows[stream]) is not None]
        self._dirty.clear()
        if len(self._rows) > self.LIMIT:
            self._rows.clear()
        return statements(rows, upto_seq=view.size)

    def dropped(self, streams: frozenset[str] | None) -> None:
        if streams is None:
            self._rows.clear()
            self._dirty.clear()
        else:  # only the newest command was undone; earlier ones of its group still stand
            self._rows.update(self._before)
            self._dirty = self._dirty_before
