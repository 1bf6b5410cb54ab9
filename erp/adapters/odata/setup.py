"""IFS Cloud and Infor LN from a plant's setting."""

from zoneinfo import ZoneInfo

from config.adapters.modelled import IfsSetting, LnSetting
from config.targets import SettingFaulty, web_address
from erp.adapters.given import Given, SecretUnfit
from erp.adapters.oauth import client_credentials
from erp.adapters.odata.adapter import ODataWords
from erp.adapters.odata.mapping import UNITS, ODataPlant
from erp.adapters.odata.reached import (
    IonApi,
    ifs_service,
    ion_api,
    ln_headers,
    ln_login,
    ln_service,
)
from erp.adapters.spoken import SpokenErp

NAMES = {"ifs-cloud": "IFS Cloud", "infor-ln": "Infor LN"}


def plant(setting: IfsSetting | LnSetting, zone: ZoneInfo) -> ODataPlant:
    """Return the site that the plant posts to."""
    return ODataPlant(
        name=NAMES[setting.adapter],
        components_from=setting.components_from,
        goods_to=setting.goods_to,
        zone=zone,
        units=UNITS.renamed(setting.units),
        gl_at_once=setting.gl_at_once,
    )


def connect_ifs(setting: IfsSetting, site: ODataPlant, given: Given) -> SpokenErp[ODataWords]:
    """Return the adapter of an IFS Cloud."""
    login = client_credentials(
        setting.token_at,
        client_id=setting.client_id,
        secret=given.secret(setting.secrets.client),
        scope=setting.scope,
    )
    service, timeout_s = ifs_service(setting.projection), setting.timeout_s
    return SpokenErp(
        ODataWords(given.address, login=login, plant=site, service=service, timeout_s=timeout_s)
    )


def connect_ln(setting: LnSetting, site: ODataPlant, given: Given) -> SpokenErp[ODataWords]:
    """Return the adapter of an Infor LN."""
    return SpokenErp(
        ODataWords(
            given.address,
            login=ln_login(_kept_api(setting, given), timeout_s=setting.timeout_s),
            plant=site,
            service=ln_service(setting.model),
            headers=ln_headers(setting.company, setting.identity),
            timeout_s=setting.timeout_s,
        )
    )


def _kept_api(setting: LnSetting, given: Given) -> IonApi:
    """Return what the kept `.ionapi` file says; its secret goes to no plain address."""
    name = setting.secrets.ionapi
    try:
        found = ion_api(given.secret(name))
        web_address(name, found.token_at)
    except ValueError as fault:
        raise SecretUnfit(name, "is no .ionapi file of a service account") from fault
    except SettingFaulty as fault:
        raise SecretUnfit(name, f"its token address {fault.what}") from fault
    return found
