"""Reading `erp.toml`: the adapter it names decides which keys it may have."""

from collections.abc import Mapping
from typing import Any

from config.adapters.business_central import BusinessCentralSetting
from config.adapters.dynamics import DynamicsSetting
from config.adapters.modelled import IfsSetting, LnSetting
from config.adapters.netsuite import NetSuiteSetting
from config.adapters.oracle import OracleSetting
from config.adapters.quickbooks import QuickBooksSetting
from config.adapters.sage_x3 import SageX3Setting
from config.adapters.sap import SapSetting
from config.adapters.setting import ErpSetting
from config.adapters.webhook import WebhookSetting
from config.faults import Findings, read_record
from config.targets import SettingFaulty, web_address

FILE = "erp.toml"
# adapter -> its record; one line per adapter
SETTINGS: Mapping[str, type[ErpSetting]] = {
    "webhook": WebhookSetting,
    "tryton": WebhookSetting,
    "sap": SapSetting,
    "netsuite": NetSuiteSetting,
    "business-central": BusinessCentralSetting,
    "sage-x3": SageX3Setting,
    "quickbooks": QuickBooksSetting,
    "dynamics": DynamicsSetting,
    "oracle": OracleSetting,
    "ifs-cloud": IfsSetting,
    "infor-ln": LnSetting,
}
UNITS = ("KGM", "GRM", "LTR", "C62")


def read_setting(findings: Findings, parsed: Mapping[str, Any]) -> ErpSetting | None:
    """Return the setting that a parsed file holds, or None after noting each of its faults."""
    before = len(findings.faults)
    name = parsed.get("adapter")
    kind = SETTINGS.get(name) if isinstance(name, str) else None
    if kind is None:
        what = "missing" if name is None else f"'{name}' is not known"
        findings.add(FILE, "adapter", what, expected=f"one of {', '.join(SETTINGS)}")
        return None
    found = read_record(findings, FILE, parsed, kind=kind)
    if found is not None:
        _check(findings, found)
    return found if len(findings.faults) == before else None


def _check(findings: Findings, found: ErpSetting) -> None:
    for name in ("address", "token_at"):  # a secret goes to each
        value = getattr(found, name, None)
        try:
            if value is not None:
                web_address(name, value)
        except SettingFaulty as fault:
            findings.add(FILE, name, fault.what, expected=fault.expected)
    if isinstance(found, WebhookSetting):
        for unit in found.digits.keys() - UNITS:
            findings.add(FILE, f"digits.{unit}", "not known", expected=f"one of {', '.join(UNITS)}")
    for unit, item in getattr(found, "units", {}).items():
        if unit not in UNITS:
            findings.add(FILE, f"units.{unit}", "not known", expected=f"one of {', '.join(UNITS)}")
        digits = item.per_ours.normalize().as_tuple().digits
        if digits != (1,):
            what = f"{item.per_ours}"
            findings.add(FILE, f"units.{unit}.per_ours", what, expected="a power of ten: 1, 1000")
