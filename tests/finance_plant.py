"""A living plant with an ERP beside it: pull, relay, books, and what finance reads of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from analytics.reconciliation.rules import MatchRules
from config.calendar import ShiftCalendar
from core.authority import AdoptAuthority
from core.bom import ErpBom
from core.dispatch import DispatchOrder
from core.order import Order
from dashboards.boundary import Boundary, ErpLink
from dashboards.finance.compare import MatchRow
from dashboards.finance.matching import ReconcileReader
from dashboards.link_state import LinkReader
from erp import evidence
from erp.adapters.webhook import WebhookErp
from erp.rows import State
from tests.erp_plant import Sandbox
from tests.patience import eventually
from tests.plant import MATRIX, ZONE, LivingPlant
from tests.plant_data import ERP_SEED
from tests.rest_client import Client, rest_as

PULLED = {
    "order.receive": ("service",),
    "bom.receive": ("service",),
    "erp-material.receive": ("service",),
    "customer.receive": ("service",),
    "boundary-policy.sign": ("qa",),
}
FINANCE = {
    "order.link": ("supervisor", "finance"),
    "difference.assign": ("finance",),
    "message.resend": ("finance",),
    "message.replay": ("finance",),
    "message.skip": ("finance",),
    "message.supersede": ("finance",),
    "posting.reverse": ("finance", "supervisor", "qa"),
    "posting.replace": ("finance", "supervisor", "qa"),
    "correction.request": ("finance",),
    "correction.decline": ("operator", "supervisor", "qa"),
    "reconciliation.sign": ("finance",),
    "erp-key.begin": ("engineer", "qa"),
    "erp-key.end": ("engineer", "qa"),
}


@dataclass(eq=False, kw_only=True)
class Connected:
    """A plant whose facts go to an ERP."""

    plant: LivingPlant
    boundary: Boundary
    reader: ReconcileReader

    def made(self, order: str, upto: str = "50") -> str:
        """Dispatch one of the ERP's orders, make it up to a step, and return its batch."""
        self.plant.do(DispatchOrder(order=order, room="B1"), "sana")
        found = self.plant.execution.nouns.get(Order, order)
        assert found is not None
        assert found.batch is not None
        self.plant.brought_to(found.batch, upto)
        return found.batch

    def told(self) -> None:
        """Wait until the ERP has answered for every fact."""

        def drained() -> bool:
            at_end = self.boundary.relay.status().upto_seq == self.plant.execution.ledger.size()
            open_ = sum(evidence.counts(self.boundary.outbox)[s] for s in State if s != State.DONE)
            return at_end and not open_

        eventually(drained)

    def rows(self) -> list[MatchRow]:
        """Return every row of the match as it stands now."""
        self.reader.read()
        with self.reader.reading() as found:
            return list(found.rows())

    def signed_in(self, person: str) -> AbstractContextManager[Client]:
        """Give the REST interface with a person signed in."""
        return rest_as(self.plant, person)


@dataclass(eq=False, kw_only=True)
class FinancePlant(Connected):
    """A plant beside the sandbox, and hands to change both sides."""

    erp: Sandbox

    def by_hand(self, sql: str, *values: object) -> int:
        """Change the ERP's own database, as a clerk with too many rights would."""
        return self.erp.tampered(sql, *values)


def _is_pulled(plant: LivingPlant) -> bool:
    nouns = plant.execution.nouns
    wanted = {one["id"] for one in ERP_SEED["orders"]}
    return wanted <= {one.order for one in nouns.all(Order)} and bool(nouns.all(ErpBom))


@contextmanager
def refusing_plant(plant: LivingPlant, folder: Path) -> Iterator[FinancePlant]:
    """Run the same in a folder of its own, for tests that mean it to refuse: nothing is logged."""
    erp, log = folder / "erp", logging.getLogger("batchwright.erp")
    erp.mkdir()
    log.setLevel(logging.CRITICAL)
    try:
        with finance_plant(plant, erp) as it:
            yield it
    finally:
        log.setLevel(logging.NOTSET)


@contextmanager
def finance_plant(plant: LivingPlant, folder: Path) -> Iterator[FinancePlant]:
    """Run a sandbox ERP beside a plant, and connect both."""
    erp = Sandbox(folder, seed=ERP_SEED)
    erp.start()
    try:
        with connected(plant, erp.port_to(timeout_s=20), folder) as it:
            yield FinancePlant(plant=plant, boundary=it.boundary, reader=it.reader, erp=erp)
    finally:
        erp.stop()


@contextmanager
def connected(
    plant: LivingPlant, port: WebhookErp, folder: Path, *, rules: MatchRules | None = None
) -> Iterator[Connected]:
    """Connect a plant to an ERP that knows `ERP_SEED`."""
    plant.do(AdoptAuthority(plant="test", zone=str(ZONE), matrix=MATRIX | PULLED | FINANCE), "ada")
    link = ErpLink(port=port, pull_every_s=2)
    calendar = ShiftCalendar((), ZONE)
    boundary = Boundary(plant.execution, link, data=folder, plant="test", calendar=calendar)
    reader = ReconcileReader(boundary, rules=rules, look_s=0.3, reread_s=1)
    watched = LinkReader(boundary, look_s=0.3)
    readers = {"reconcile": reader, "boundary": boundary, "link": watched}
    plant.services.readers.update(readers)  # type: ignore[attr-defined]
    boundary.start()
    try:
        eventually(lambda: _is_pulled(plant))
        yield Connected(plant=plant, boundary=boundary, reader=reader)
    finally:
        reader.stop()
        watched.stop()
        boundary.stop()
