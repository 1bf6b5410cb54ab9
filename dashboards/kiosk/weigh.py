"""Weighing on the kiosk: scan, tare, pour, accept; or record the deviation.

`shown` is the view-model: it says of each reading what may be pressed. The rules that decide
are the execution core's; these here only keep a press from being refused.
"""

from dataclasses import dataclass
from decimal import Decimal

import panel as pn
import panel.ui as pu

from core.fact import Command
from core.quantity import grams, kg_text
from core.reading import ReadingStatus, ScaleReading
from core.weighing import RecordDeviatingWeight, RecordTare, RecordWeight, ScanContainer
from dashboards import parts
from dashboards.components.live_weight import Link, LiveWeight
from dashboards.components.scan_field import ScanField
from dashboards.kiosk import draw, newborn
from dashboards.kiosk.choices import Choice, Choices
from dashboards.kiosk.desk import Desk, Screen
from dashboards.kiosk.look import Doing, ScaleLook, StepLook, limits_text
from dashboards.kiosk.press import Press, primary
from dashboards.palette import State
from dashboards.theme import KIOSK_INPUT

LINKS = {
    ReadingStatus.OVERLOAD: Link.OVERLOAD,
    ReadingStatus.UNDERLOAD: Link.UNDERLOAD,
    ReadingStatus.NO_LINK: Link.NO_LINK,
    ReadingStatus.ERROR: Link.NO_LINK,
}
REASONS = {
    "mixed": "Already mixed, cannot be taken out",
    "poured": "Poured too much",
    "short": "No more material at hand",
    "spilled": "Material was spilled",
    "other": "Another reason, in my words",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One reading against a step: the sum with it, and what may be pressed."""

    net_g: Decimal | None
    stable: bool
    link: Link
    may_accept: bool
    may_add: bool
    may_deviate: bool
    over: bool


def gross_g(reading: ScaleReading) -> Decimal | None:
    """Return what the scale shows in grams, None where it shows no weight."""
    if reading.value is None or reading.status not in (ReadingStatus.STABLE, ReadingStatus.DYNAMIC):
        return None
    return grams(reading.value, reading.unit)


def shown(seen: StepLook, reading: ScaleReading) -> Shown:
    """Return what a reading means at the pouring of a step."""
    gross = gross_g(reading)
    tare = seen.tare_g or Decimal(0)
    stable = reading.status is ReadingStatus.STABLE
    low, high = seen.low or Decimal(0), seen.high or Decimal(0)
    own = None if gross is None else gross - tare
    net = None if own is None else own + seen.done_g
    usable = stable and net is not None and own is not None and own > 0
    within = net is not None and low <= net <= high
    return Shown(
        net_g=net,
        stable=stable,
        link=LINKS.get(reading.status, Link.OK),
        may_accept=usable and within,
        may_add=usable and net is not None and net <= high and not within,
        may_deviate=usable and not within,
        over=net is not None and net > high,
    )


def live(label: str, scale: ScaleLook | None) -> LiveWeight:
    """Return a live weight with as many decimals as the scale has."""
    return LiveWeight(label=label, places=scale.places if scale else 3, margin=0)


def live_in_tolerance(seen: StepLook) -> LiveWeight:
    """Return a live weight with the step's limits."""
    weight = live(seen.material, seen.scale)
    if seen.low is not None and seen.target is not None and seen.high is not None:
        weight.limits(seen.low, seen.target, seen.high)
    return weight


def show_gross(weight: LiveWeight, reading: ScaleReading) -> bool:
    """Show what lies on the scale; return whether it may be taken."""
    gross = gross_g(reading)
    stable = reading.status is ReadingStatus.STABLE
    weight.show(gross, stable=stable, link=LINKS.get(reading.status, Link.OK))
    return stable and gross is not None and gross >= 0


def scan_screen(desk: Desk, seen: StepLook) -> Screen:
    """Ask for the source container."""
    busy: list[bool] = []

    async def scanned(raw: str) -> None:
        if busy:
            return
        busy.append(True)
        try:
            label = desk.floor.scan(raw)
            if newborn.begins(desk, label):
                desk.scanned = label
                desk.go(do=newborn.BEGINS)
                return
            await desk.submit(
                desk.new_press(),
                lambda: ScanContainer(batch=seen.batch, step=seen.step, **label),
                recorded=f"Container accepted: {seen.material}",
                stops=True,
            )
        finally:
            busy.clear()

    field = ScanField(
        lambda raw: desk.soon(lambda: scanned(raw)),
        label=f"Label of the {seen.material} container",
        margin=0,
    )
    rows = [("Target", kg_text(seen.target or Decimal(0)))]
    rows.append(("Limits", limits_text(seen.low, seen.high, unit="g")))
    if seen.done_g:
        rows.append(("Weighed so far", kg_text(seen.done_g)))
    return Screen(main=[field, draw.piece(draw.pours(rows))])


def tare_screen(desk: Desk, seen: StepLook) -> Screen:
    """Take the empty container's weight."""
    weight = live("Empty container", seen.scale)

    def take(press: str) -> object:
        return desk.submit(
            press,
            lambda: RecordTare(
                batch=seen.batch, step=seen.step, reading=desk.floor.reading(desk.viewer.station)
            ),
            recorded=f"Tare for {seen.material}",
        )

    press = primary("Tare", take, enabled=False, busy_label="Reading the scale …")

    def on_weight(reading: ScaleReading) -> None:
        may = show_gross(weight, reading)
        press.enabled = may

    rows = [("From lot", seen.lot), ("Container", seen.container)]
    return Screen(main=[weight, draw.piece(draw.pours(rows))], primary=press, on_weight=on_weight)


def pour_screen(desk: Desk, seen: StepLook) -> Screen:
    """Pour until the weight is in tolerance; accept, go on with another container, or deviate."""
    weight = live_in_tolerance(seen)
    over = draw.piece()
    accept = primary(
        "Accept", lambda press: _accept(desk, seen, press, more=False), enabled=False,
        busy_label="Reading the scale …",
    )  # fmt: skip
    more = Press(
        "Another container follows", lambda press: _accept(desk, seen, press, more=True),
        enabled=False, testid="more", busy_label="Reading the scale …",
    )  # fmt: skip
    deviate = Press(
        "Record a deviation", lambda _: desk.go(do="deviate"), enabled=False, testid="deviate",
        busy_label="Opening …",
    )  # fmt: skip
    ways = draw.note(
        State.BAD,
        f"Too much: at most {kg_text(seen.high or Decimal(0))}. Take some out until the bar is"
        " green, or record the deviation.",
    )  # fmt: skip

    rows = [("From lot", f"{seen.lot}, container {seen.container}")]
    rows.append(("Tare", kg_text(seen.tare_g or Decimal(0))))
    if seen.done_g:
        rows.append(("Earlier containers", kg_text(seen.done_g)))
    small = draw.pours(rows)

    def on_weight(reading: ScaleReading) -> None:
        now = shown(seen, reading)
        weight.show(now.net_g, stable=now.stable, link=now.link)
        accept.enabled, more.enabled, deviate.enabled = (
            now.may_accept, now.may_add, now.may_deviate
        )  # fmt: skip
        deviate.tone = "danger" if now.over and now.stable else "quiet"
        text = parts.markup(ways if now.over else small)
        if over.object != text:
            over.object = text

    return Screen(
        main=[weight, over],
        quiet=[deviate, more],
        primary=accept,
        on_weight=on_weight,
    )


def _accept(desk: Desk, seen: StepLook, press: str, *, more: bool) -> object:
    def make() -> Command:
        reading = desk.floor.reading(desk.viewer.station)
        return RecordWeight(batch=seen.batch, step=seen.step, reading=reading, more=more)

    def words(_: object) -> str:
        batch = desk.batch(seen.batch)
        run = batch.run(seen.step) if batch else None
        return f"{seen.material}, net {kg_text(run.net_g if run else Decimal(0))}"

    return desk.submit(press, make, recorded=words)


def deviate_screen(desk: Desk, seen: StepLook) -> Screen:
    """Record a weight that cannot be made good, with its reason."""
    weight = live_in_tolerance(seen)
    chosen: list[str] = []
    text = pu.TextInput(
        label="In your own words", max_length=500, sx=KIOSK_INPUT, sizing_mode="stretch_width"
    )
    state = {"may": False}
    record = Press(
        "Record and hold the batch",
        lambda press: _deviate(desk, seen, press, chosen=chosen, text=text.value_input),
        tone="danger", enabled=False, testid="primary", busy_label="Reading the scale …",
    )  # fmt: skip

    def rows() -> list[Choice]:
        return [
            Choice(id=key, title=words, selected=key in chosen) for key, words in REASONS.items()
        ]

    def choose(key: str) -> None:
        chosen[:] = [key]
        reasons.show(rows())
        allow()

    def allow() -> None:
        written = bool((text.value_input or "").strip()) or chosen not in (["other"], [])
        record.enabled = state["may"] and bool(chosen) and written

    def on_weight(reading: ScaleReading) -> None:
        now = shown(seen, reading)
        weight.show(now.net_g, stable=now.stable, link=now.link)
        state["may"] = now.may_deviate
        allow()

    reasons = Choices(
        rows(), choose, shape="tight", label="Reason", margin=0, sizing_mode=None, width=460
    )
    text.param.watch(lambda _: allow(), "value_input")
    back = Press("‹ Weighing", lambda _: desk.go(do=None), testid="back", busy_label="Opening …")
    return Screen(
        main=[weight, pn.Spacer(height=14), text],
        side=reasons,
        quiet=[back],
        primary=record,
        on_weight=on_weight,
    )


def _deviate(desk: Desk, seen: StepLook, press: str, *, chosen: list[str], text: str) -> object:
    words = (text or "").strip()
    reason = "" if chosen == ["other"] else REASONS[chosen[0]] + "."
    why = f"{reason} {words}".strip()[:1000]

    def make() -> Command:
        reading = desk.floor.reading(desk.viewer.station)
        return RecordDeviatingWeight(
            batch=seen.batch, step=seen.step, reading=reading, why=why
        )  # fmt: skip

    async def act() -> None:
        done = await desk.submit(press, make, recorded="Deviation; the batch is held, QA is told")
        if done is not None:
            desk.go(do=None)

    return act()


SCREENS = {Doing.SCAN: scan_screen, Doing.TARE: tare_screen, Doing.POUR: pour_screen}
