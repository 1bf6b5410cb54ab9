"""Start the sandbox ERP: `python -m erp.sandbox --db PATH --port P --seed FILE`.

Secrets come from `--secret` and `--receipt-secret` or, kept out of the process list, from the
variables BATCHWRIGHT_SANDBOX_SECRET and BATCHWRIGHT_SANDBOX_RECEIPT_SECRET. Several, separated
by a comma, are all live. BATCHWRIGHT_SANDBOX_FORGETS_KEYS makes an ERP that books every copy: the
control of a drill.
"""

import argparse
import json
import os
from decimal import Decimal
from pathlib import Path

import uvicorn

from erp.sandbox.admin import Secrets
from erp.sandbox.app import build
from erp.sandbox.seed import seed
from erp.sandbox.store import Database
from erp.signing import Keys


def arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(prog="python -m erp.sandbox", description="The sandbox ERP.")
    parser.add_argument("--db", type=Path, required=True, help="its own SQLite file")
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument("--seed", type=Path, help="JSON: items, boms, orders, customers, lots")
    parser.add_argument("--secret", help="whsec_... that signs events to the ERP")
    parser.add_argument("--receipt-secret", help="whsec_... that signs the ERP's receipts")
    return parser.parse_args()


def main() -> None:
    """Run until stopped. Loopback only: its switches ask nobody for a password."""
    given = arguments()
    events = given.secret or os.environ.get("BATCHWRIGHT_SANDBOX_SECRET", "")
    receipts = given.receipt_secret or os.environ.get("BATCHWRIGHT_SANDBOX_RECEIPT_SECRET", "")
    secrets = Secrets(Keys.of(events.split(",")), Keys.of(receipts.split(",")))
    database = Database(given.db)
    if given.seed is not None:
        seed(database, json.loads(given.seed.read_text("utf-8"), parse_float=Decimal))
    forgets = bool(os.environ.get("BATCHWRIGHT_SANDBOX_FORGETS_KEYS"))
    uvicorn.run(
        build(database, secrets, forgets_keys=forgets),
        host="127.0.0.1",
        port=given.port,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
