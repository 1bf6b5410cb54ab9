"""The newest checkpoint, copied outside the database after each group.

A checkpoint inside the database rolls back with it, silently; only a copy elsewhere shows that.
`newest.note` is written before the callers are answered, so a killed process cannot lose it; it is
written over in place, since to replace a file costs the file system as much as the commit. At most
five times a second it is forced to the disk, since a force for every group would cost that too; and
every few seconds a copy is kept under its size. The first copy of all is forced at once: should a
power cut tear `newest.note`, there is another one. The folder is best on another disk.
"""

import os
import time
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock, Thread

from core.errors import LedgerBroken
from core.ledger.checkpoint import (
    Checkpoint,
    KeyEnded,
    KeyRevoked,
    NoteBroken,
    Verifier,
    verify,
)

NEWEST = "newest.note"
FORCED = "[0-9]*.note"
KEPT = 5
SETTLE_MS = 200
COPY_NS = 5_000_000_000
_force = getattr(os, "fdatasync", os.fsync)


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
        self._newest: int | None = None

    def start(self) -> None:
        """Start to force copies to the disk in the background."""
        self._thread = Thread(target=self._run, name="ledger-anchor", daemon=True)
        self._thread.start()

    def keep(self, checkpoint: Checkpoint) -> None:
        """Write the newest copy; it survives the death of this process from here on.

        A note is shorter than a sector of a disk, so that it is there as a whole or not at all.
        """
        with self._lock:
            self._due = checkpoint
        if not self._has_forced:
            self.settle()
        note = checkpoint.note.encode("utf-8")
        if self._newest is None:
            self._newest = os.open(self.folder / NEWEST, os.O_WRONLY | os.O_CREAT, 0o644)
        os.lseek(self._newest, 0, os.SEEK_SET)
        _write(self._newest, note)
        if os.lseek(self._newest, 0, os.SEEK_END) != len(note):  # a stat would date each write
            os.ftruncate(self._newest, len(note))
        if not self._wake.is_set():  # else it is about to force what was written just now
            self._wake.set()

    def settle(self) -> None:
        """Force the newest copy to the disk under its own name, and prune older ones."""
        with self._lock:
            checkpoint, self._due = self._due, None
        if checkpoint is None:
            return
        try:
            self._copy(self.folder / f"{checkpoint.size:012d}.note", checkpoint.note)
        except OSError:
            self._still_due(checkpoint)
            raise
        self._has_forced = True
        for old in sorted(self.folder.glob(FORCED))[:-KEPT]:
            with suppress(FileNotFoundError):
                old.unlink()

    def _still_due(self, checkpoint: Checkpoint) -> None:
        """Remember what was not copied, unless a newer one has come: whoever closes hears of it."""
        with self._lock:
            self._due = self._due or checkpoint

    def close(self) -> None:
        """Force the last copy to the disk and stop."""
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        try:
            self.settle()
        finally:
            if self._newest is not None:
                os.close(self._newest)
                self._newest = None

    def _run(self) -> None:
        copy_at = time.monotonic_ns()
        while not self._closing.is_set():
            self._wake.wait()
            self._wake.clear()
            with suppress(OSError):  # close() and the next keep() say it to a caller
                if time.monotonic_ns() >= copy_at:
                    self.settle()
                    copy_at = time.monotonic_ns() + COPY_NS
                elif self._newest is not None:
                    _force(self._newest)
            self._closing.wait(SETTLE_MS / 1000)

    def _copy(self, path: Path, note: str) -> None:
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            _write(descriptor, note.encode("utf-8"))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(draft, path)
        if os.name == "posix":
            folder = os.open(self.folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def checkpoints(self, verifier: Verifier) -> list[tuple[Path, Checkpoint]]:
        """Return the copies that this key signed, the largest first.

        A copy that a power cut left torn is passed over while another one holds.

        Raises:
            AnchorBroken: a former key signed a copy of more entries than it had when it ended.
            LedgerBroken: there are copies, and none of them holds.
        """
        found: list[tuple[Path, Checkpoint]] = []
        faults: list[str] = []
        for path in sorted(self.folder.glob("*.note")):
            if path.name.startswith("."):
                continue
            try:
                found.append((path, _read(path, verifier)))
            except KeyEnded as fault:  # of another history: here the next key has signed these
                why = f"was handed over by that key after {fault.until}"
                raise AnchorBroken(path, fault.size, why) from fault
            except (NoteBroken, UnicodeDecodeError) as fault:
                faults.append(f"{path.name}: {fault}")
        if faults and not found:
            raise LedgerBroken(f"Anchors in {self.folder}: none holds. {' '.join(faults)}")
        return sorted(found, key=lambda pair: pair[1].size, reverse=True)

    def revoked(self, verifier: Verifier) -> list[str]:
        """Return in words which copies are signed by a key that is trusted no more."""
        found = []
        for path in sorted(self.folder.glob("*.note")):
            try:
                _read(path, verifier)
            except KeyRevoked as fault:
                found.append(f"{path.name}: {fault.says}")
            except (NoteBroken, UnicodeDecodeError):
                continue  # `checkpoints` says it
        return found


def _read(path: Path, verifier: Verifier) -> Checkpoint:
    """Return the checkpoint in a copy; a second look, where the first met it being written."""
    try:
        return verify(path.read_bytes().decode("utf-8"), verifier)
    except (NoteBroken, UnicodeDecodeError):
        return verify(path.read_bytes().decode("utf-8"), verifier)


def _write(descriptor: int, left: bytes) -> None:
    while left:  # a disk that fills up takes a part, and says so only when asked again
        left = left[os.write(descriptor, left) :]
