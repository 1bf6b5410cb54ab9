"""What the forms share by which two people, one after another, sign about the log's keys."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import panel.ui as pu
from markupsafe import Markup

from core.errors import Refused
from core.log_key import LogKeys
from core.signature import Seen
from dashboards import parts
from dashboards.signing_act import Ask

WIDTH = 420
PROPOSED = "Recorded; it changes nothing yet. Another person opens this page and agrees."


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a form is given: the keys and their version to read, where it signs and says no."""

    held: Callable[[], LogKeys | None]
    seen: Callable[[], Seen]
    sign: Callable[[Callable[[], Ask]], None]
    refuse: Callable[[str], None]
    zone: ZoneInfo

    def ask(self, asked: Callable[[LogKeys | None, Seen], Ask]) -> None:
        """Ask for a signature, or say why there can be none.

        The version is read before the keys: what comes between is a record that has moved.
        """

        def ask() -> Ask:
            seen = self.seen()
            return asked(self.held(), seen)

        try:
            ask()
        except Refused as missing:
            self.refuse(str(missing))
            return
        self.sign(ask)


def offer(field: pu.Select, steps: Sequence[str], *, anew: bool = False) -> None:
    """Offer the steps that can be taken now, and keep the chosen one while it is among them.

    `anew` chooses the likeliest; a field that is emptied takes what it offered before.
    """
    keep = field.value if field.value in steps and not anew else steps[0]
    field.param.update(options=list(steps), value=keep)


def kept[Proposal](
    shown: Proposal | None, asked: Proposal | None, *, is_compared: bool
) -> Proposal | None:
    """Return the proposal to show: while one is compared no other one takes its place unseen."""
    return shown if is_compared and asked is not None else asked


def sentences(told: Sequence[str], testid: str) -> Markup:
    """Return sentences one below the other."""
    items = parts.join(*(Markup("<li>{}</li>").format(one) for one in told))
    return Markup('<ul class="plain" data-testid="{}">{}</ul>').format(testid, items)
