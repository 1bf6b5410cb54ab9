"""From a plant's setting to its adapter: the one table of what can be chosen.

A maker's plant says what fits into the ERP before anything is connected.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from config.adapters.setting import ErpSetting
from erp.adapters import webhook_setup
from erp.adapters.business_central import setup as business_central
from erp.adapters.dynamics import setup as dynamics
from erp.adapters.given import Given
from erp.adapters.netsuite import setup as netsuite
from erp.adapters.odata import setup as modelled
from erp.adapters.oracle import setup as oracle
from erp.adapters.quickbooks import setup as quickbooks
from erp.adapters.sage_x3 import setup as sage_x3
from erp.adapters.sap import setup as sap
from erp.connected import Connected
from erp.port import ErpProfile


class Fits(Protocol):
    """What of an ERP a plant posts to: its organisation, as the setting names it."""

    def profile(self) -> ErpProfile:
        """Return what the ERP takes and how much fits."""


@dataclass(frozen=True, slots=True)
class Maker:
    """How one kind of adapter comes to be from its own record."""

    plant: Callable[[Any, ZoneInfo], Fits]
    connect: Callable[[Any, Any, Given], Connected]


# adapter, as `erp.toml` names it -> how it is made; one line per adapter
MAKERS: Mapping[str, Maker] = {
    "webhook": Maker(webhook_setup.plant, webhook_setup.connect),
    "tryton": Maker(webhook_setup.plant, webhook_setup.connect),
    "sap": Maker(sap.plant, sap.connect),
    "netsuite": Maker(netsuite.plant, netsuite.connect),
    "business-central": Maker(business_central.plant, business_central.connect),
    "sage-x3": Maker(sage_x3.plant, sage_x3.connect),
    "quickbooks": Maker(quickbooks.plant, quickbooks.connect),
    "dynamics": Maker(dynamics.plant, dynamics.connect),
    "oracle": Maker(oracle.plant, oracle.connect),
    "ifs-cloud": Maker(modelled.plant, modelled.connect_ifs),
    "infor-ln": Maker(modelled.plant, modelled.connect_ln),
}


def profile_of(setting: ErpSetting, zone: ZoneInfo) -> ErpProfile:
    """Return what the chosen ERP takes and how much fits, without calling it."""
    return MAKERS[setting.adapter].plant(setting, zone).profile()


def connect(setting: ErpSetting, given: Given) -> Connected:
    """Return the chosen adapter; nothing is sent yet.

    Raises:
        MesError: a secret that it needs is not kept, or is no secret of that kind.
    """
    made = MAKERS[setting.adapter]
    return made.connect(setting, made.plant(setting, given.zone), given)
