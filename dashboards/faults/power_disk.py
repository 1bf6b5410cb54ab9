"""A disk as a power cut leaves it, built from the recorded writes of a process.

The model: what was synced is kept. Of the unsynced writes of a file any subset survives, each
whole or torn at a sector of 512 bytes, files independent of each other. Of the unsynced creates,
renames and removals in a folder a first part survives; a name is kept when its folder was synced.
A disk that confirms a sync and does not keep it is outside the model. Of the writes that a sync
failed on any subset is on the disk, and the others never will be: the system has given them up.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import NamedTuple

HEAD = struct.Struct("<cHQQ")
SECTOR = 512
NOTHING, EVERYTHING = 0.25, 0.9  # shares of cuts after which nothing, or all, unsynced survives
TORN = 0.3
PASSING = ("-shm", ".lock")  # rebuilt at each start, or empty: their content is never relied on


class Step(NamedTuple):
    """One recorded call; `op` as in power_shim.c, `name` below the trace's folder."""

    op: str
    name: str
    offset: int
    data: bytes


def steps(log: Path) -> Iterator[tuple[str, Step]]:
    """Yield the trace's folder and the call, in the order in which they happened."""
    blob = memoryview(log.read_bytes())
    at = 0
    while at < len(blob):
        op, name_length, offset, length = HEAD.unpack_from(blob, at)
        at += HEAD.size
        path = bytes(blob[at : at + name_length]).decode()
        at += name_length
        data = bytes(blob[at : at + length])
        at += length
        trace, _, name = path.partition("/")
        if not name.endswith(PASSING):
            if op == b"r":
                data = data.partition(b"/")[2]
            yield trace, Step(op.decode(), name, offset, data)


@dataclass
class Inode:
    """One file's content: what is durable, and what was written since its last sync."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[Step] = field(default_factory=list)

    def sync(self) -> None:
        for step in self.pending:
            _put(self.durable, step.op, step.offset, data=step.data)
        self.pending.clear()

    def fail(self, rng: Random) -> None:
        """Take in a sync that failed: what is not written now is not written later either."""
        self.pending = [step for step in self.pending if rng.random() < 0.5]
        self.sync()

    def image(self, rng: Random) -> bytearray:
        found, mode = bytearray(self.durable), rng.random()
        for op, _, offset, data in self.pending:
            if mode < NOTHING:
                break
            if mode > EVERYTHING or rng.random() < 0.5:
                is_torn = op == "w" and mode <= EVERYTHING and rng.random() < TORN
                kept = data[: rng.randrange(len(data) // SECTOR + 1) * SECTOR] if is_torn else data
                _put(found, op, offset, data=kept)
        return found


def _put(content: bytearray, op: str, offset: int, *, data: bytes) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    if op == "t":
        del content[offset:]
    else:
        content[offset : offset + len(data)] = data


class Disk:
    """The files of one trace, as durable as the calls so far made them.

    `rng` draws what a sync that failed has kept; without it such a sync is passed over.
    """

    def __init__(self, rng: Random | None = None) -> None:
        self._rng = rng
        self._now: dict[str, Inode] = {}
        self._durable: dict[str, Inode] = {}
        self._names: list[tuple[str, str, Inode | None]] = []  # folder, name, what it is now

    def do(self, step: Step) -> None:
        """Take one call in.

        Raises:
            LookupError: a write to a file that no call created: the record is not whole.
        """
        op, name, _, data = step
        if op == "c":
            self._name(name, Inode())
        elif op == "u":
            self._name(name, None)
        elif op == "r":
            inode = self._now[name]
            self._name(data.decode(), inode)
            self._name(name, None)
        elif op == "s" and name not in self._now:
            self._sync_folder(name)
        elif op == "s":
            self._now[name].sync()
        elif op == "e" and self._rng is not None:
            self._now[name].fail(self._rng)
        elif op in "wt":
            self._now[name].pending.append(step)

    def _name(self, name: str, inode: Inode | None) -> None:
        _bind(self._now, name, inode)
        self._names.append((name.rpartition("/")[0], name, inode))

    def _sync_folder(self, folder: str) -> None:
        for where, name, inode in self._names:
            if where == folder:
                _bind(self._durable, name, inode)
        self._names = [change for change in self._names if change[0] != folder]

    def whole(self) -> dict[str, bytes]:
        """Return every file as the process saw it last, where no power is ever cut."""
        for inode in self._now.values():
            inode.sync()
        return {name: bytes(inode.durable) for name, inode in self._now.items()}

    def cut(self, rng: Random, folder: Path) -> None:
        """Write into a folder what is left when the power goes now."""
        names, mode, left = dict(self._durable), rng.random(), dict[str, int]()
        for where in {change[0] for change in self._names}:
            count = sum(change[0] == where for change in self._names)
            left[where] = count if mode > EVERYTHING else rng.randrange(count + 1)
        for where, name, inode in self._names:
            if mode >= NOTHING and left[where] > 0:
                _bind(names, name, inode)
                left[where] -= 1
        for name, inode in names.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(inode.image(rng))


def _bind(names: dict[str, Inode], name: str, inode: Inode | None) -> None:
    if inode is None:
        names.pop(name, None)
    else:
        names[name] = inode
