"""A page with every control of the kiosk, and what it heard, for tests in a browser."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import panel.ui as pu

from core.clock import iso, now
from core.errors import Unknown
from core.fact import Command
from core.manifest import Manifest
from core.signature import (
    CommentNotAsAsked,
    FirstSigningNeedsBoth,
    MeaningNeeded,
    RecordMoved,
)
from core.signing import PasskeyAnswer, Preparation
from core.signing_gates import CommentRule, Gate
from dashboards import theme
from dashboards.components.keypad import Keypad
from dashboards.components.live_weight import LiveWeight
from dashboards.components.refusal_bar import RefusalBar
from dashboards.components.scan_field import ScanField
from dashboards.components.signature_dialog import SignatureDialog
from dashboards.plant import PlantServices
from dashboards.session import Viewer
from dashboards.signing_act import Ask
from dashboards.theme import Frame, frame
from tests.ui_plant import plant_of

LIMITS = (Decimal(9900), Decimal(10000), Decimal(10100))
PLANT = plant_of()
HEARD: list[str] = []
SIGNED: list[tuple[str, str]] = []
WEIGHTS: list[LiveWeight] = []
WRONG_LOT = "Lot L-77: expired on 2026-10-01. Take a released lot."


class BenchAct:
    """An act over nothing: whoever has a badge may sign, after what the test's gate asks."""

    gate = Gate(comment=CommentRule.NONE)
    is_in_period = False
    is_ready = True
    life_s = 180.0
    words = "Lactose net 10.000 kg from lot L-1."

    def __init__(self, plant: PlantServices) -> None:
        self._plant, self._who = plant, ""
        self._shown = 0

    def ask(self) -> Ask:
        return Ask(
            subject="Batch B26-0178, weigh lactose",
            lines=(("Net", "10.000 kg"), ("Lot", "L-1")),
            command=Command(),
        )

    def prepare(self, who: str | None, *, meaning: str | None, comment: str) -> Preparation:
        if who is None and not self.is_in_period:
            raise FirstSigningNeedsBoth
        name = self._plant.accounts.name_of(who or "B-1")
        if name is None:
            raise Unknown("Badge or user id", who or "")
        if len(self.gate.meanings) > 1 and meaning is None:
            raise MeaningNeeded("bench", meanings=self.gate.meanings, given=None)
        if self.gate.comment is CommentRule.REQUIRED and not comment:
            raise CommentNotAsAsked("bench", asked="is empty", next_step="Write one.")
        self._who, self._shown = who or "", self._shown + 1
        manifest = Manifest(
            record="batch/B26-0178", ver=3, head="ab", step="3", signer="x", name=name, nonce="n",
            meaning=meaning or "I weighed this material.", comment=comment,
            words=f"{self.words} Shown {self._shown}.",
            at=iso(now()), zone="Europe/Zurich",
        )  # fmt: skip
        return Preparation(
            pending=f"p{self._shown}", manifest=manifest, sha256="00" * 32, gate=self.gate,
            expires_at=now() + timedelta(seconds=self.life_s), secret_is_enough=False,
        )  # fmt: skip

    def sign(
        self, pending: str, *, secret: str = "", passkey: PasskeyAnswer | None = None,
        provider: str | None = None,
    ) -> str:  # fmt: skip
        assert pending == f"p{self._shown}"
        SIGNED.append((self._who, secret))
        return self._plant.accounts.authenticate(self._who, secret, None).name

    def news(self, moved: RecordMoved) -> tuple[str, ...]:
        return tuple(str(change) for change in moved.changes)


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
    dialog = SignatureDialog()

    def ask(_event: Any) -> None:
        dialog.request(
            BenchAct(plant),
            done=lambda name: scan.accepted(f"Signed by {name}"),
            cancelled=lambda: scan.refused("Not signed"),
        )

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
