"""NetSuite from a plant's setting."""

from zoneinfo import ZoneInfo

from config.adapters.netsuite import NetSuiteSetting
from erp.adapters.given import Given
from erp.adapters.netsuite.adapter import NetSuiteErp
from erp.adapters.netsuite.login import key_of, signed_login
from erp.adapters.netsuite.mapping import UNITS, NetSuitePlant, Scrap
from erp.adapters.units import renamed
from erp.port import ErpProfile


def plant(setting: NetSuiteSetting, zone: ZoneInfo) -> NetSuitePlant:
    """Return how the customer's account is set up."""
    scrap = None
    if off := setting.scrap:
        scrap = Scrap(account=off.account, subsidiary=off.subsidiary, location=off.location)
    return NetSuitePlant(
        zone=zone,
        units=renamed(UNITS, setting.units),
        scrap=scrap,
        digits=setting.digits,
        asynchronous=setting.asynchronous,
    )


def profile(setting: NetSuiteSetting, zone: ZoneInfo) -> ErpProfile:
    """Return what fits into it."""
    return plant(setting, zone).profile()


def connect(setting: NetSuiteSetting, given: Given) -> NetSuiteErp:
    """Return its adapter."""
    name = setting.secrets.key
    login = signed_login(
        given.address,
        client_id=setting.client_id,
        certificate=setting.certificate,
        key=key_of(name, given.secret(name)),
        timeout_s=setting.timeout_s,
    )
    return NetSuiteErp(
        given.address, login=login, plant=plant(setting, given.zone), timeout_s=setting.timeout_s
    )
