"""The newest checkpoint, copied outside the database after each group.

A checkpoint inside the database rolls back with it, silently; only a copy elsewhere shows that.
`newest.note` is replaced before the callers are answered, so a killed process cannot lose it. At
most five times a second it is also kept under its size and forced to the disk, since a force for
every group would cost as much as the commit. The first copy of all is forced at once: a power cut
may tear `newest.note`, and must then find another one. The folder is best on another disk.
"""

import os
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock, Thread

from core.errors import LedgerBroken
from core.ledger.checkpoint import Checkpoint, NoteBroken, Verifier, verify

NEWEST = "newest.note"
FORCED = "[0-9]*.note"
KEPT = 5
SETTLE_MS = 200


class AnchorBroken(LedgerBroken):
    """The database is behind or beside a checkpoint that it once gave out."""

    def __init__(self, file: Path, size: int, why: str) -> None:
        super().__init__(
            f"Anchor {file.name}: holds a checkpoint of {size} entries, and the ledger {why}."
            " Stop, call QA, and restore the newest backup."
        )


class AnchorFolder:
    """The folder of checkpoints beside, not inside, the database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._has_forced = any(folder.glob(FORCED))
        self._due: Checkpoint | None = None
        self._lock = Lock()
        self._wake = Event()
        self._closing = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Start to force copies to the disk in the background."""
        self._thread = Thread(target=self._run, name="ledger-anchor", daemon=True)
        self._thread.start()

    def keep(self, checkpoint: Checkpoint) -> None:
        """Replace the newest copy; it survives the death of this process from here on."""
        with self._lock:
            self._due = checkpoint
        if not self._has_forced:
            self.settle()
        self._replace(self.folder / NEWEST, checkpoint.note, force=False)
        self._wake.set()

    def settle(self) -> None:
        """Force the newest copy to the disk under its own name, and prune older ones."""
        with self._lock:
            checkpoint, self._due = self._due, None
        if checkpoint is None:
            return
        self._replace(self.folder / f"{checkpoint.size:012d}.note", checkpoint.note, force=True)
        self._has_forced = True
        for old in sorted(self.folder.glob(FORCED))[:-KEPT]:
            with suppress(FileNotFoundError):
                old.unlink()

    def close(self) -> None:
        """Force the last copy to the disk and stop."""
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self.settle()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.wait()
            self._wake.clear()
            with suppress(OSError):  # close() and the next keep() say it to a caller
                self.settle()
            self._closing.wait(SETTLE_MS / 1000)

    def _replace(self, path: Path, note: str, *, force: bool) -> None:
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            left = note.encode("utf-8")
            while left:  # a disk that fills up takes a part, and says so only when asked again
                left = left[os.write(descriptor, left) :]
            if force:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(draft, path)
        if force and os.name == "posix":
            folder = os.open(self.folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def checkpoints(self, verifier: Verifier) -> list[tuple[Path, Checkpoint]]:
        """Return the copies that this key signed, the largest first.

        A copy that a power cut left torn is passed over while another one holds.

        Raises:
            LedgerBroken: there are copies, and none of them holds.
        """
        found: list[tuple[Path, Checkpoint]] = []
        faults: list[str] = []
        for path in sorted(self.folder.glob("*.note")):
            if path.name.startswith("."):
                continue
            try:
                found.append((path, verify(path.read_bytes().decode("utf-8"), verifier)))
            except (NoteBroken, UnicodeDecodeError) as fault:
                faults.append(f"{path.name}: {fault}")
        if faults and not found:
            raise LedgerBroken(f"Anchors in {self.folder}: none holds. {' '.join(faults)}")
        return sorted(found, key=lambda pair: pair[1].size, reverse=True)
