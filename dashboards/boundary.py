"""The ERP boundary of a running plant: what is pulled becomes commands, what happened goes out."""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

from config.calendar import ShiftCalendar, instant
from core.authority import SERVICE_ROLE, PlantRules
from core.batch.state import Batch
from core.bom import ReceiveBom
from core.clock import iso, micros, now
from core.erp_door import RecordDoorLocked
from core.erp_key import Direction, ErpKey
from core.erp_record import ReceiveCustomer, ReceiveErpMaterial
from core.errors import MesError
from core.execution import Actor, Execution
from core.master_data import LONGEST, MasterData
from core.order import Order, Provenance, ReceiveOrder, WithdrawOrder
from core.policy import OPEN, Decisions
from core.quantity import UNITS, convert
from core.recipe import BomLine
from core.vault import Vault
from erp import evidence
from erp import port as erp_port
from erp.connected import Connected, Guarded, Signs
from erp.events import EventKind, told
from erp.following import FactReader, Follower
from erp.live_keys import NAMES, LiveKeys
from erp.messages import Site
from erp.outbox import Outbox
from erp.pull import Night, Puller, Receivers
from erp.relay import Relay
from erp.signing import Keys
from erp.stream import Publisher

KEYS_EVERY_S = 1.0
ANCHOR_EVERY = 5  # looks at the keys
PULLER, DOOR = Actor("service:erp-pull"), Actor("service:erp-door")
log = logging.getLogger("batchwright.boundary")
TAKEN_BY = {
    erp_port.Kind.ITEM: "erp-material.receive",
    erp_port.Kind.CUSTOMER: "customer.receive",
}
WITHDRAWN = (erp_port.ErpOrderState.CLOSED, erp_port.ErpOrderState.CANCELLED)
RELEASED = erp_port.ErpOrderState.RELEASED  # others cannot be posted against


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpLink:
    """The chosen adapter, how often the ERP is asked, and who else listens."""

    port: Connected
    stream: str | None = field(default=None, repr=False)
    pull_every_s: float = 30.0
    key_names: Mapping[Direction, str] = field(default_factory=lambda: NAMES)


def provenance(found: erp_port.Provenance) -> Provenance:
    """Return where a record came from, as the ledger keeps it."""
    return Provenance(
        url=found.url, etag=found.etag, sha256=found.sha256, fetched_at=found.fetched_at
    )


def base(quantity: Decimal, unit: str) -> tuple[Decimal, str]:
    """Return a quantity in the core's own unit: grams for masses, else as it is.

    >>> base(Decimal("1.8"), "kg")
    (Decimal('1800'), 'g')
    """
    if unit in UNITS and UNITS[unit][0] == "mass":
        return convert(quantity, unit, "g"), "g"
    return quantity, unit


@dataclass(frozen=True, slots=True)
class PolicyManner:
    """What the boundary policy of a fact's own moment says about telling it."""

    execution: Execution
    calendar: ShiftCalendar

    def decisions(self, at: datetime) -> Decisions:
        """Return the decisions in force at an instant."""
        rules = self.execution.nouns.get(PlantRules, self.execution.plant)
        version = None if rules is None else rules.policy(at)
        return OPEN if version is None else version.decisions

    def told(self, kind: EventKind, at: datetime) -> bool:
        """Return whether the ERP hears of such a fact of this instant."""
        return told(kind, self.decisions(at))

    def due(self, kind: EventKind, at: datetime) -> datetime:
        """Return the end of the shift for a movement that is gathered, else the instant itself.

        Where nobody works there is no shift to wait for.
        """
        if not kind.gathers or self.decisions(at).inventory_cadence == "each_movement":
            return at
        end_us = self.calendar.shift_end(micros(at))
        return at if end_us is None else instant(end_us)

    def wanted(self, kind: erp_port.Kind) -> bool:
        """Return whether the ERP is asked for a kind of master data.

        What the matrix of an older plant does not name yet would be refused, record by record.
        """
        decisions = self.decisions(now())
        if kind in TAKEN_BY:
            rules = self.execution.nouns.get(PlantRules, self.execution.plant)
            return rules is not None and SERVICE_ROLE in rules.matrix.get(TAKEN_BY[kind], ())
        if kind is erp_port.Kind.ORDER:
            return decisions.order_origin != "mes"
        return kind is not erp_port.Kind.BOM or decisions.bom_ownership != "mes"


class Boundary:
    """Pull and relay of one plant, started and stopped together."""

    def __init__(
        self,
        execution: Execution,
        link: ErpLink,
        *,
        data: Path,
        plant: str,
        calendar: ShiftCalendar,
        longest: timedelta = LONGEST,
    ) -> None:
        """`longest` is how old master data may be for a new order to be released on it."""
        self._execution, self._longest = execution, longest
        self.kept: Path | None = data / "match"
        self.site = Site(plant=plant, zone=calendar.zone)
        self.manner = PolicyManner(execution, calendar)
        self.port = link.port
        if isinstance(link.port, Guarded):
            link.port.on_locked(self._door_locked)
        self.keys: LiveKeys | None = None
        if isinstance(link.port, Signs):
            vault = cache(lambda: Vault(data / "keys"))
            self.keys = LiveKeys(link.port, vault, self._held_key, names=link.key_names)
        self.outbox = Outbox(f"sqlite:///{data / 'erp_outbox.db'}")
        self.relay = Relay(
            execution.ledger,
            self.outbox,
            self.port,
            site=self.site,
            checkpoint=execution.ledger.checkpoint,
            erp_order=self.erp_order,
            order_of=self.order_of,
            manner=self.manner,
        )
        receivers = Receivers(
            on_order=self._on_order,
            on_bom=self._on_bom,
            on_item=self._on_item,
            on_customer=self._on_customer,
        )
        self.puller = Puller(
            self.port,
            self.outbox.engine,
            receivers,
            every_s=link.pull_every_s,
            wanted=self.manner.wanted,
            night=Night(zone=calendar.zone),
        )
        self.publisher = (
            None if link.stream is None else Publisher(self.outbox, link.stream, plant=plant)
        )
        execution.master_data = self.master_data
        self._anchored = max((one.size for one in execution.ledger.anchors()), default=0)
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._follow, name="erp-keys-and-anchors", daemon=True
        )

    def start(self) -> None:
        """Begin to pull and to send."""
        self.take_up_keys()  # a power cut may have come between an agreement and its taking up
        self._execution.writer.listeners.append(self._grew)
        self.puller.start()
        self.relay.start()
        if self.publisher is not None:
            self.publisher.start()
        self._thread.start()

    def stop(self) -> None:
        """Finish what is under way, then stop."""
        self._stop.set()
        self._thread.join()
        self._execution.writer.listeners.remove(self._grew)
        self.puller.stop()
        self.relay.stop()
        if self.publisher is not None:
            self.publisher.stop()
        self.port.close()
        self.outbox.close()

    def take_up_keys(self) -> None:
        """Sign and check with the keys that the ledger says are live, from the next message on."""
        if self.keys is not None and self.keys.look():
            self.relay.resume()

    def erp_order(self, order: str) -> str | None:
        """Return the ERP's number of an order, None where it has none."""
        found = self._execution.nouns.get(Order, order)
        return None if found is None else found.erp_ref

    def order_of(self, batch: str) -> str | None:
        """Return the order of a batch, None where there is no such batch."""
        found = self._execution.nouns.get(Batch, batch)
        return None if found is None else found.order

    @property
    def receipt_keys(self) -> Keys | None:
        """The keys that prove a kept receipt, ended ones too; None where the ERP has none."""
        return None if self.keys is None else self.keys.proving("receive")

    def _held_key(self, way: Direction) -> ErpKey | None:
        found: ErpKey | None = self._execution.nouns.get(ErpKey, way)
        return found

    def master_data(self) -> MasterData | None:
        """Return how good what the ERP stated is, None where nothing is asked for; no I/O."""
        if not self.puller.is_asked():
            return None
        return MasterData(read_at=self.puller.good_since(), longest=self._longest)

    def follower(self) -> Follower:
        """Return what reads facts, messages and postings from their beginning on."""
        facts = FactReader(
            self._execution.ledger,
            self.site,
            erp_order=self.erp_order,
            order_of=self.order_of,
            port=self.port,
        )
        return Follower(facts, self.outbox, self.port)

    def keep_anchor(self) -> bool:
        """Keep the newest checkpoint that the ERP has sent back; return whether there was one."""
        found = evidence.newest_anchor(self.outbox)
        if found is None or found.size <= self._anchored:
            return False
        place = f"ERP receipt {found.event_id}"
        self._execution.writer.record_anchor(found.size, place, found.root, at=now()).result(10)
        self._anchored = found.size
        return True

    def _follow(self) -> None:
        looks = 0
        while not self._stop.wait(KEYS_EVERY_S):
            looks += 1
            try:
                self.take_up_keys()
                if looks % ANCHOR_EVERY == 0:
                    self.keep_anchor()
            except Exception:  # a locked outbox now must not end keys and anchors for ever
                log.exception("event=anchor-broken")

    def _grew(self, _seq: int) -> None:
        self.relay.wake()

    def _door_locked(self, door: str, failures: int, until: datetime) -> None:
        """Record the alert; a plant whose matrix does not name the command yet goes on without."""
        command = RecordDoorLocked(door=door, failures=failures, until=until)
        try:
            self._execution.submit(command, actor=DOOR, idem=f"{DOOR.person}:{door}:{iso(until)}")
        except MesError as fault:
            log.warning("event=door-lock-not-recorded why=%s", fault)

    def _on_order(self, found: erp_port.ErpOrder, whence: erp_port.Provenance) -> None:
        known = self._execution.nouns.get(Order, found.id)
        if known is None and found.state is not RELEASED:
            return
        idem = f"{PULLER.person}:order:{found.id}:{iso(whence.fetched_at)}"
        if found.state in WITHDRAWN:
            withdraw = WithdrawOrder(
                order=found.id, erp_state=str(found.state), provenance=provenance(whence)
            )
            self._execution.submit(withdraw, actor=PULLER, idem=idem)
            return
        command = ReceiveOrder(
            order=found.id,
            erp_ref=found.id,
            product=found.product,
            quantity=found.quantity,
            unit=found.unit,
            due_at=found.due_at,
            priority=found.priority,
            provenance=provenance(whence),
        )
        self._execution.submit(command, actor=PULLER, idem=idem)

    def _on_item(self, found: erp_port.ErpItem, whence: erp_port.Provenance) -> None:
        command = ReceiveErpMaterial(
            material=found.code,
            name=found.name,
            unit=found.unit,
            gtin=found.gtin,
            provenance=provenance(whence),
        )
        idem = f"{PULLER.person}:item:{found.code}:{iso(whence.fetched_at)}"
        self._execution.submit(command, actor=PULLER, idem=idem)

    def _on_customer(self, found: erp_port.ErpCustomer, whence: erp_port.Provenance) -> None:
        command = ReceiveCustomer(
            customer=found.code, name=found.name, provenance=provenance(whence)
        )
        idem = f"{PULLER.person}:customer:{found.code}:{iso(whence.fetched_at)}"
        self._execution.submit(command, actor=PULLER, idem=idem)

    def _on_bom(self, found: erp_port.ErpBom, whence: erp_port.Provenance) -> None:
        lines = []
        for line in found.lines:
            quantity, unit = base(line.quantity, line.unit)
            lines.append(BomLine(material=line.item, quantity=quantity, unit=unit))
        command = ReceiveBom(
            product=found.product,
            quantity=found.quantity,
            unit=found.unit,
            lines=tuple(lines),
            provenance=provenance(whence),
        )
        idem = f"{PULLER.person}:bom:{found.product}:{iso(whence.fetched_at)}"
        self._execution.submit(command, actor=PULLER, idem=idem)
