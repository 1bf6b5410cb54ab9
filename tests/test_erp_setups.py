"""From `erp.toml` to a booked posting: each setting connects to its simulator and works."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from config.accounts import accounts_of
from config.load import load_plant, read_plant
from config.seed import Seeder
from config.settings import Settings
from core.erp_door import ErpDoor
from core.vault import Vault
from dashboards.cli import app
from dashboards.compose import Plant, Wiring, open_execution
from dashboards.serving import erp_link
from dashboards.web import Web
from erp.adapters.given import SecretUnfit
from erp.port import Accepted, Posted
from erp.simulated import business_central as bc
from erp.simulated import modelled
from erp.simulated import sage_x3 as x3
from tests.erp_peers import ORDERS, Story, posting
from tests.erp_plant import free_port
from tests.erp_polled import quickbooks
from tests.erp_simulated import SECRET, USER, SimulatedPeer
from tests.hands import refusal
from tests.modelled_peer import TOKEN_PATH, ionapi
from tests.patience import eventually
from tests.test_config_adapters import pack

CLIENT = "11111111-2222-3333-4444-555555555555"


def ifs_cloud(address: str, **changes: str) -> str:
    given = {"token_at": f"{address}{TOKEN_PATH}", "client_id": USER, "goods_to": "FG"}
    keys = "\n".join(f'{name} = "{value}"' for name, value in (given | changes).items())
    return f'adapter = "ifs-cloud"\naddress = "{address}"\ncomponents_from = "RM"\n{keys}\n'


def infor_ln(address: str, **changes: str) -> str:
    given = {"company": modelled.COMPANY, "identity": modelled.IDENTITY, "goods_to": "FG"}
    keys = "\n".join(f'{name} = "{value}"' for name, value in (given | changes).items())
    where = f'address = "{address}/{modelled.TENANT}"\ncomponents_from = "RM"\n'
    return f'adapter = "infor-ln"\n{where}{keys}\n'


QUICKBOOKS = f"""
adapter = "quickbooks"
user = "{USER}"
owner_id = "{{57F3B9B1-86F1-4FCC-B1EE-566DE1813D20}}"
file_id = "{{90A44FB5-33D9-4815-AC85-BC87A7E7D1EB}}"
poll_s = 1
units = {{ KGM = {{ code = "Gram", per_ours = 1000 }} }}
"""


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
        ("ifs-cloud", ifs_cloud, "erp-ifs-client", USER),
        ("infor-ln", infor_ln, "erp-ln-ionapi", USER),
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
        given = ionapi(peer.address, user=user, secret=SECRET) if kind == "infor-ln" else SECRET
        Vault(tmp_path / "keys").put(secret, given)
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
        (ifs_cloud("https://ifs.example", token_at="http://ifs.example/t"), "token_at"),
        (ifs_cloud("https://ifs.example", projection="a/b"), "projection"),
        (infor_ln("https://ln.example", company="01000"), "company"),
        (QUICKBOOKS.replace("{90", "(90"), "file_id"),
        (QUICKBOOKS.replace("poll_s = 1", "poll_s = 0"), "poll_s"),
    ],
)
def test_a_setting_that_does_not_fit_names_its_key(tmp_path: Path, text: str, key: str) -> None:
    [fault] = read_plant(pack(tmp_path, text))[1]
    assert str(fault).startswith(f"erp.toml: {key}: ")


def test_the_settings_that_fit_have_no_fault(tmp_path: Path) -> None:
    for made in (business_central, sage_x3, ifs_cloud, infor_ln):
        assert read_plant(pack(tmp_path, made("https://erp.example")))[1] == ()


def test_a_file_of_another_kind_is_refused_by_the_name_of_its_secret(tmp_path: Path) -> None:
    found = load_plant(pack(tmp_path, infor_ln("https://ln.example")))
    vault = Vault(tmp_path / "keys")
    for kept, what in (
        ('{"ci": "x"}', "is no .ionapi file of a service account"),
        (ionapi("http://ln.example", user=USER, secret=SECRET), "would cross the network"),
    ):
        vault.put("erp-ln-ionapi", kept)
        said = refusal(SecretUnfit, lambda: erp_link(Settings(data_dir=tmp_path), found))
        assert "erp-ln-ionapi" in said
        assert what in said
        assert SECRET not in said


@pytest.mark.requirement("L1")
def test_a_served_plant_opens_its_door_to_the_web_connector(tmp_path: Path) -> None:
    found = load_plant(pack(tmp_path, QUICKBOOKS))
    data, number = tmp_path / "data", free_port()
    Vault(data / "keys").put("erp-quickbooks-connector", SECRET)
    base = f"http://127.0.0.1:{number}"
    with quickbooks(tmp_path / "erp") as peer, ExitStack() as stack:
        execution = open_execution(data, found.id)
        execution.start()
        stack.callback(execution.close)
        Seeder(execution, found, accounts_of(found, data / "accounts.json")).run()
        link = erp_link(Settings(data_dir=data, erp_address=base), found)
        assert link is not None
        plant = Plant(execution, found, Wiring(erp=link), data=data)
        plant.start()
        stack.callback(plant.stop)
        web = Web(plant, port=number)
        web.start()
        stack.callback(web.stop)
        assert f'location="{base}/erp/qbwc"' in httpx.get(f"{base}/erp/qbwc", trust_env=False).text
        peer.connect(f"{base}/erp/qbwc")
        made = Story(ORDERS[0]).released()
        eventually(lambda: link.port.health().up)
        assert isinstance(link.port.post(posting(made)), Accepted)
        eventually(lambda: link.port.find_posting(made.data.erp_ref))
        assert peer.builds(made) == 1
        peer.connect(f"{base}/erp/qbwc", secret="somebody's guess")
        eventually(lambda: execution.nouns.get(ErpDoor, "quickbooks"))
        peer.connect(None)
        shut = [one for one in execution.ledger.entries() if one.type == "erp-door.locked"]
        assert [(one.actor, one.data["failures"]) for one in shut] == [("service:erp-door", 5)]
        assert not link.port.health().up


def test_the_file_for_the_web_connector_is_written_for_quickbooks_alone(tmp_path: Path) -> None:
    out = tmp_path / "plant.qwc"
    text = QUICKBOOKS + 'address = "https://mes.example"\n'

    def run(chosen: str) -> Any:
        given = ["erp", "web-connector", "--plant", str(pack(tmp_path, chosen)), "--out", str(out)]
        return CliRunner().invoke(app, given)

    other = run(sage_x3("https://x3.example"))
    assert other.exit_code == 1
    assert "no other ERP has a Web Connector" in other.output
    assert not out.exists()
    told = run(text)
    assert told.exit_code == 0, told.output
    assert "<AppURL>https://mes.example/erp/qbwc</AppURL>" in out.read_text("utf-8")
