"""By-hand entries of what happened earlier: the time of it, and why it is recorded late."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import panel as pn
import panel.ui as pu

from core.clock import now
from core.errors import Refused
from dashboards.kiosk.desk import Desk
from dashboards.kiosk.press import Press
from dashboards.theme import KIOSK_INPUT


class NoTime(Refused):
    """What was entered is no time of day."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"Time: {text or 'nothing'} is no time of day. Enter hours and minutes, such as 06:40.",
            text=text,
        )


class Earlier:
    """A button that opens two fields; while they are closed an entry happened now."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._time = pu.TextInput(
            label="When did it happen? (hh:mm)", max_length=5, sx=KIOSK_INPUT, width=320
        )
        self._why = pu.TextInput(
            label="Why is it recorded only now?", max_length=500, sx=KIOSK_INPUT,
            sizing_mode="stretch_width",
        )  # fmt: skip
        self.fields = pn.Row(
            self._time, self._why, margin=(10, 0), sizing_mode="stretch_width", visible=False
        )
        self.button = Press(
            "This happened earlier", self._turn, testid="earlier", busy_label="Opening …"
        )

    def _turn(self, _: str) -> None:
        self.fields.visible = not self.fields.visible
        label = "This happens now" if self.fields.visible else "This happened earlier"
        self.button.label = label

    @property
    def reason(self) -> str | None:
        """Why it is late; None where it happens now or nothing was written."""
        return (self._why.value_input or "").strip() or None if self.fields.visible else None

    def happened_at(self) -> datetime | None:
        """Return the instant: today, or yesterday where that time is still to come; None for now.

        Raises:
            NoTime: the text is none.
        """
        if not self.fields.visible:
            return None
        return instant((self._time.value_input or "").strip(), at=now(), zone=self._desk.plant.zone)


def instant(text: str, *, at: datetime, zone: ZoneInfo) -> datetime:
    """Return the last time that the plant's clocks showed a time of day.

    Raises:
        NoTime: the text is none.
    """
    try:
        time = datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007 (a time of day alone)
    except ValueError:
        raise NoTime(text) from None
    today = at.astimezone(zone).date()
    found = datetime.combine(today, time, tzinfo=zone)
    if found > at + timedelta(minutes=1):
        found = datetime.combine(today - timedelta(days=1), time, tzinfo=zone)
    return found
