"""From `erp.toml` to a booked posting: each setting connects to its simulator and works."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.load import load_plant, read_plant
from config.settings import Settings
from core.vault import Vault
from dashboards.serving import erp_link
from erp.port import Posted
from erp.simulated import business_central as bc
from erp.simulated import sage_x3 as x3
from tests.erp_peers import ORDERS, Story, posting
from tests.erp_simulated import SECRET, USER, SimulatedPeer
from tests.test_config_adapters import pack

CLIENT = "11111111-2222-3333-4444-555555555555"


def business_central(address: str, **changes: str) -> str:
    given = {"token_at": f"{address}{bc.TOKEN_PATH}", "company": bc.COMPANY, "client_id": CLIENT}
    keys = "\n".join(f'{name} = "{value}"' for name, value in (given | changes).items())
    return f"""
adapter = "business-central"
address = "{address}{bc.ROOT}"
components_from = "RM"
goods_to = "FG"
gl_at_once = true
{keys}
"""


def sage_x3(address: str, **changes: str) -> str:
    given = {"user": USER, "site": x3.SITE, "pool": x3.POOL, "components_from": "RM"}
    keys = "\n".join(f'{name} = "{value}"' for name, value in (given | changes).items())
    return f'adapter = "sage-x3"\naddress = "{address}"\ngoods_to = "FG"\n{keys}\n'


@pytest.mark.requirement("L1")
@pytest.mark.parametrize(
    ("kind", "text", "secret", "user"),
    [
        ("business-central", business_central, "erp-business-central-client", CLIENT),
        ("sage-x3", sage_x3, "erp-sage-x3-password", USER),
    ],
)
def test_a_setting_connects_and_books(
    tmp_path: Path, kind: str, text: object, secret: str, user: str
) -> None:
    peer = SimulatedPeer(kind, tmp_path / "erp", user=user)
    peer.restart()
    try:
        assert callable(text)
        found = load_plant(pack(tmp_path, text(peer.address)))
        Vault(tmp_path / "keys").put(secret, SECRET)
        link = erp_link(Settings(data_dir=tmp_path), found)
        assert link is not None
        assert isinstance(link.port.post(posting(Story(ORDERS[0]).consumed())), Posted)
        assert link.port.health().up
        link.port.close()
    finally:
        peer.crash()


@pytest.mark.requirement("L1")
@pytest.mark.parametrize(
    ("text", "key"),
    [
        (business_central("https://bc.example", company="CRONUS"), "company"),
        (business_central("https://bc.example", client_id="mes"), "client_id"),
        (business_central("https://bc.example", token_at="http://login.example/t"), "token_at"),
        (business_central("https://bc.example", pages="batchwright"), "pages"),
        (sage_x3("https://x3.example", site="FR0111"), "site"),
        (sage_x3("https://x3.example", post="ZMESPOSTING"), "post"),
        (sage_x3("https://x3.example", language="en"), "language"),
    ],
)
def test_a_setting_that_does_not_fit_names_its_key(tmp_path: Path, text: str, key: str) -> None:
    [fault] = read_plant(pack(tmp_path, text))[1]
    assert str(fault).startswith(f"erp.toml: {key}: ")


def test_the_settings_that_fit_have_no_fault(tmp_path: Path) -> None:
    for text in (business_central("https://bc.example"), sage_x3("https://x3.example")):
        assert read_plant(pack(tmp_path, text))[1] == ()
