"""NetSuite from a plant's setting."""

from zoneinfo import ZoneInfo

from config.adapters.netsuite import NetSuiteSetting
from erp.adapters.given import Given
from erp.adapters.netsuite.adapter import NetSuiteWords
from erp.adapters.netsuite.login import key_of, signed_login
from erp.adapters.netsuite.mapping import UNITS, NetSuitePlant, Scrap
from erp.adapters.spoken import SpokenErp


def plant(setting: NetSuiteSetting, zone: ZoneInfo) -> NetSuitePlant:
    """Return how the customer's account is set up."""
    scrap = None
    if off := setting.scrap:
        scrap = Scrap(account=off.account, subsidiary=off.subsidiary, location=off.location)
    return NetSuitePlant(
        zone=zone,
        units=UNITS.renamed(setting.units, setting.digits),
        scrap=scrap,
        asynchronous=setting.asynchronous,
        orders_by_change=setting.orders_by_change,
    )


def connect(
    setting: NetSuiteSetting, account: NetSuitePlant, given: Given
) -> SpokenErp[NetSuiteWords]:
    """Return its adapter."""
    name, timeout_s = setting.secrets.key, setting.timeout_s
    login = signed_login(
        given.address,
        client_id=setting.client_id,
        certificate=setting.certificate,
        key=key_of(name, given.secret(name)),
        timeout_s=timeout_s,
    )
    return SpokenErp(NetSuiteWords(given.address, login=login, plant=account, timeout_s=timeout_s))
