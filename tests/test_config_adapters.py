"""Which ERP a plant is connected to: one setting, read and refused, the same for every reader."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from config.adapters import chosen as settings_of
from config.load import PACKS, load_plant, read_plant
from config.settings import Settings
from config.targets import SettingFaulty
from core.vault import UnknownSecret, Vault, check_name
from dashboards.cli import app
from dashboards.serving import erp_link
from erp.adapters import chosen
from erp.adapters.given import SecretMissing, SecretUnfit
from erp.signing import new_secret
from tests.erp_plant import ROOT
from tests.hands import refusal

SAP = """
adapter = "sap"
address = "https://s4.example"
user = "MES"
plant = "P001"
components_from = "RM01"
goods_to = "FG01"
client = "100"
units = { KGM = { code = "G", per_ours = 1000 } }
secrets = { password = "erp-s4-test" }
"""
WEBHOOK = 'adapter = "webhook"\naddress = "https://erp.example"\n'


def pack(folder: Path, text: str) -> Path:
    made = folder / "pack"
    shutil.copytree(PACKS / "tablets", made, dirs_exist_ok=True)
    (made / "erp.toml").write_text(text, "utf-8")
    return made


def faults(folder: Path, text: str) -> list[str]:
    return [str(one) for one in read_plant(pack(folder, text))[1]]


def test_every_adapter_that_can_be_set_can_be_made() -> None:
    assert set(settings_of.SETTINGS) == set(chosen.MAKERS)


def test_the_manual_names_every_adapter_that_can_be_chosen() -> None:
    text = (ROOT / "dashboards" / "help" / "adapters.md").read_text("utf-8")
    assert [one for one in settings_of.SETTINGS if f'`adapter = "{one}"`' not in text] == []


@pytest.mark.requirement("L1")
def test_one_setting_gives_plant_and_contract_the_same_profile(tmp_path: Path) -> None:
    found = load_plant(pack(tmp_path, SAP))
    assert found.link is not None
    Vault(tmp_path / "keys").put("erp-s4-test", "hush")
    link = erp_link(Settings(data_dir=tmp_path), found)
    assert link is not None
    assert link.port.profile == chosen.profile_of(found.link, ZoneInfo("Europe/Berlin"))
    assert link.port.profile.name == "SAP S/4HANA"
    assert link.port.profile.scales == {"KGM": 6, "LTR": 3, "C62": 0}
    assert link.port.address == "https://s4.example"
    link.port.close()
    out = tmp_path / "contract"
    told = CliRunner().invoke(
        app,
        ["erp", "contract", "--profile", "pharma", "--plant", str(pack(tmp_path, SAP)),
         "--out", str(out)],
    )  # fmt: skip
    assert told.exit_code == 0, told.output
    text = (out / "contract.md").read_text("utf-8")
    assert "## The ERP of this plant: SAP S/4HANA" in text
    assert "| `mes.material_consumed.v1` | told |" in text
    assert "| `mes.batch_released.v1` | not told: listed as *not compared* |" in text
    assert "`C62` 0, `KGM` 6, `LTR` 3" in text
    assert "lot 10" in text


@pytest.mark.requirement("L1")
@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            'adapter = "sapp"',
            f"adapter: 'sapp' is not known, expected one of {', '.join(settings_of.SETTINGS)}",
        ),
        ("", f"adapter: missing, expected one of {', '.join(settings_of.SETTINGS)}"),
        (
            WEBHOOK.replace("https:", "http:"),
            "address: would cross the network in plain text, expected https://",
        ),
        (WEBHOOK + 'plant = "P001"\n', "plant: not a known key, expected one of "),
        (WEBHOOK + "pull_every_s = 0\n", "pull_every_s: 0, expected a whole number >= 1"),
        (WEBHOOK + 'secrets = { send = "whsec_abc" }\n', "secrets.send: 'whsec_abc', expected "),
        (WEBHOOK + "digits = { KGM = 10 }\n", "digits.KGM: 10, expected "),
        (
            WEBHOOK + "digits = { KG = 2 }\n",
            "digits.KG: not known, expected one of KGM, GRM, LTR, C62",
        ),
        (SAP.replace('plant = "P001"\n', ""), "plant: missing, expected text"),
        (SAP.replace("1000", "400"), "units.KGM.per_ours: 400, expected a power of ten: 1, 1000"),
        (SAP.replace("KGM", "KG"), "units.KG: not known, expected one of KGM, GRM, LTR, C62"),
    ],
)
def test_a_wrong_setting_is_refused_with_key_and_what_is_expected(
    tmp_path: Path, text: str, fault: str
) -> None:
    found = faults(tmp_path, text)
    assert any(one.startswith(f"erp.toml: {fault}") for one in found), found


def test_a_pack_without_the_file_takes_the_erp_of_the_variables(tmp_path: Path) -> None:
    found = load_plant("tablets")
    assert found.link is None
    assert erp_link(Settings(data_dir=tmp_path), found) is None
    vault = Vault(tmp_path / "keys")
    for name in ("erp-send", "erp-receive"):
        vault.put(name, new_secret())
    link = erp_link(Settings(data_dir=tmp_path, erp_address="https://erp.example"), found)
    assert link is not None
    assert link.port.profile.name == "sandbox"
    link.port.close()


def test_digits_of_the_erps_own_units_are_a_setting(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "keys")
    for name in ("erp-send", "erp-receive"):
        vault.put(name, new_secret())
    for digits, kept in (
        ("", {"KGM": 4, "LTR": 2}),
        ("digits = { KGM = 2 }\n", {"KGM": 2, "LTR": 2}),
    ):
        found = load_plant(pack(tmp_path, WEBHOOK.replace("webhook", "tryton") + digits))
        link = erp_link(Settings(data_dir=tmp_path), found)
        assert link is not None
        assert link.port.profile.scales.items() >= kept.items()
        link.port.close()


def test_the_address_of_the_host_wins_over_the_packs(tmp_path: Path) -> None:
    found = load_plant(pack(tmp_path, SAP))
    Vault(tmp_path / "keys").put("erp-s4-test", "hush")
    link = erp_link(Settings(data_dir=tmp_path, erp_address="https://s4-test.example"), found)
    assert link is not None
    assert link.port.address == "https://s4-test.example"
    link.port.close()


def test_a_chosen_erp_without_address_or_secret_is_refused_at_the_start(tmp_path: Path) -> None:
    nowhere = load_plant(pack(tmp_path, 'adapter = "webhook"\n'))
    assert refusal(SettingFaulty, lambda: erp_link(Settings(data_dir=tmp_path), nowhere)) == (
        "BATCHWRIGHT_ERP_ADDRESS: is missing, as is the address in erp.toml, expected"
        " https://host. Set it, then start again."
    )
    sap = load_plant(pack(tmp_path, SAP))
    assert refusal(SecretMissing, lambda: erp_link(Settings(data_dir=tmp_path), sap)) == (
        "Secret erp-s4-test: the ERP's adapter needs it and it is not kept."
        " Run: batchwright secrets set erp-s4-test."
    )
    webhook = load_plant(pack(tmp_path, WEBHOOK))
    Vault(tmp_path / "keys").put("erp-send", "hunter2")
    said = refusal(SecretUnfit, lambda: erp_link(Settings(data_dir=tmp_path), webhook))
    assert said.startswith("Secret erp-send: is no whsec_ text of 24 to 64 bytes.")
    assert "hunter2" not in said


def test_a_secret_may_have_a_name_of_the_plants_own_and_come_from_a_file(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("many\nlines\n", "utf-8")
    data = ["--data", str(tmp_path), "--file", str(key)]
    assert CliRunner().invoke(app, ["secrets", "set", "erp-of-berlin", *data]).exit_code == 0
    assert Vault(tmp_path / "keys").get("erp-of-berlin") == "many\nlines\n"
    for name in ("berlin", "erp-", "erp-Berlin", "erp_send"):
        refusal(UnknownSecret, lambda name=name: check_name(name))


def test_the_command_says_which_erp_it_is_and_that_it_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BATCHWRIGHT_ERP_ADDRESS", raising=False)
    Vault(tmp_path / "keys").put("erp-s4-test", "hush")
    where = pack(tmp_path, SAP.replace("https://s4.example", "http://127.0.0.1:9"))
    told = CliRunner().invoke(app, ["erp", "peer", "--plant", str(where), "--data", str(tmp_path)])
    assert told.exit_code == 1
    assert '"erp": "SAP S/4HANA"' in told.output
    assert '"answers": false' in told.output
    assert "hush" not in told.output


def test_units_are_powers_of_ten(tmp_path: Path) -> None:
    found = load_plant(pack(tmp_path, SAP))
    units = found.link.units  # type: ignore[union-attr]
    assert units["KGM"].per_ours == Decimal(1000)
