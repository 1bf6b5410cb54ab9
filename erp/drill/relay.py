"""The relay as a process of its own, to be killed: `python -m erp.drill.relay LEDGER OUTBOX ERP`.

Its secrets stand on its standard input, one JSON object. It runs until it is ended.
"""

import json
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from core.ledger.store import open_ledger
from erp.adapters.webhook import WebhookErp
from erp.messages import Site
from erp.outbox import Outbox
from erp.relay import Relay
from erp.schedule import next_attempt
from erp.signing import Keys

WORKERS = 8
HURRY = 25  # a drill waits so many times shorter between two tries than a plant does ...
LONGEST_PAUSE_S = 5  # ... and never longer: in 10,000 messages one meets the storm seven times


def soon(count: int, at: datetime, jitter: float) -> datetime | None:
    """Return the next try as the plant's schedule has it, its delay cut down."""
    later = next_attempt(count, at, jitter)
    if later is None:
        return None
    return at + min((later - at) / HURRY, timedelta(seconds=LONGEST_PAUSE_S))


def main(ledger: str, outbox: str, address: str) -> None:
    """Send everything that the ledger tells, for ever."""
    secrets = json.loads(sys.stdin.readline())
    port = WebhookErp(
        address,
        send=Keys.of([secrets["send"]]),
        receive=Keys.of([secrets["receive"]]),
        timeout_s=5,
    )
    relay = Relay(
        open_ledger(Path(ledger)),
        Outbox(f"sqlite:///{outbox}"),
        port,
        site=Site(plant="drill", zone=ZoneInfo("UTC")),
        poll_s=0.2,
        workers=WORKERS,
        retry=soon,
    )
    relay.start()
    print("ready", flush=True)  # noqa: T201 - its parent waits for this line
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:4])
