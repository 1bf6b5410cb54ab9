"""What an adapter is given beside its setting: address in force, secrets, zone, data."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from core.errors import MesError


class SecretMissing(MesError):
    """The adapter needs a secret that nobody has kept."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Secret {name}: the ERP's adapter needs it and it is not kept."
            f" Run: batchwright secrets set {name}."
        )


class SecretUnfit(MesError):
    """A kept secret is not of the kind that the adapter needs; it is not repeated."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(f"Secret {name}: {what}. Set it anew: batchwright secrets set {name}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """`kept` returns a secret by its name in the vault; `data` is the plant's data folder."""

    address: str
    zone: ZoneInfo
    data: Path
    kept: Callable[[str], str | None] = field(repr=False)

    def secret(self, name: str) -> str:
        """Return a secret that must be there.

        Raises:
            SecretMissing: it is not kept.
        """
        found = self.kept(name)
        if found is None:
            raise SecretMissing(name)
        return found
