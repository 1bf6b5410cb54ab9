"""A read-only copy of the projection, in which nothing can be written, loaded or configured.

The linter refuses hostile SQL; this refuses what the linter might miss.
"""

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from analytics.projector import Projector, Watermark
from analytics.store import OFFLINE


class Snapshot:
    """A read-only copy of the certified relations at one watermark."""

    def __init__(self, projector: Projector) -> None:
        with tempfile.TemporaryDirectory(prefix="batchwright-") as folder:
            path = str(Path(folder) / "snapshot.duckdb")
            self.watermark: Watermark = projector.publish(path)
            # the open file stays readable after its name is gone
            self.connection = duckdb.connect(
                path,
                read_only=True,
                config={
                    "enable_external_access": "false",
                    "memory_limit": "512MB",
                    "threads": "2",
                    "allow_community_extensions": "false",
                    **OFFLINE,
                },
            )
        self.connection.execute("set global timezone = 'UTC'")
        self.connection.execute("set lock_configuration = true")
        self.made_s = time.monotonic()

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give one query its own cursor."""
        cursor = self.connection.cursor()
        try:
            yield cursor
        finally:
            cursor.close()


@contextmanager
def limited(cursor: duckdb.DuckDBPyConnection, limit_s: float) -> Iterator[None]:
    """Interrupt what runs on a cursor once its time is over, until it has stopped.

    Once is not enough: an interrupt between planning and running is forgotten.
    """
    done = threading.Event()

    def watch() -> None:
        if not done.wait(limit_s):
            while not done.is_set():
                cursor.interrupt()
                done.wait(0.05)

    watcher = threading.Thread(target=watch, name="book-limit", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
