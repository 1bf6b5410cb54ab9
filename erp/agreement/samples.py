"""One sample message of every type, made as the relay makes them, of one batch's story."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from core.clock import iso, parse_iso
from core.ledger.entry import Entry
from erp.contract import Message, SentCheckpoint
from erp.events import EVENTS, EventKind, check
from erp.messages import Known, Site, translate

START = parse_iso("2026-11-23T05:05:00.000000Z")
ORDER, ERP_ORDER, BATCH = "1000178", "1000178", "B26-0178"
CHECKPOINT = SentCheckpoint(size=412, root="5c" * 32)
SIGNED = "9b" * 32
OVER = "croscarmellose: net 2.467 kg is over the limits 2.376 kg to 2.424 kg."
GOODS: dict[str, Any] = {"product": "PARA500", "quantity": "59.2", "unit": "kg"}
# ledger type -> what its entry holds beside order and batch
FACTS: dict[str, dict[str, Any]] = {
    "work-order.started": {"work_center": "B1", "erp_ref": ERP_ORDER},
    "work-order.held": {"why": OVER},
    "work-order.resumed": {},
    "material.consumed": {"material": "povidone", "lot": "PV-1107", "net_g": "1809.0"},
    "material.returned": {"material": "lactose", "lot": "LA-2291", "net_g": "250.5"},
    "material.scrapped": {"material": "lactose", "lot": "LA-2291", "net_g": "12.25"},
    "material.produced": {**GOODS, "lot": BATCH},
    "batch.released": {**GOODS, "record_sha256": SIGNED},
    "batch.rejected": {**GOODS, "why": "Dissolution is too low.", "record_sha256": SIGNED},
    "work-order.completed": {"quantity": "59.2", "unit": "kg", "erp_ref": ERP_ORDER},
    "material.reversed": {"corrects": 1},
    "posting.reversal-ordered": {
        "erp_order": ERP_ORDER,
        "document": {
            "id": "4900000017",
            "year": "2026",
            "order": ORDER,
            "erp_order": ERP_ORDER,
            "lines": [
                {
                    "material": "povidone",
                    "lot": "PV-1107",
                    "movement": "issue",
                    "quantity": "1.809",
                    "unit": "kg",
                }
            ],
        },
        "why": "Posted by hand beside the message.",
    },
    "deviation.opened": {"deviation": "D26-0031", "severity": "medium", "says": OVER},
    "deviation.closed": {"deviation": "D26-0031"},
    "run.started": {"line": "L1", "product": "PARA500"},
}


def sample(kind: EventKind, *, plant: str) -> Message:
    """Return a sample message, in the order's place that its type has; the same for ever.

    A reversal undoes the sample of consumed material.
    """
    site = Site(plant=plant, zone=ZoneInfo("Europe/Berlin"))
    known = Known(erp_order=lambda _: ERP_ORDER, original=lambda _: None, order_of=lambda _: ORDER)
    if kind.fact == "material.reversed":
        first = translate(_entry("material.consumed"), site, known, sequence=2, checkpoint=None)
        known = replace(known, original=lambda _: first)
    place = EVENTS.index(kind) + 1
    made = translate(_entry(kind.fact), site, known, sequence=place, checkpoint=CHECKPOINT)
    assert made is not None, kind
    check(made)
    return made


def _entry(fact: str) -> Entry:
    seq = list(FACTS).index(fact) + 1
    data = {"order": ORDER, "batch": BATCH, **FACTS[fact]}
    return Entry(
        seq=400 + seq,
        stream=f"batch/{BATCH}",
        ver=seq,
        prev=None if seq == 1 else f"{seq:064x}",
        type=fact,
        v=1,
        at=iso(START + timedelta(minutes=7 * seq)),
        actor="olga",
        station="kiosk-B1",
        idem=f"sample-{seq}",
        reason=None,
        data=data,
    )
