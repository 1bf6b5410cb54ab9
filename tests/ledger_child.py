"""A process that writes a ledger at its parent's word: `python -m tests.ledger_child URL`.

Each line of its input is a command id; it answers with the id and the entry's number.
"""

import sys

from core.ledger.job import NoHooks
from core.ledger.store import open_store
from core.ledger.writer import Writer
from tests.ledgers import KEY, draft, job

if __name__ == "__main__":
    writer = Writer(open_store(sys.argv[1]), KEY, NoHooks())
    writer.start()
    print("ready", flush=True)
    for line in sys.stdin:
        receipt = writer.carry_out(job(line.strip(), draft("batch/B1")), 60)
        print(line.strip(), receipt.first_seq, "again" if receipt.replayed else "first", flush=True)
    writer.close()
