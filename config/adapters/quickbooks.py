"""Settings of QuickBooks Desktop: how its Web Connector knows us, and how the file is kept."""

from typing import Annotated

from msgspec import Meta, field

from config.adapters.setting import ErpSetting, Required, SecretName, UnitItem
from config.faults import Count, Record

GUID = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
type Braced = Annotated[str, Meta(pattern=rf"^\{{{GUID}\}}$")]


class QuickBooksSecrets(Record, frozen=True, kw_only=True):
    """Names in the vault; the secret is what a person types into the Web Connector."""

    connector: SecretName = "erp-quickbooks-connector"


class QuickBooksSetting(ErpSetting, frozen=True, kw_only=True):
    """`adapter = "quickbooks"`; `address` is our own server's, as the Web Connector reaches it.

    Units left out are the unit of measure sets Kilogram, Liter and Each. `owner_id` and `file_id`
    name this connection to QuickBooks for good: new ones ask its user for leave again.
    """

    user: Required
    owner_id: Braced
    file_id: Braced
    units: dict[str, UnitItem] = field(default_factory=dict)
    orders: bool = True
    poll_s: Count = 900
    secrets: QuickBooksSecrets = QuickBooksSecrets()
