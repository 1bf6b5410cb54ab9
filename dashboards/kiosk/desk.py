"""What every screen of a kiosk acts through: one submission per press, its answer shown."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from panel.viewable import Viewable

from core.batch.state import Batch
from core.clock import now
from core.command_id import new_command_id
from core.equipment import Station
from core.errors import MesError, Refused
from core.execution import Actor, Execution
from core.fact import Command
from core.ledger.writer import Receipt
from core.reading import ScaleReading
from dashboards import parts, visit
from dashboards.components.refusal_bar import RefusalBar
from dashboards.components.signature_dialog import SignatureDialog
from dashboards.floor import Floor, NoStation
from dashboards.kiosk import draw
from dashboards.kiosk.board import Place
from dashboards.kiosk.look import StepLook, look
from dashboards.plant import PlantServices
from dashboards.session import Viewer
from dashboards.signing_act import Ask, SigningAct

log = logging.getLogger(__name__)
NOT_RECORDED = "Not recorded: the server had a fault. Try again, then call the supervisor."


@dataclass(slots=True, kw_only=True)
class Screen:
    """What is drawn: the work, what stands beside it, the actions. Equal keys look the same."""

    key: object = None
    main: list[Viewable] = field(default_factory=list)
    side: Viewable | None = None
    quiet: list[Viewable] = field(default_factory=list)
    primary: Viewable | None = None
    on_weight: Callable[[ScaleReading], None] | None = None
    topics: tuple[str, ...] = ()


class SessionEnded(Refused):
    """The login of this page is over."""

    def __init__(self) -> None:
        super().__init__("Session: it has ended. Nothing was recorded. Sign in again.")


class Desk:
    """One kiosk page: who is there, where it stands, and how it records."""

    def __init__(self, plant: PlantServices, viewer: Viewer) -> None:
        self.plant, self.viewer = plant, viewer
        self.execution: Execution = plant.execution
        self.login = visit.login()
        self.bar = RefusalBar(margin=0)
        self.dialog = SignatureDialog(issuer=plant.provider_issuer)
        self.said = draw.piece(draw.said("", ""), align="center")
        self.at: dict[str, str] = {}
        self.scanned: dict[str, Any] = {}  # a label that waits for a decision, not recorded
        self.redraw: Callable[[], object] = lambda: None
        station = viewer.station
        self.station = self.execution.nouns.get(Station, station) if station else None

    @property
    def floor(self) -> Floor:
        """The devices around the kiosk.

        Raises:
            NoStation: this server has none.
        """
        if self.plant.floor is None:
            raise NoStation
        return self.plant.floor

    @property
    def is_supervisor(self) -> bool:
        """Whether this person may send orders to rooms."""
        return "supervisor" in self.viewer.roles

    def place(self) -> Place:
        """Return where the kiosk stands, now."""
        here = self.station
        return Place(
            room=here.room if here else None,
            scale=here.scale if here else None,
            zone=self.plant.zone,
            at=now(),
        )

    def batch(self, name: str) -> Batch | None:
        """Return a batch as of the last commit."""
        return self.execution.nouns.get(Batch, name)

    def look(self, batch: Batch) -> StepLook:
        """Return what this kiosk shows of a batch now."""
        place = self.place()
        return look(self.execution, batch, scale=place.scale, at=place.at, zone=place.zone)

    def go(self, **values: str | None) -> None:
        """Change where the page is; the URL follows and keeps it over a reload."""
        for name, value in values.items():
            self.at[name] = value or ""
        visit.set_query(**values)
        self.bar.clear()
        self.redraw()

    @staticmethod
    def new_press() -> str:
        """Return an id for an act that came without a button, such as a scan."""
        return new_command_id()

    @staticmethod
    def soon(work: Callable[[], Any]) -> None:
        """Run a coroutine function on this page's own turn."""
        visit.soon(work)

    def told(self, text: str) -> None:
        """Say what was recorded; called with a receipt in hand only."""
        at = f"{now().astimezone(self.plant.zone):%H:%M:%S %Z}"
        self.said.object = parts.markup(draw.said(text, at))

    def quiet(self) -> None:
        """Take the last message off."""
        self.said.object = parts.markup(draw.said("", ""))

    async def submit(
        self,
        press: str,
        make: Callable[[], Command],
        *,
        recorded: str | Callable[[Receipt], str] = "",
        stops: bool = False,
        reason: str | None = None,
    ) -> Receipt | None:
        """Record one command; return its receipt, or None after showing why not.

        Args:
            press: the press's own id, the command's id.
            make: builds the command in a worker thread; it may read the scale.
            recorded: what to say when it is on disk.
            reason: why, where the entry itself must say so.
            stops: a refusal covers the whole screen, as for a wrong container.
        """
        self.bar.clear()
        self.quiet()
        receipt = await self._answered(lambda: self._record(press, make, reason), stops=stops)
        if receipt is not None:
            text = recorded if isinstance(recorded, str) else recorded(receipt)
            self.told(text)
        self.redraw()
        return receipt

    async def _answered[T](self, work: Callable[[], T], *, stops: bool) -> T | None:
        try:
            self._alive()
            return await asyncio.to_thread(work)
        except Refused as no:
            self.bar.show(no, full=stops)
        except MesError as no:
            self.bar.show(no, word="Changed")
        except Exception:
            log.exception("a press was not recorded")
            self.bar.show(NOT_RECORDED, word="Not recorded")
        return None

    def _record(self, press: str, make: Callable[[], Command], reason: str | None) -> Receipt:
        command = make()
        return self.execution.submit(
            command, actor=self.actor, idem=f"kiosk-{press}", reason=reason
        )

    def act(self, ask: Callable[[], Ask]) -> SigningAct:
        """Return an act to be signed here, for the signature dialog."""
        return SigningAct(self.execution, self.actor, ask, alive=self._alive)

    @property
    def actor(self) -> Actor:
        """Who acts, and where."""
        return self.viewer.actor

    def _alive(self) -> None:
        if self.login.ended:
            raise SessionEnded
        # Work at a kiosk comes by websocket, which the login's own clock does not see.
        self.login.seen_s = time.monotonic()
