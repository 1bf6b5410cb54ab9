"""What people do in tests: the same gestures on a real plant and on one that lives in memory."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from config.consistency import ERP_UNITS
from config.load import load_plant
from core.batch.correct import CorrectValue, ReverseWeighing
from core.batch.state import Batch, StepState
from core.batch.steps import CompleteStep, VerifyStep
from core.bom import ReceiveBom
from core.dispatch import DispatchOrder
from core.equipment import RecordDailyCheck
from core.errors import MesError
from core.fact import Command
from core.order import Order, Provenance, ReceiveOrder
from core.quantity import grams
from core.reading import ReadingStatus, ScaleReading
from core.recipe import BomLine, StepKind
from core.release import ReleaseBatch, ReviewAuditTrail, ReviewException
from core.signature import Seen
from core.weighing import RecordDeviatingWeight, RecordTare, RecordWeight, ScanContainer

AT = datetime(2026, 11, 23, 5, 40, tzinfo=UTC)
ORDER = "1000178"
PACK = load_plant("tablets")
SERIALS = {"B1-S1": "B634210871", "B2-S1": "B634210872"}
GOOD_LOTS = {
    "povidone": "PV-1107",
    "croscarmellose": "CC-3044",
    "magnesium-stearate": "MS-0518",
    "lactose": "LA-2291",
    "paracetamol": "PA-7741",
}
VALUES: dict[str, dict[str, Decimal]] = {
    "9": {"value": Decimal("1.4")},
    "11": {"value": Decimal(601)},
    "12": {"quantity": Decimal("59.2")},
    "14": {
        "issued": Decimal(5000),
        "used": Decimal(4920),
        "returned": Decimal(70),
        "destroyed": Decimal(10),
    },
}
FROM_ERP = Provenance(url="http://erp/orders", etag='"1"', sha256="ab" * 32, fetched_at=AT)
TARE_G = Decimal("412.0")


def reading(
    value: Decimal | str | int | None,
    *,
    scale: str = "B1-S1",
    unit: str = "g",
    status: ReadingStatus = ReadingStatus.STABLE,
    serial: str | None = None,
    read_at: datetime = AT,
) -> ScaleReading:
    return ScaleReading(
        scale=scale,
        serial=serial or SERIALS[scale],
        status=status,
        value=None if value is None else Decimal(value),
        unit=unit,
        raw=f"S S {value} {unit}",
        read_at=read_at,
    )


class Hands:
    """Gestures; a plant that has hands brings `act`, `sign`, `get` and `seen`."""

    act: Callable[..., Any]
    sign: Callable[..., Any]
    get: Callable[..., Any]
    seen: Callable[[str], Seen]

    def instant(self) -> datetime:
        """Return what the plant's clock says."""
        raise NotImplementedError

    def reading(self, value: Decimal | str | int | None, **fields: Any) -> ScaleReading:
        """Return a reading taken now."""
        return reading(value, read_at=self.instant(), **fields)

    def batch(self, name: str) -> Batch:
        return self.get(Batch, name)

    def receive(self, order: str = ORDER, **changes: Any) -> None:
        fields: dict[str, Any] = {
            "order": order,
            "erp_ref": order,
            "product": "PARA500",
            "quantity": Decimal(60),
            "unit": "kg",
            "due_at": None,
            "priority": None,
            "provenance": FROM_ERP,
        }
        self.act(ReceiveOrder(**fields | changes), "service:erp", station=None)

    def receive_bom(self, **changes: str) -> None:
        bom = PACK.erp.boms[0]
        lines = tuple(
            BomLine(
                material=line.item,
                quantity=grams(
                    Decimal(changes.get(line.item, str(line.quantity))), ERP_UNITS[line.unit]
                ),
                unit="g",
            )
            for line in bom.lines
        )
        command = ReceiveBom(
            product=bom.product,
            quantity=bom.quantity,
            unit=ERP_UNITS[bom.unit],
            lines=lines,
            provenance=FROM_ERP,
        )
        self.act(command, "service:erp", station=None)

    def dispatched(self, order: str = ORDER, *, room: str = "B1") -> str:
        self.receive(order)
        self.receive_bom()
        self.act(DispatchOrder(order=order, room=room), "sana", station="office")
        name = self.get(Order, order).batch
        assert name is not None
        return name

    def check_scale(self, shown: str = "5000.2", *, scale: str = "B1-S1") -> None:
        self.act(
            RecordDailyCheck(equipment=scale, reading=self.reading(shown, scale=scale)), "olga"
        )

    def scan(self, batch: str, step: str, lot: str | None, **fields: Any) -> Any:
        by, container = fields.pop("by", "olga"), None if lot is None else "C01"
        given = {"lot": lot, "container": container, "raw": f"{lot} {container}"} | fields
        return self.act(ScanContainer(batch=batch, step=step, **given), by)

    def tare(self, batch: str, step: str, tare_g: Decimal | str = TARE_G, **fields: Any) -> Any:
        command = RecordTare(batch=batch, step=step, reading=self.reading(tare_g, **fields))
        return self.act(command, "olga")

    def weigh(
        self, batch: str, step: str, net_g: Decimal | str, *, more: bool = False, by: str = "olga"
    ) -> Any:
        gross = self.reading(Decimal(net_g) + TARE_G)
        return self.act(RecordWeight(batch=batch, step=step, reading=gross, more=more), by)

    def deviate(self, batch: str, step: str, net_g: str, *, by: str = "olga") -> Any:
        gross = self.reading(Decimal(net_g) + TARE_G)
        why = "It is mixed already."
        return self.act(RecordDeviatingWeight(batch=batch, step=step, reading=gross, why=why), by)

    def correct(
        self, batch: str, step: str, why: str = "Misread.", *, by: str = "olga", **values: Any
    ) -> Any:
        given = {name: Decimal(value) for name, value in values.items()}
        return self.act(CorrectValue(batch=batch, step=step, values=given, why=why), by)

    def take_back(self, batch: str, step: str, *, by: str = "olga", entry: int = 0) -> Any:
        entry = entry or self.batch(batch).run(step).partials[-1].seq  # type: ignore[union-attr]
        why = "Poured from the wrong container."
        return self.act(ReverseWeighing(batch=batch, step=step, entry=entry, why=why), by)

    def verify(self, batch: str, step: str, *, by: str = "viktor") -> Any:
        return self.sign(VerifyStep(batch=batch, step=step, seen=self.seen(f"batch/{batch}")), by)

    def complete(self, batch: str, step: str, *, by: str = "olga", **values: Any) -> Any:
        given = {name: Decimal(value) for name, value in values.items()}
        return self.act(CompleteStep(batch=batch, step=step, values=given), by)

    def do_step(self, batch: str) -> None:
        """Do the current step as the recipe says, with its verification."""
        state = self.batch(batch)
        assert state.current is not None
        step = state.recipe_step(state.current.step)
        if state.current.state is StepState.DONE:
            self.verify(batch, step.step)
            return
        if step.kind is StepKind.WEIGH:
            self.scan(batch, step.step, GOOD_LOTS[step.material or ""])
            self.tare(batch, step.step)
            self.weigh(batch, step.step, str(step.target))
        else:
            if step.kind is StepKind.DAILY_CHECK:
                self.check_scale()
            self.complete(batch, step.step, **VALUES.get(step.step, {}))
        run = self.batch(batch).run(step.step)
        if run is not None and run.state is StepState.DONE:
            self.verify(batch, step.step)

    def upto(self, batch: str, step: str | None) -> str:
        """Do every step before `step`, or all steps for None."""
        while (now := self.batch(batch).current) is not None and now.step != step:
            self.do_step(batch)
        return batch

    def review(self, batch: str, *, by: str = "quinn") -> None:
        for one in self.batch(batch).exceptions:
            command = ReviewException(
                batch=batch, exception=one.exception, assessment="No effect on the product."
            )
            self.act(command, by, station="office")
        seen = self.seen(f"batch/{batch}")
        self.sign(ReviewAuditTrail(batch=batch, seen=seen), by, station="office")

    def release(self, batch: str, *, by: str = "quinn") -> Any:
        seen = self.seen(f"batch/{batch}")
        return self.sign(ReleaseBatch(batch=batch, seen=seen), by, station="office")


def say(command: Command) -> str:
    return str(command.__struct_config__.tag)


def refusal(kind: type[MesError], call: Callable[[], object]) -> str:
    """Return the sentence with which a call is refused."""
    with pytest.raises(kind) as refused:
        call()
    return str(refused.value)
