"""SAP S/4HANA from a plant's setting."""

from zoneinfo import ZoneInfo

from config.adapters.sap import SapSetting
from erp.adapters.calling import Basic
from erp.adapters.given import Given
from erp.adapters.sap.adapter import SapWords
from erp.adapters.sap.mapping import UNITS, SapPlant
from erp.adapters.spoken import SpokenErp


def plant(setting: SapSetting, zone: ZoneInfo) -> SapPlant:
    """Return what of SAP's organisation the plant posts to."""
    return SapPlant(
        plant=setting.plant,
        components_from=setting.components_from,
        goods_to=setting.goods_to,
        zone=zone,
        units=UNITS.renamed(setting.units),
        scrap=setting.scrap,
        order_service=setting.order_service,
        order_set=setting.order_set,
        client=setting.client,
        repeatability=setting.repeatability,
        orders_by_change=setting.orders_by_change,
    )


def connect(setting: SapSetting, site: SapPlant, given: Given) -> SpokenErp[SapWords]:
    """Return its adapter."""
    login = Basic(setting.user, given.secret(setting.secrets.password))
    return SpokenErp(SapWords(given.address, login=login, plant=site, timeout_s=setting.timeout_s))
