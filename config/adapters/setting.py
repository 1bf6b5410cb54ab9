"""What every adapter's setting has in common."""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta

from config.faults import Count, Positive, Record
from core.vault import ERP_NAME

type SecretName = Annotated[str, Meta(pattern=f"^{ERP_NAME}$")]
type Required = Annotated[str, Meta(min_length=1, max_length=200)]


class ErpSetting(Record, frozen=True, kw_only=True):
    """`erp.toml`: which adapter speaks to the ERP, where the ERP is, how often it is asked.

    Without an address the one of BATCHWRIGHT_ERP_ADDRESS is taken, so that a test plant and the
    real one share a pack.
    """

    adapter: str
    address: str | None = None
    pull_every_s: Count = 30
    timeout_s: Count = 20


class UnitItem(Record, frozen=True, kw_only=True):
    """A unit as the ERP spells it; so many of it are one of ours."""

    code: Required
    per_ours: Positive = Decimal(1)
