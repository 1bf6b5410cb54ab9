"""The services of one plant, as pages and the REST interface are given them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from core.errors import Refused
from dashboards.finance.acts import ABOUT_ROWS, WITH_FACT, NoErp, RowActs
from dashboards.finance.periods import SIGN, Periods
from dashboards.finance.replacing import complete
from dashboards.floor import Floor
from dashboards.live import Hub
from dashboards.oidc.provider import ProviderLink
from dashboards.record.stamp import Stamps
from dashboards.session import Accounts, Viewer

PRINT = "batch.print-record"
SESSIONS = ("person.record-sign-in", "person.record-sign-out")


class NumberWithoutPaper(Refused):
    """A copy is numbered when its paper is made: nobody says that one was printed."""

    def __init__(self) -> None:
        super().__init__(
            f"{PRINT}: the server numbers a copy when it makes it. Post to"
            " /review/batch/<batch>/record.pdf, from copy 2 on with why."
        )


class SessionSaidByClient(Refused):
    """A sign-in ends a row of failures, so nobody says that there was one but who saw it."""

    def __init__(self, command: str) -> None:
        super().__init__(
            f"{command}: the server says who signed in and out. Sign in at /login, and out there.",
            command=command,
        )


def _nobody(_key: str) -> Viewer | None:
    return None


def _nothing(_command: Any, _receipt: Any) -> Mapping[str, str]:
    return {}


def _healthy() -> Mapping[str, object]:
    return {}


@dataclass(frozen=True, kw_only=True)
class PlantServices:
    """What a running plant offers to its screens.

    Args:
        name: the plant's name in the header.
        zone: the plant's time zone; every time on a screen is in it, and says so.
        secret_key: signs page tokens; kept over restarts.
        health: named checks, each value JSON; raises when the plant cannot record.
        api_keys: who acts behind an API key, or None.
        provider: the sign-in provider, None for none; `origin` is the address people open.
        hosts: further names of the server; others are turned away.
        shown_once: what a command's answer holds beside its receipt, this one time.
        floor: the devices around each station; where there is none, nothing can be weighed.
        kept: the folder of what was signed and is too long for the ledger.
        keys: the folder of the plant's own keys; without one, records are not printed.
        stampers: certificates that a time stamp of the plant's authority must lead to.
        stamps: that authority, asked for a file's stamps; None where none is named.
        readers: query objects of analytics and erp by name (`oee`, `reconcile`, ...).
    """

    name: str
    zone: ZoneInfo
    accounts: Accounts
    hub: Hub
    secret_key: str
    stations: Mapping[str, str] = field(default_factory=dict)
    execution: Any = None
    ledger: Any = None
    keys: Path | None = None
    floor: Floor | None = None
    kept: Path | None = None
    stampers: Sequence[Any] = ()
    stamps: Stamps | None = None
    readers: Mapping[str, Any] = field(default_factory=dict)
    health: Callable[[], Mapping[str, object]] = _healthy
    api_keys: Callable[[str], Viewer | None] = _nobody
    shown_once: Callable[[Any, Any], Mapping[str, str]] = _nothing
    provider: ProviderLink | None = None
    origin: str | None = None
    hosts: frozenset[str] = frozenset()
    notice: str = "Sign in to see what waits for you."

    def complete(
        self, command: str, body: Mapping[str, Any], station: str | None
    ) -> dict[str, Any]:
        """Return a client's command body with what only the server may know, as JSON values.

        Raises:
            Refused: the client says it, or it cannot be known here.
        """
        if command == PRINT:
            raise NumberWithoutPaper
        if command in SESSIONS:
            raise SessionSaidByClient(command)
        if command in ABOUT_ROWS:
            if (reader := self.readers.get("reconcile")) is None:
                raise NoErp(command)
            acts = RowActs(reader, self.execution)
            if command in WITH_FACT:
                return complete(acts, command, body)
            return acts.complete(command, body)
        if command == SIGN:
            return self.periods().complete(body)
        return dict(body) if self.floor is None else self.floor.complete(command, body, station)

    @property
    def provider_issuer(self) -> str:
        """The sign-in provider's name of itself, empty where there is none."""
        return "" if self.provider is None else self.provider.issuer

    def periods(self) -> Periods:
        """Return the periods that finance signs.

        Raises:
            NoErp: nothing is compared.
        """
        if (reader := self.readers.get("reconcile")) is None:
            raise NoErp(SIGN)
        return Periods.of(reader, self.execution, plant=self.name, folder=self.kept)

    @property
    def provider_label(self) -> str:
        """What the provider's button says, empty where there is none."""
        return "" if self.provider is None else self.provider.label
