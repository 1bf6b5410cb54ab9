"""The ledger as it is read: entries in order, streams, checkpoints and proofs.

Everything here is safe to call from any thread and never waits for the writer.
"""

from pathlib import Path
from threading import Lock
from typing import Any

from core.errors import LedgerBroken
from core.ledger import tables
from core.ledger.checkpoint import Checkpoint
from core.ledger.driver import fetch
from core.ledger.entry import Entry, decode
from core.ledger.merkle import TILE, Tree
from core.ledger.postgres import PostgresStore
from core.ledger.sqlite import SqliteStore
from core.ledger.tables import (
    AnchorRow,
    EntryRow,
    Head,
    ReceiptRow,
    Store,
    StoreFailed,
    StoreUnsafe,
)

__all__ = [
    "AnchorRow", "EntryRow", "Head", "Ledger", "ReceiptRow", "Store", "StoreFailed", "StoreUnsafe",
    "open_ledger", "open_store",
]  # fmt: skip
FILE_NAME = "ledger.db"


class Ledger:
    """The read side of one plant's ledger."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._tree = Tree(self._leaves)
        self._tree_lock = Lock()

    def close(self) -> None:
        self.store.close()

    def _all(self, statement: str, *values: object) -> list[Any]:
        with self.store.reading() as connection:
            found = connection.exec_driver_sql(self.store.sql(statement), values).fetchall()
        return list(found)

    def size(self) -> int:
        """Return the number of committed entries, which is the last `seq`."""
        [(size,)] = self._all(tables.SIZE)
        assert isinstance(size, int)
        return size

    def entries(self, after: int = 0, limit: int = 1000) -> list[Entry]:
        """Return up to `limit` entries with `seq` above `after`, in order."""
        return [decode(body) for (body,) in self._all(tables.BODIES, after, limit)]

    def raw(self, after: int = 0, limit: int = 1000) -> list[tuple[int, bytes]]:
        """Return up to `limit` pairs of `seq` and stored bytes, in order."""
        return [(seq, bytes(body)) for seq, body in self._all(tables.RAW, after, limit)]

    def rows(self, after: int = 0, limit: int = 1000) -> list[EntryRow]:
        """Return up to `limit` whole rows, for those who check what is stored."""
        return [EntryRow(*row) for row in self._all(tables.ROWS, after, limit)]

    def entry(self, seq: int) -> Entry | None:
        """Return one entry, None if there is no such number."""
        found = self.entries(seq - 1, 1)
        return found[0] if found and found[0].seq == seq else None

    def stream(self, name: str) -> list[Entry]:
        """Return all entries of a stream in order, none if it does not exist."""
        return [decode(body) for (body,) in self._all(tables.STREAM, name)]

    def stream_raw(self, name: str) -> list[tuple[int, bytes]]:
        """Return `seq` and stored bytes of all entries of a stream, in order."""
        return [(seq, bytes(body)) for seq, body in self._all(tables.STREAM_RAW, name)]

    def by_stream(
        self, after: tuple[str, int], last: str, limit: int
    ) -> list[tuple[str, int, int, bytes]]:
        """Return up to `limit` of stream, version, `seq` and stored bytes, stream by stream.

        `after` is the stream and version before the first one, `last` the last stream wanted.
        """
        with self.store.reading() as connection:
            return fetch(connection, self.store.sql(tables.BY_STREAM), (*after, last, limit))

    def last_stream(self) -> str | None:
        """Return the last stream in the database's order of names, None for an empty ledger."""
        [(found,)] = self._all(tables.LAST_STREAM)
        return None if found is None else str(found)

    def stream_after(self, name: str, count: int) -> str | None:
        """Return the `count`-th stream after this name, None where there are fewer."""
        found = self._all(tables.STREAM_AFTER, name, count - 1)
        return str(found[0][0]) if found else None

    def head(self, stream: str) -> Head | None:
        """Return the version and leaf hash of a stream's last entry."""
        found = self._all(tables.HEAD, stream)
        return Head(found[0][0], bytes(found[0][1]).hex()) if found else None

    def leaf_of(self, stream: str, ver: int) -> bytes | None:
        """Return the leaf hash of a stream's entry at a version, None where there is none."""
        found = self._all(tables.LEAF_OF, stream, ver)
        return bytes(found[0][0]) if found else None

    def receipt(self, idem: str) -> ReceiptRow | None:
        """Return what a command id was answered with, None if it was never committed."""
        found = self._all(tables.RECEIPT, idem)
        return ReceiptRow(*found[0]) if found else None

    def anchors(self) -> list[AnchorRow]:
        """Return the places outside that confirmed a checkpoint, the smallest size first."""
        return [AnchorRow(*row) for row in self._all(tables.ANCHORS)]

    def checkpoint(self) -> Checkpoint | None:
        """Return the newest signed checkpoint, None for an empty ledger."""
        found = self._all(tables.NEWEST_CHECKPOINT)
        return Checkpoint(*found[0]) if found else None

    def checkpoint_for(self, seq: int) -> Checkpoint | None:
        """Return the first signed checkpoint that covers an entry."""
        found = self._all(tables.CHECKPOINT_AT, seq)
        return Checkpoint(*found[0]) if found else None

    def root(self, size: int) -> bytes:
        """Return the root that the log had at `size`."""
        with self._tree_lock:
            self._follow(size)
            return self._tree.root(size)

    def inclusion_proof(self, seq: int, size: int) -> list[bytes]:
        """Return the path that proves entry `seq` in the tree of `size`.

        Raises:
            ValueError: the entry is not in that tree.
        """
        with self._tree_lock:
            self._follow(size)
            return self._tree.inclusion_proof(seq - 1, size)

    def consistency_proof(self, old: int, new: int) -> list[bytes]:
        """Return the nodes that prove the tree of `old` to be a prefix of the tree of `new`.

        Raises:
            ValueError: `old` is larger than `new`.
        """
        with self._tree_lock:
            self._follow(new)
            return self._tree.consistency_proof(old, new)

    def _follow(self, size: int) -> None:
        if size // TILE <= self._tree.tile_count:
            return
        for index, root in self._all(tables.TILES, self._tree.tile_count):
            if index != self._tree.tile_count:
                raise LedgerBroken(f"Ledger: tile {index} does not follow. Stop, call QA.")
            self._tree.add_tile(bytes(root))

    def _leaves(self, low: int, high: int) -> list[bytes]:
        return [bytes(leaf) for (leaf,) in self._all(tables.LEAVES, low, high)]


def open_store(where: str | Path) -> Store:
    """Return the home that a URL, a database file or a data folder names; nothing is opened yet."""
    text = str(where)
    if text.startswith(("postgresql:", "postgresql+psycopg:")):
        return PostgresStore(text)
    if text.startswith("sqlite:///"):
        return SqliteStore(Path(text.removeprefix("sqlite:///")))
    if ":" in text.split("/", 1)[0] and "//" in text:
        raise ValueError(f"{text.split(':', 1)[0]}: the ledger lives in sqlite or postgresql.")
    path = Path(text)
    return SqliteStore(path / FILE_NAME if path.is_dir() else path)


def open_ledger(where: str | Path) -> Ledger:
    """Return the read side of the ledger at a URL, a database file or a data folder."""
    return Ledger(open_store(where))
