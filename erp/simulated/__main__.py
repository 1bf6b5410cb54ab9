"""Start a simulated ERP: `python -m erp.simulated NAME --db PATH --port P --seed FILE`.

Its user and secret come from BATCHWRIGHT_SIMULATED_USER and BATCHWRIGHT_SIMULATED_SECRET, kept out
of the process list. Loopback only: its switches ask nobody for a password.
"""

import argparse
import json
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import uvicorn

from erp.simulated.business_central import BusinessCentral
from erp.simulated.dynamics import Dynamics
from erp.simulated.modelled import ifs, ln
from erp.simulated.netsuite import NetSuite
from erp.simulated.oracle import Oracle
from erp.simulated.quickbooks import QuickBooks
from erp.simulated.records import Records
from erp.simulated.sage_x3 import SageX3
from erp.simulated.sap import Sap
from erp.simulated.serving import Simulator, build
from erp.simulated.web_connector import WebConnector

SIMULATORS: dict[str, Callable[[str, str], Simulator]] = {
    "sap": lambda user, secret: Sap(user, secret, repeats=True),
    "sap-plain": Sap,
    "dynamics": Dynamics,
    "dynamics-extended": lambda user, secret: Dynamics(user, secret, extended=True),
    "oracle": Oracle,
    "oracle-forgets": lambda user, secret: Oracle(user, secret, keeps=False),
    "netsuite": NetSuite,
    "netsuite-at-once": NetSuite,
    "business-central": BusinessCentral,
    "quickbooks": QuickBooks,
    "sage-x3": SageX3,
    "ifs-cloud": ifs,
    "infor-ln": ln,
}


def main() -> None:
    """Run until stopped."""
    parser = argparse.ArgumentParser(prog="python -m erp.simulated")
    parser.add_argument("name", choices=SIMULATORS)
    parser.add_argument("--db", type=Path, required=True, help="its own SQLite file")
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument("--seed", type=Path, required=True, help="JSON: items, boms, orders, ...")
    given = parser.parse_args()
    user = os.environ.get("BATCHWRIGHT_SIMULATED_USER", "")
    secret = os.environ.get("BATCHWRIGHT_SIMULATED_SECRET", "")
    if not user or not secret:
        parser.error("set BATCHWRIGHT_SIMULATED_USER and BATCHWRIGHT_SIMULATED_SECRET")
    simulator = SIMULATORS[given.name](user, secret)
    records = Records(given.db)
    with records.work() as work:
        simulator.seed(work, json.loads(given.seed.read_text("utf-8"), parse_float=Decimal))
    if isinstance(simulator, QuickBooks):
        WebConnector(records, simulator).start()
    uvicorn.run(build(records, simulator), host="127.0.0.1", port=given.port, log_level="warning")


if __name__ == "__main__":
    main()
