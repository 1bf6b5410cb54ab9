"""SAP S/4HANA from a plant's setting."""

from zoneinfo import ZoneInfo

from config.adapters.sap import SapSetting
from erp.adapters.calling import Basic
from erp.adapters.given import Given
from erp.adapters.sap.adapter import SapErp
from erp.adapters.sap.mapping import UNITS, SapPlant, SapUnit
from erp.port import ErpProfile


def plant(setting: SapSetting, zone: ZoneInfo) -> SapPlant:
    """Return what of SAP's organisation the plant posts to."""
    named = {ours: SapUnit(it.code, it.per_ours) for ours, it in setting.units.items()}
    return SapPlant(
        plant=setting.plant,
        components_from=setting.components_from,
        goods_to=setting.goods_to,
        zone=zone,
        units={**UNITS, **named},
        scrap=setting.scrap,
        order_service=setting.order_service,
        order_set=setting.order_set,
        client=setting.client,
        repeatability=setting.repeatability,
    )


def profile(setting: SapSetting, zone: ZoneInfo) -> ErpProfile:
    """Return what fits into it."""
    return plant(setting, zone).profile()


def connect(setting: SapSetting, given: Given) -> SapErp:
    """Return its adapter."""
    return SapErp(
        given.address,
        login=Basic(setting.user, given.secret(setting.secrets.password)),
        plant=plant(setting, given.zone),
        timeout_s=setting.timeout_s,
    )
