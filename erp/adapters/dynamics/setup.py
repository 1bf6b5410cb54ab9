"""Dynamics 365 Supply Chain Management from a plant's setting."""

from zoneinfo import ZoneInfo

from config.adapters.dynamics import DynamicsSetting
from erp.adapters.dynamics.adapter import DynamicsWords
from erp.adapters.dynamics.mapping import UNITS, DynamicsPlant
from erp.adapters.given import Given
from erp.adapters.oauth import client_credentials
from erp.adapters.spoken import SpokenErp

ENTRA = "https://login.microsoftonline.com"


def plant(setting: DynamicsSetting, zone: ZoneInfo) -> DynamicsPlant:
    """Return how the customer's legal entity is set up."""
    return DynamicsPlant(
        company=setting.company,
        zone=zone,
        units=UNITS.renamed(setting.units, setting.digits),
        batch_field=setting.batch_field,
        messages=setting.messages,
        periods=setting.periods,
    )


def connect(
    setting: DynamicsSetting, entity: DynamicsPlant, given: Given
) -> SpokenErp[DynamicsWords]:
    """Return its adapter; the token is for the environment itself."""
    login = client_credentials(
        f"{ENTRA}/{setting.tenant}/oauth2/v2.0/token",
        client_id=setting.client_id,
        secret=given.secret(setting.secrets.client),
        scope=f"{given.address}/.default",
    )
    return SpokenErp(
        DynamicsWords(given.address, login=login, plant=entity, timeout_s=setting.timeout_s)
    )
