"""Settings of Business Central: the company, who we are to it, and the pages its partner made."""

from typing import Annotated

from msgspec import Meta, field

from config.adapters.setting import ErpSetting, Required, SecretName, UnitItem
from config.faults import Record

type Code10 = Annotated[str, Meta(min_length=1, max_length=10)]
type Guid = Annotated[str, Meta(pattern="^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]


class BusinessCentralSecrets(Record, frozen=True, kw_only=True):
    """Names in the vault."""

    client: SecretName = "erp-business-central-client"


class BusinessCentralSetting(ErpSetting, frozen=True, kw_only=True):
    """`adapter = "business-central"`; units left out are KG, L and PCS.

    `address` is the environment's, with tenant and name; `token_at` is where the identity provider
    gives tokens.
    """

    token_at: Required
    client_id: Guid
    company: Guid
    components_from: Code10
    goods_to: Code10
    units: dict[str, UnitItem] = field(default_factory=dict)
    pages: Annotated[str, Meta(pattern=r"^\w+/\w+/v\d+\.\d+$")] = "batchwright/execution/v1.0"
    gl_at_once: bool = False
    secrets: BusinessCentralSecrets = BusinessCentralSecrets()
