"""An unknown lot at the kiosk: what would be written is shown, then one press writes it."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import panel.ui as pu

from core.authority import PlantRules
from core.execution import Execution
from core.first_weighing import BeginLot
from core.material import Lot
from core.policy import OPEN
from core.quantity import plain
from dashboards import parts
from dashboards.components.keypad import Keypad
from dashboards.kiosk import draw
from dashboards.kiosk.desk import Desk, Screen
from dashboards.kiosk.look import StepLook
from dashboards.kiosk.press import Press, primary
from dashboards.palette import State
from dashboards.theme import KIOSK_INPUT

BEGINS = "lot"
UNIT = "kg"
WRITTEN = (
    "Not known here. The boundary policy lets a lot be born at its first weighing: this is what"
    " would be written. It begins in quarantine; QA releases it before it is weighed."
)


def begins(desk: Desk, scanned: Mapping[str, Any]) -> bool:
    """Return whether a scan names a lot that is not known and may be born here."""
    lot = scanned.get("lot")
    if not lot or not scanned.get("container") or _known(desk.execution, lot):
        return False
    rules = desk.execution.nouns.get(PlantRules, desk.execution.plant)
    version = None if rules is None else rules.policy(desk.place().at)
    decisions = OPEN if version is None else version.decisions
    return decisions.lot_birth != "receipt"


def _known(execution: Execution, lot: str) -> bool:
    return execution.nouns.get(Lot, lot) is not None


def screen(desk: Desk, seen: StepLook) -> Screen:
    """Show what would be written; supplier and quantity are read from the label by the operator."""
    scanned = desk.scanned
    entered: list[Decimal] = []
    told = draw.piece()
    supplier = pu.TextInput(
        label="Supplier, as on the label", max_length=200, sx=KIOSK_INPUT,
        sizing_mode="stretch_width", margin=(18, 0, 0, 0),
    )  # fmt: skip

    def show() -> None:
        amount = f"{plain(entered[0])} {UNIT}" if entered else "enter it"
        told.object = parts.markup(draw.pours(_rows(seen, scanned, amount)))
        written = bool((supplier.value_input or "").strip())
        record.enabled = bool(entered) and entered[0] > 0 and written

    def take(text: str) -> None:
        entered[:] = [Decimal(text)]
        show()

    async def write(press: str) -> None:
        lot = scanned["lot"]
        done = await desk.submit(
            press,
            lambda: BeginLot(
                batch=seen.batch, step=seen.step, supplier=supplier.value_input.strip(),
                quantity=entered[0], unit=UNIT, **scanned,
            ),
            recorded=f"Lot {lot} in quarantine; QA releases it before it is weighed",
            stops=True,
        )  # fmt: skip
        if done is not None:
            desk.go(do=None)

    record = primary("Record the lot", write, enabled=False)
    supplier.param.watch(lambda _: show(), "value_input")
    pad = Keypad(take, label=f"In this container, {UNIT}", unit=UNIT, ok_label="Enter", margin=0)
    back = Press("‹ Scan another", lambda _: desk.go(do=None), testid="back")
    show()
    note = draw.piece(draw.note(State.NEAR, WRITTEN))
    return Screen(main=[note, told, supplier], side=pad, quiet=[back], primary=record)


def _rows(seen: StepLook, scanned: Mapping[str, Any], amount: str) -> list[tuple[str, str]]:
    expires = scanned.get("expires_on")
    return [
        ("Lot", scanned["lot"]),
        ("Material", seen.material),
        ("Container", scanned["container"]),
        ("GTIN", scanned.get("gtin") or "not on the label"),
        ("Expires", expires.isoformat() if expires else "not on the label"),
        ("Born", "at first weighing"),
        ("Quantity", amount),
    ]
