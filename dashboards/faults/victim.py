"""The processes that are killed: eight threads append, and acknowledge in a file.

`python -m dashboards.faults.victim` starts one process that has loaded everything. For each line
of JSON on its input it forks a victim, which says `ready` with its process id; once that is dead
it says `dead`. An acknowledgement is one write to a file, so that lines of threads do not mix, and
what is in the file outlives the process.
"""

import itertools
import json
import logging
import os
import sys
import time
from pathlib import Path
from threading import Event, Thread
from typing import Any

from core.errors import LedgerBroken, MesError
from core.ledger.store import open_store
from core.ledger.writer import Writer
from dashboards.faults.trial import WAIT_S, job, writing

THREADS = 8
AHEAD = 32  # how far the control runs ahead of its commits
AGAIN_S = 0.02
BROKEN = "broken "


def append(writer: Writer, name: str, acks: int) -> None:
    """Append without end; what the ledger does not answer is sent again under its id."""
    for number in itertools.count():
        key = f"{name}:{number}"
        while True:
            try:
                writer.submit(job(key, f"batch/B{number % 5}", n=number)).result(WAIT_S)
                break
            except LedgerBroken as fault:
                os.write(acks, f"{BROKEN}{fault}\n".encode())
                return
            except MesError:
                time.sleep(AGAIN_S)
        os.write(acks, f"{key}\n".encode())


def append_early(writer: Writer, name: str, acks: int) -> None:
    """The control: acknowledge before the commit."""
    for number in itertools.count():
        key = f"{name}:{number}"
        try:
            future = writer.submit(job(key, f"batch/B{number % 5}", n=number))
            os.write(acks, f"{key}\n".encode())
            if number % AHEAD == 0:
                future.result(WAIT_S)
        except MesError:
            time.sleep(AGAIN_S)


def be_killed(given: dict[str, Any]) -> None:
    """Open the ledger, say so, and append until killed."""
    acks = os.open(given["acks"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with writing(open_store(given["where"]), Path(given["anchors"])) as writer:
        os.write(1, f"ready {os.getpid()}\n".encode())
        for number in range(THREADS):
            work = append_early if given["early"] else append
            Thread(target=work, args=(writer, f"{given['name']}.{number}", acks)).start()
        Event().wait()


def main() -> None:
    """Fork one victim for each line."""
    logging.disable()  # a server that dies under its client is meant
    for where in ("/nowhere/ledger.db", "postgresql+psycopg://nowhere/ledger"):
        open_store(where).close()  # loads the driver once, not in each victim
    for line in iter(sys.stdin.readline, ""):
        pid = os.fork()
        if pid == 0:
            try:
                be_killed(json.loads(line))
            finally:
                os._exit(1)
        os.waitpid(pid, 0)
        os.write(1, b"dead\n")


if __name__ == "__main__":
    main()
