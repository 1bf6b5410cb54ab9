"""IFS Cloud and Infor LN as peers: each reached its own way, behind the same modelled service."""

from __future__ import annotations

import json
from zoneinfo import ZoneInfo

from erp.adapters.oauth import client_credentials
from erp.adapters.odata.adapter import ODataWords
from erp.adapters.odata.mapping import UNITS, ODataPlant
from erp.adapters.odata.reached import ifs_service, ion_api, ln_headers, ln_login, ln_service
from erp.adapters.spoken import SpokenErp
from erp.simulated import modelled

TOKEN_PATH = "/auth/realms/ifscloud/protocol/openid-connect/token"


def plant(name: str) -> ODataPlant:
    return ODataPlant(
        name=name, components_from="RM", goods_to="FG", zone=ZoneInfo("UTC"), units=UNITS,
        gl_at_once=True,
    )  # fmt: skip


def ifs(address: str, *, token_at: str, user: str, secret: str) -> SpokenErp[ODataWords]:
    login = client_credentials(
        f"{token_at}{TOKEN_PATH}", client_id=user, secret=secret, scope="openid"
    )
    given = {"service": ifs_service("BatchwrightPosting"), "plant": plant("IFS Cloud")}
    return SpokenErp(ODataWords(address, login=login, **given, timeout_s=10))


def ionapi(token_at: str, *, user: str, secret: str) -> str:
    return json.dumps({
        "ti": modelled.TENANT, "pu": f"{token_at}/{modelled.TENANT}/as/",
        "ot": "token.oauth2", "ci": modelled.CLIENT, "cs": "of the client", "saak": user,
        "sask": secret,
    })  # fmt: skip


def ln(address: str, *, token_at: str, user: str, secret: str) -> SpokenErp[ODataWords]:
    api = ion_api(ionapi(token_at, user=user, secret=secret))
    words = ODataWords(
        f"{address}/{modelled.TENANT}",
        login=ln_login(api, timeout_s=10),
        plant=plant("Infor LN"),
        service=ln_service("mes.posting"),
        headers=ln_headers(modelled.COMPANY, modelled.IDENTITY),
        timeout_s=10,
    )
    return SpokenErp(words)
