"""Settings of NetSuite: the integration's client, and what of the account a plant posts to."""

from typing import Annotated

from msgspec import Meta, field

from config.adapters.setting import ErpSetting, Required, SecretName, UnitItem
from config.faults import Record

type InternalId = Annotated[str, Meta(pattern="^[0-9]{1,18}$")]


class NetSuiteSecrets(Record, frozen=True, kw_only=True):
    """Names in the vault; the key is the private one of the certificate, as PEM."""

    key: SecretName = "erp-netsuite-key"


class NetSuiteScrap(Record, frozen=True, kw_only=True):
    """Where scrap is written off, by internal ids."""

    account: InternalId
    subsidiary: InternalId
    location: InternalId


class NetSuiteSetting(ErpSetting, frozen=True, kw_only=True):
    """`adapter = "netsuite"`; units left out are kg, L and ea, without `scrap` none is told."""

    client_id: Required
    certificate: Required
    units: dict[str, UnitItem] = field(default_factory=dict)
    digits: Annotated[int, Meta(ge=0, le=9)] = 5
    scrap: NetSuiteScrap | None = None
    asynchronous: bool = True
    orders_by_change: bool = False
    secrets: NetSuiteSecrets = NetSuiteSecrets()
