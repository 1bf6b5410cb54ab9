"""How much a deviation matters, as a plant pack gives it."""

from config.faults import Positive, Record
from core.quantity import Name
from core.severity import Severity


class SeverityItem(Record, frozen=True, kw_only=True):
    """How much a deviation matters: by kind, for active materials, and far from the target."""

    kinds: dict[str, Severity]
    active_materials: tuple[Name, ...]
    active: Severity
    far_factor: Positive
    far: Severity
    source: str
