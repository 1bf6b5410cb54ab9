"""What an adapter is given beside its setting: the address in force, secrets, the plant's zone."""

from collections.abc import Callable
from dataclasses import dataclass, field
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
    """`kept` returns a secret by its name in the vault, None where it is not kept."""

    address: str
    zone: ZoneInfo
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
