"""What a simulator remembers: JSON records by kind and key, counters, requests; SQLite."""

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
  n INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL,
  UNIQUE (kind, key));
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS request (
  n INTEGER PRIMARY KEY AUTOINCREMENT, method TEXT NOT NULL, path TEXT NOT NULL,
  query TEXT NOT NULL, headers TEXT NOT NULL, body TEXT NOT NULL);
"""


class Work:
    """One transaction: all of it is kept, or nothing."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.has_changed = False  # a question leaves nothing behind

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        """Return one record, None where there is none."""
        row = self._connection.execute(
            "SELECT body FROM record WHERE kind = ? AND key = ?", (kind, key)
        ).fetchone()
        return json.loads(row[0]) if row else None

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Return all records of a kind in the order in which they were made."""
        rows = self._connection.execute(
            "SELECT body FROM record WHERE kind = ? ORDER BY n", (kind,)
        ).fetchall()
        return [json.loads(row[0]) for row in rows]

    def put(self, kind: str, key: str, record: Mapping[str, Any]) -> None:
        """Keep a record; one that stands under the key is replaced in its place."""
        self.has_changed = True
        self._connection.execute(
            "INSERT INTO record (kind, key, body) VALUES (?, ?, ?)"
            " ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body",
            (kind, key, json.dumps(record)),
        )

    def remove(self, kind: str, key: str) -> None:
        """Forget a record."""
        self._connection.execute("DELETE FROM record WHERE kind = ? AND key = ?", (kind, key))

    @contextmanager
    def part(self) -> Iterator[None]:
        """Run a part that may fail alone: nothing of it is kept then, and the rest goes on."""
        self._connection.execute("SAVEPOINT part")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK TO part")
            self._connection.execute("RELEASE part")
            raise
        self._connection.execute("RELEASE part")

    def number(self, name: str, start: int = 1) -> int:
        """Return the next number of a counter without gaps."""
        row = self._connection.execute(
            "INSERT INTO counter VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
            (name, start),
        ).fetchone()
        return int(row[0])

    def log(self, method: str, path: str, **parts: str) -> None:
        """Keep a request as it came; `parts` are its query, headers and body."""
        self._connection.execute(
            "INSERT INTO request (method, path, query, headers, body) VALUES (?, ?, ?, ?, ?)",
            (method, path, parts["query"], parts["headers"], parts["body"]),
        )

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests, oldest first."""
        rows = self._connection.execute(
            "SELECT method, path, query, headers, body FROM request ORDER BY n"
        ).fetchall()
        names = ("method", "path", "query", "headers", "body")
        return [dict(zip(names, row, strict=True)) for row in rows]


class Records:
    """The file; transactions queue."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def work(self) -> Iterator[Work]:
        """Run one transaction: committed at the end, or nothing of it happened."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield Work(self._connection)
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
