"""A process that writes a ledger at its parent's word: `python -m tests.ledger_child URL`.

Each line of its input is a command id; it answers with the id and the entry's number. The line
`loads?` asks how often it has read the whole ledger. With `--blind` it takes the lock and does
not look what others have written: the control of a test that sees whether it does.
"""

import sys
from typing import Any

import core.ledger.writer
from core.ledger.group import Group, load
from core.ledger.job import NoHooks
from core.ledger.store import open_store
from core.ledger.writer import Writer
from tests.ledgers import KEY, draft, job

LOADS: list[int] = []


def counted(*given: Any) -> Any:
    """Read the ledger as the writer does, and count it."""
    memory = load(*given)
    LOADS.append(memory.size)
    return memory


def blind(_group: Group, _size: int) -> None:
    """Trust what was known before the lock."""


if __name__ == "__main__":
    vars(core.ledger.writer)["load"] = counted
    if "--blind" in sys.argv:
        Group._catch_up = blind  # type: ignore[assignment, method-assign]
    writer = Writer(open_store(sys.argv[1]), KEY, NoHooks())
    writer.start()
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() == "loads?":
            print("loads", len(LOADS), flush=True)
            continue
        receipt = writer.carry_out(job(line.strip(), draft("batch/B1")), 60)
        print(line.strip(), receipt.first_seq, "again" if receipt.replayed else "first", flush=True)
    writer.close()
