"""Business Central from a plant's setting."""

from zoneinfo import ZoneInfo

from config.adapters.business_central import BusinessCentralSetting
from erp.adapters.business_central.adapter import BcErp
from erp.adapters.business_central.mapping import UNITS, BcPlant
from erp.adapters.given import Given
from erp.adapters.oauth import client_credentials
from erp.adapters.units import renamed
from erp.port import ErpProfile

SCOPE = "https://api.businesscentral.dynamics.com/.default"


def plant(setting: BusinessCentralSetting, zone: ZoneInfo) -> BcPlant:
    """Return the company that the plant posts to."""
    return BcPlant(
        company=setting.company,
        components_from=setting.components_from,
        goods_to=setting.goods_to,
        zone=zone,
        units=renamed(UNITS, setting.units),
        pages=setting.pages,
        gl_at_once=setting.gl_at_once,
    )


def profile(setting: BusinessCentralSetting, zone: ZoneInfo) -> ErpProfile:
    """Return what fits into it."""
    return plant(setting, zone).profile()


def connect(setting: BusinessCentralSetting, given: Given) -> BcErp:
    """Return its adapter."""
    login = client_credentials(
        setting.token_at,
        client_id=setting.client_id,
        secret=given.secret(setting.secrets.client),
        scope=SCOPE,
    )
    return BcErp(
        given.address, login=login, plant=plant(setting, given.zone), timeout_s=setting.timeout_s
    )
