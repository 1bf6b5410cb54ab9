"""Business Central from a plant's setting."""

from zoneinfo import ZoneInfo

from config.adapters.business_central import BusinessCentralSetting
from erp.adapters.business_central.adapter import BcWords
from erp.adapters.business_central.mapping import UNITS, BcPlant
from erp.adapters.given import Given
from erp.adapters.oauth import client_credentials
from erp.adapters.spoken import SpokenErp

SCOPE = "https://api.businesscentral.dynamics.com/.default"


def plant(setting: BusinessCentralSetting, zone: ZoneInfo) -> BcPlant:
    """Return the company that the plant posts to."""
    return BcPlant(
        company=setting.company,
        components_from=setting.components_from,
        goods_to=setting.goods_to,
        zone=zone,
        units=UNITS.renamed(setting.units),
        pages=setting.pages,
        gl_at_once=setting.gl_at_once,
    )


def connect(setting: BusinessCentralSetting, company: BcPlant, given: Given) -> SpokenErp[BcWords]:
    """Return its adapter."""
    login = client_credentials(
        setting.token_at,
        client_id=setting.client_id,
        secret=given.secret(setting.secrets.client),
        scope=SCOPE,
    )
    timeout_s = setting.timeout_s
    return SpokenErp(BcWords(given.address, login=login, plant=company, timeout_s=timeout_s))
