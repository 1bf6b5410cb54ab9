"""The seven decisions between MES and ERP, as rules read them.

A decision has a closed list of choices. The batch record and the cost of finished goods have one
choice each: they are stated, and cannot be switched.
"""

from typing import Literal

from msgspec import Struct

from core.errors import Refused


class Decisions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The seven decisions of one plant."""

    order_origin: Literal["erp", "erp_and_mes", "mes"]
    bom_ownership: Literal["erp_costs_mes_executes", "mes"]
    lot_birth: Literal["receipt", "first_weighing", "both"]
    inventory_cadence: Literal["each_movement", "per_shift"]
    batch_record: Literal["mes"]
    deviations: Literal["execution_in_mes_capa_in_qms", "mes"]
    finished_goods_cost: Literal["erp"]


# What holds until a plant has signed its own: everything that can be refused is allowed.
OPEN = Decisions(
    order_origin="erp_and_mes",
    bom_ownership="erp_costs_mes_executes",
    lot_birth="both",
    inventory_cadence="each_movement",
    batch_record="mes",
    deviations="execution_in_mes_capa_in_qms",
    finished_goods_cost="erp",
)


class OriginRefused(Refused):
    """The boundary policy says where orders are born."""

    def __init__(self, order: str, *, says: str, next_step: str) -> None:
        super().__init__(
            f"Order {order}: the boundary policy says {says}. {next_step}", order=order
        )


class LotBirthRefused(Refused):
    """The boundary policy says where a lot is born."""

    def __init__(self, lot: str, *, origin: str, policy: str) -> None:
        born, place = (one.replace("_", " ") for one in (origin, policy))
        super().__init__(
            f"Lot {lot}: was to be born at {born}; the boundary policy says at {place}."
            f" Record it at {place}, or sign another policy.",
            lot=lot,
            origin=origin,
            policy=policy,
        )
