"""Oracle Fusion Cloud Manufacturing from a plant's setting."""

from zoneinfo import ZoneInfo

from config.adapters.oracle import OracleSetting
from erp.adapters.given import Given
from erp.adapters.oauth import client_credentials
from erp.adapters.oracle.adapter import OracleWords
from erp.adapters.oracle.mapping import TYPES, UNITS, OraclePlant
from erp.adapters.spoken import SpokenErp


def plant(setting: OracleSetting, zone: ZoneInfo) -> OraclePlant:
    """Return what of Oracle's organisation the plant posts to."""
    return OraclePlant(
        organization=setting.organization,
        components_from=setting.components_from,
        goods_to=setting.goods_to,
        source=setting.source,
        zone=zone,
        operation=setting.operation,
        units=UNITS.renamed(setting.units, setting.digits),
        types={**TYPES, **dict[str, str](setting.types.items())},
        refusals=setting.refusals,
        reference_to=setting.reference_to,
        reference_from=setting.reference_from,
    )


def connect(
    setting: OracleSetting, organization: OraclePlant, given: Given
) -> SpokenErp[OracleWords]:
    """Return its adapter; the token is of the customer's identity domain."""
    login = client_credentials(
        setting.token_at,
        client_id=setting.client_id,
        secret=given.secret(setting.secrets.client),
        scope=setting.scope,
        in_header=True,
    )
    return SpokenErp(
        OracleWords(given.address, login=login, plant=organization, timeout_s=setting.timeout_s)
    )
