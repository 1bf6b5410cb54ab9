"""Sage X3 from a plant's setting."""

from zoneinfo import ZoneInfo

from config.adapters.sage_x3 import SageX3Setting
from erp.adapters.calling import Basic
from erp.adapters.given import Given
from erp.adapters.sage_x3.adapter import X3Erp
from erp.adapters.sage_x3.mapping import UNITS, X3Plant
from erp.adapters.units import renamed
from erp.port import ErpProfile


def plant(setting: SageX3Setting, zone: ZoneInfo) -> X3Plant:
    """Return the site that the plant posts to."""
    return X3Plant(
        site=setting.site,
        pool=setting.pool,
        components_from=setting.components_from,
        goods_to=setting.goods_to,
        zone=zone,
        units=renamed(UNITS, setting.units),
        language=setting.language,
        post=setting.post,
        read=setting.read,
        gl_at_once=setting.gl_at_once,
    )


def profile(setting: SageX3Setting, zone: ZoneInfo) -> ErpProfile:
    """Return what fits into it."""
    return plant(setting, zone).profile()


def connect(setting: SageX3Setting, given: Given) -> X3Erp:
    """Return its adapter."""
    return X3Erp(
        given.address,
        login=Basic(setting.user, given.secret(setting.secrets.password)),
        plant=plant(setting, given.zone),
        timeout_s=setting.timeout_s,
    )
