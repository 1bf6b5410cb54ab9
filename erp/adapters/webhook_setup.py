"""An ERP that answers our contract, and Tryton with its bridge, from a plant's setting."""

from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from config.adapters.webhook import WebhookSetting
from erp.adapters.given import Given, SecretUnfit
from erp.adapters.webhook import WebhookErp
from erp.port import ErpProfile
from erp.profile import SANDBOX, TRYTON
from erp.signing import Keys

PROFILES = {"webhook": SANDBOX, "tryton": TRYTON}


@dataclass(frozen=True, slots=True)
class Answering:
    """An ERP that answers our contract: what it takes is all that is to be known of it."""

    fits: ErpProfile

    def profile(self) -> ErpProfile:
        """Return what fits."""
        return self.fits


def plant(setting: WebhookSetting, _zone: ZoneInfo) -> Answering:
    """Return what it takes; digits that the setting names are those of this ERP's own units."""
    found = PROFILES[setting.adapter]
    return Answering(replace(found, scales={**found.scales, **setting.digits}))


def connect(setting: WebhookSetting, answering: Answering, given: Given) -> WebhookErp:
    """Return its adapter."""
    return WebhookErp(
        given.address,
        send=_keys(given, setting.secrets.send),
        receive=_keys(given, setting.secrets.receive),
        profile=answering.profile(),
        token=given.kept(setting.secrets.token),
        timeout_s=setting.timeout_s,
    )


def _keys(given: Given, name: str) -> Keys:
    try:
        return Keys.of(given.secret(name).split())  # two during a rotation, newest first
    except ValueError as fault:
        raise SecretUnfit(name, "is no whsec_ text of 24 to 64 bytes") from fault
