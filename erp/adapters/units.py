"""Units of measure as an ERP spells them, beside the UN/ECE units of the wire; for all makers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from config.adapters.setting import UnitItem
from erp.contract import quantity_text


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit by the ERP's code; `per_ours`, a power of ten, of it are one of our wire unit."""

    code: str
    per_ours: Decimal = Decimal(1)


class Units(Mapping[str, Unit]):
    """The base units in which a plant's items are kept, by our wire unit.

    `digits` is what a quantity keeps after the point, in the ERP's base unit.
    """

    def __init__(self, units: Mapping[str, Unit], *, digits: int) -> None:
        self._units = dict(units)
        self.digits = digits

    def renamed(self, items: Mapping[str, UnitItem], digits: int | None = None) -> "Units":
        """Return an ERP's usual units with those that a plant's setting names otherwise."""
        named = {ours: Unit(it.code, it.per_ours) for ours, it in items.items()}
        kept = self.digits if digits is None else digits
        return Units({**self._units, **named}, digits=kept)

    def __getitem__(self, ours: str) -> Unit:
        return self._units[ours]

    def __iter__(self) -> Iterator[str]:
        return iter(self._units)

    def __len__(self) -> int:
        return len(self._units)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Units) and self._units == other._units and self.digits == other.digits
        )

    def __hash__(self) -> int:
        return hash((frozenset(self._units.items()), self.digits))

    def scales(self) -> dict[str, int]:
        """Return the digits that fit, told in our units; pieces are whole.

        >>> Units({"KGM": Unit("G", Decimal(1000))}, digits=3).scales()
        {'KGM': 6}
        """
        return {
            ours: 0 if ours == "C62" else self.digits + unit.per_ours.adjusted()
            for ours, unit in self._units.items()
        }

    def theirs(self, value: Decimal, ours: str) -> Decimal:
        """Return a quantity of the wire in the ERP's unit."""
        return Decimal(quantity_text(value * self._units[ours].per_ours))

    def ours(self, value: object, code: str) -> tuple[Decimal, str]:
        """Return a quantity of the ERP with the unit of the wire.

        Raises:
            ValueError: the unit is not one of the plant's.
        """
        for ours, unit in self._units.items():
            if unit.code == code:
                return Decimal(quantity_text(Decimal(str(value)) / unit.per_ours)), ours
        known = sorted(unit.code for unit in self._units.values())
        raise ValueError(f"unit {code}: not one of {known}")
