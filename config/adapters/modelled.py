"""Settings of ERPs whose service the customer models: IFS Cloud, Infor LN."""

from typing import Annotated

from msgspec import Meta, field

from config.adapters.setting import ErpSetting, Required, SecretName, UnitItem
from config.faults import Record

type Location = Annotated[str, Meta(min_length=1, max_length=35)]
type Projection = Annotated[str, Meta(pattern="^[A-Za-z][A-Za-z0-9]*$")]
type Model = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9.]*$")]


class IfsSecrets(Record, frozen=True, kw_only=True):
    """Names in the vault."""

    client: SecretName = "erp-ifs-client"


class IfsSetting(ErpSetting, frozen=True, kw_only=True):
    """`adapter = "ifs-cloud"`; `token_at` is where its IAM gives tokens."""

    token_at: Required
    client_id: Required
    components_from: Location
    goods_to: Location
    projection: Projection = "BatchwrightPosting"
    scope: Required = "openid"
    units: dict[str, UnitItem] = field(default_factory=dict)
    gl_at_once: bool = False
    secrets: IfsSecrets = IfsSecrets()


class LnSecrets(Record, frozen=True, kw_only=True):
    """Names in the vault: the `.ionapi` file of the service account, whole."""

    ionapi: SecretName = "erp-ln-ionapi"


class LnSetting(ErpSetting, frozen=True, kw_only=True):
    """`adapter = "infor-ln"`; `address` is the API Gateway's with the tenant."""

    company: Annotated[str, Meta(pattern="^[0-9]{1,4}$")]
    components_from: Location
    goods_to: Location
    model: Model = "mes.posting"
    identity: Required | None = None
    units: dict[str, UnitItem] = field(default_factory=dict)
    gl_at_once: bool = False
    secrets: LnSecrets = LnSecrets()
