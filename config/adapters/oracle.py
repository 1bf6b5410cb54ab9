"""Settings of Oracle Fusion Cloud Manufacturing: the client, and what a plant posts to."""

from typing import Annotated, Literal

from msgspec import Meta, field

from config.adapters.setting import ErpSetting, Required, SecretName, UnitItem
from config.faults import Record

type FieldName = Annotated[str, Meta(pattern="^[A-Za-z][A-Za-z0-9_]{0,80}$")]
type Subinventory = Annotated[str, Meta(min_length=1, max_length=18)]
type Movement = Literal["issue", "return", "receipt", "unreceipt"]
type Refusal = Literal["lot_unknown", "period_closed", "order_closed", "stock_missing"]


class OracleSecrets(Record, frozen=True, kw_only=True):
    """Names in the vault."""

    client: SecretName = "erp-oracle-client"


class OracleSetting(ErpSetting, frozen=True, kw_only=True):
    """`adapter = "oracle"`; units left out are Kilogram, Liter and Each.

    `types` are the names of inventory transaction types in the language of our user, `refusals` the
    names of Oracle's messages by our codes, and the two fields are those by which a reference goes
    there and comes back.
    """

    token_at: str
    client_id: Required
    scope: Required
    organization: Annotated[str, Meta(min_length=1, max_length=18)]
    components_from: Subinventory
    goods_to: Subinventory
    source: Annotated[str, Meta(min_length=1, max_length=30)]
    operation: Annotated[int, Meta(ge=1)] = 10
    units: dict[str, UnitItem] = field(default_factory=dict)
    digits: Annotated[int, Meta(ge=0, le=9)] = 5
    types: dict[Movement, Required] = field(default_factory=dict)
    refusals: dict[str, Refusal] = field(default_factory=dict)
    reference_to: FieldName = "SourceHeaderReference"
    reference_from: FieldName = "Reference"
    secrets: OracleSecrets = OracleSecrets()
