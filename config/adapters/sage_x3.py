"""Settings of Sage X3: the site, the SOAP pool, and the subprograms that its partner published."""

from typing import Annotated

from msgspec import Meta, field

from config.adapters.setting import ErpSetting, Required, SecretName, UnitItem
from config.faults import Record

type Location = Annotated[str, Meta(min_length=1, max_length=10)]
type Subprogram = Annotated[str, Meta(pattern="^[A-Z][A-Z0-9]{0,9}$")]


class SageX3Secrets(Record, frozen=True, kw_only=True):
    """Names in the vault."""

    password: SecretName = "erp-sage-x3-password"  # noqa: S105 - a name in the vault


class SageX3Setting(ErpSetting, frozen=True, kw_only=True):
    """`adapter = "sage-x3"`; units left out are KG, L and UN."""

    user: Required
    site: Annotated[str, Meta(min_length=1, max_length=5)]
    pool: Required
    components_from: Location
    goods_to: Location
    units: dict[str, UnitItem] = field(default_factory=dict)
    language: Annotated[str, Meta(pattern="^[A-Z]{3}$")] = "ENG"
    post: Subprogram = "ZMESPOST"
    read: Subprogram = "ZMESREAD"
    gl_at_once: bool = False
    secrets: SageX3Secrets = SageX3Secrets()
