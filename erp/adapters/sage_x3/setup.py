"""Sage X3 from a plant's setting."""

from zoneinfo import ZoneInfo

from config.adapters.sage_x3 import SageX3Setting
from erp.adapters.calling import Basic
from erp.adapters.given import Given
from erp.adapters.sage_x3.adapter import X3Words
from erp.adapters.sage_x3.mapping import UNITS, X3Plant
from erp.adapters.spoken import SpokenErp


def plant(setting: SageX3Setting, zone: ZoneInfo) -> X3Plant:
    """Return the site that the plant posts to."""
    return X3Plant(
        site=setting.site,
        pool=setting.pool,
        components_from=setting.components_from,
        goods_to=setting.goods_to,
        zone=zone,
        units=UNITS.renamed(setting.units),
        language=setting.language,
        post=setting.post,
        read=setting.read,
        gl_at_once=setting.gl_at_once,
    )


def connect(setting: SageX3Setting, site: X3Plant, given: Given) -> SpokenErp[X3Words]:
    """Return its adapter."""
    login = Basic(setting.user, given.secret(setting.secrets.password))
    return SpokenErp(X3Words(given.address, login=login, plant=site, timeout_s=setting.timeout_s))
