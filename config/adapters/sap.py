"""Settings of SAP S/4HANA: what of its organisation a plant posts to."""

from typing import Annotated

from msgspec import Meta, field

from config.adapters.setting import ErpSetting, Required, SecretName, UnitItem
from config.faults import Record

type Four = Annotated[str, Meta(min_length=1, max_length=4)]


class SapSecrets(Record, frozen=True, kw_only=True):
    """Names in the vault."""

    password: SecretName = "erp-sap-password"  # noqa: S105 - a name in the vault


class SapSetting(ErpSetting, frozen=True, kw_only=True):
    """`adapter = "sap"`; units left out are KG, L and PC."""

    user: Required
    plant: Four
    components_from: Four
    goods_to: Four
    client: Annotated[str, Meta(pattern="^[0-9]{3}$")] | None = None
    units: dict[str, UnitItem] = field(default_factory=dict)
    scrap: dict[str, str] = field(default_factory=dict)
    order_service: Required = "API_PRODUCTION_ORDER_2_SRV"
    order_set: Required = "A_ProductionOrder_2"
    repeatability: bool = False
    orders_by_change: bool = False
    secrets: SapSecrets = SapSecrets()
