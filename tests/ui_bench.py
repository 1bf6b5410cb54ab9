"""A page with every control of the kiosk, and what it heard, for tests in a browser."""

from decimal import Decimal
from typing import Any

import panel.ui as pu

from dashboards import theme
from dashboards.components.keypad import Keypad
from dashboards.components.live_weight import LiveWeight
from dashboards.components.refusal_bar import RefusalBar
from dashboards.components.scan_field import ScanField
from dashboards.components.signature_dialog import SignatureDialog
from dashboards.plant import PlantServices
from dashboards.session import Viewer
from dashboards.theme import Frame, frame
from tests.ui_plant import plant_of

LIMITS = (Decimal(9900), Decimal(10000), Decimal(10100))
PLANT = plant_of()
HEARD: list[str] = []
SIGNED: list[tuple[str, str]] = []
WEIGHTS: list[LiveWeight] = []
WRONG_LOT = "Lot L-77: expired on 2026-10-01. Take a released lot."


def bench_page(plant: PlantServices, viewer: Viewer) -> Frame:
    """Draw every component once."""
    stop = RefusalBar(lambda: HEARD.append("understood"), sound=False)

    def scanned(text: str) -> None:
        HEARD.append(text)
        if text == "L-77":
            stop.show(WRONG_LOT, full=True)
        else:
            scan.accepted(text)

    scan = ScanField(scanned)
    weight = LiveWeight()
    weight.limits(*LIMITS)
    WEIGHTS.append(weight)
    dialog = SignatureDialog(zone=plant.zone, name_of=plant.accounts.name_of)

    def sign(who: str, secret: str) -> str:
        SIGNED.append((who, secret))
        return plant.accounts.authenticate(who, secret, None).name

    def ask(_event: Any) -> None:
        dialog.request(
            "Batch B26-0178, weigh lactose", [("Net", "10.000 kg"), ("Lot", "L-1")],
            meaning="I weighed this material.", sign=sign,
            done=lambda name: scan.accepted(f"Signed by {name}"),
            cancelled=lambda: scan.refused("Not signed"),
        )  # fmt: skip

    button = {"sx": theme.KIOSK_BUTTON, "margin": 10}
    body = [
        stop,
        pu.Row(
            pu.Column(
                weight,
                scan,
                pu.Row(
                    pu.Button(label="Ask", on_click=ask, **button),
                    pu.Button(label="Tap", on_click=lambda _: HEARD.append("tap"), **button),
                    pu.Button(label="No", on_click=lambda _: stop.show("Too heavy."), **button),
                ),
                pu.TextInput(label="Comment", sx=theme.KIOSK_INPUT),
                sizing_mode="stretch_width",
            ),
            Keypad(HEARD.append, label="Tare", unit="kg"),
        ),
        Keypad(HEARD.append, label="Secret number", mode="pin"),
        dialog,
    ]
    return frame("Bench", body, viewer=viewer, nav="/kiosk", plant=plant.name, zone=plant.zone)


def forget() -> None:
    """Empty what the bench heard."""
    for kept in (HEARD, SIGNED, WEIGHTS):
        kept.clear()


PAGES = {"/": bench_page, "/kiosk": bench_page}
