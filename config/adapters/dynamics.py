"""Settings of Dynamics 365 SCM: the application's client and the legal entity."""

from typing import Annotated

from msgspec import Meta, field

from config.adapters.setting import ErpSetting, Required, SecretName, UnitItem
from config.faults import Record

type EntityName = Annotated[str, Meta(pattern="^[A-Za-z][A-Za-z0-9_]{0,80}$")]


class DynamicsSecrets(Record, frozen=True, kw_only=True):
    """Names in the vault."""

    client: SecretName = "erp-dynamics-client"


class DynamicsSetting(ErpSetting, frozen=True, kw_only=True):
    """`adapter = "dynamics"`; units left out are kg, l and ea.

    `messages` and `periods` are entities and `batch_field` a field that the customer's partner has
    made; what is left out is not asked for.
    """

    tenant: Required
    client_id: Required
    company: Annotated[str, Meta(min_length=1, max_length=4)]
    units: dict[str, UnitItem] = field(default_factory=dict)
    digits: Annotated[int, Meta(ge=0, le=6)] = 2
    messages: EntityName | None = None
    periods: EntityName | None = None
    batch_field: EntityName | None = None
    secrets: DynamicsSecrets = DynamicsSecrets()
