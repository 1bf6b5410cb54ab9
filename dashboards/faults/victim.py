"""The process that is killed: eight threads append, and acknowledge on standard output.

`python -m dashboards.faults.victim FILE ROUND [early]`; `early` is the control, which
acknowledges before the commit.
"""

import itertools
import os
import sys
from pathlib import Path
from threading import Event, Thread

from core.ledger.sqlite import SqliteStore
from core.ledger.writer import Writer
from dashboards.faults.trial import WAIT_S, job, writing

THREADS = 8
AHEAD = 32  # how far the control runs ahead of its commits


def append(writer: Writer, name: str, *, is_early: bool) -> None:
    """Append without end; one write to a pipe is whole, so lines of threads do not mix."""
    for number in itertools.count():
        key = f"{name}:{number}"
        future = writer.submit(job(key, f"batch/B{number % 5}", n=number))
        if is_early:
            os.write(1, f"{key}\n".encode())
        if not is_early:
            future.result(WAIT_S)
            os.write(1, f"{key}\n".encode())
        elif number % AHEAD == 0:
            future.result(WAIT_S)


def main(arguments: list[str]) -> None:
    """Open the ledger, say so, and append until killed."""
    path, name = Path(arguments[0]), arguments[1]
    with writing(SqliteStore(path), path.parent / "anchors") as writer:
        os.write(1, b"ready\n")
        for number in range(THREADS):
            given = {"is_early": arguments[2:] == ["early"]}
            Thread(target=append, args=(writer, f"{name}.{number}"), kwargs=given).start()
        Event().wait()


if __name__ == "__main__":
    main(sys.argv[1:])
