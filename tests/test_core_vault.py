"""Secrets at rest: wrapped under a master key that lies elsewhere, and re-wrapped by rotation."""

from __future__ import annotations

import ast
import json
import logging
import stat
from base64 import urlsafe_b64decode
from pathlib import Path

import pytest
from argon2 import PasswordHasher, Type
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from typer.testing import CliRunner

from config.load import load_plant
from config.settings import Settings
from core.vault import MASTER_VARIABLE, MasterKeyUnfit, SecretNotKept, SecretSealed, Vault
from dashboards.cli import app
from dashboards.serving import erp_link
from erp.connected import Signs
from erp.signing import Keys, new_secret
from tests.hands import refusal

ROOT = Path(__file__).resolve().parent.parent
KEY, OTHER = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def vault(folder: Path, *keys: str) -> Vault:
    return Vault(folder, {MASTER_VARIABLE: ",".join(keys)} if keys else {})


@pytest.mark.requirement("K3")
def test_secret_is_read_back_and_lies_in_no_file(tmp_path: Path) -> None:
    vault(tmp_path).put("erp-send", "whsec_hush")
    assert vault(tmp_path).get("erp-send") == "whsec_hush"
    assert vault(tmp_path).get("erp-receive") is None
    for path in tmp_path.iterdir():
        assert b"hush" not in path.read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    vault(tmp_path).drop("erp-send")
    assert vault(tmp_path).names() == ()


@pytest.mark.requirement("K3")
def test_rotation_wraps_all_anew_and_the_old_key_opens_nothing(tmp_path: Path) -> None:
    kept = vault(tmp_path)
    kept.put("erp-send", "one")
    kept.put("erp-receive", "two")
    old, before = (tmp_path / "master.key").read_text(), (tmp_path / "vault.json").read_text()
    assert kept.rotate() == 2
    assert (tmp_path / "master.key").read_text() != old
    assert len((tmp_path / "master.key").read_text().split()) == 1
    assert not set(before.split('"')) & {t for t in text(tmp_path).split('"') if len(t) > 60}
    assert [vault(tmp_path).get(name) for name in ("erp-send", "erp-receive")] == ["one", "two"]
    refusal(SecretSealed, lambda: vault(tmp_path, old.strip()).get("erp-send"))


@pytest.mark.requirement("K3")
def test_secret_is_wrapped_by_aes_256_gcm_under_its_own_name(tmp_path: Path) -> None:
    kept = vault(tmp_path, KEY)
    kept.put("erp-send", "one")
    kept.put("erp-receive", "two")
    tokens = json.loads(text(tmp_path))
    info = b"batchwright vault, AES-256-GCM"
    key = HKDF(SHA256(), 32, salt=None, info=info).derive(urlsafe_b64decode(KEY))
    body = urlsafe_b64decode(tokens["erp-send"].removeprefix("gcm1:"))
    assert AESGCM(key).decrypt(body[:12], body[12:], b"erp-send") == b"one"
    swapped = {"erp-send": tokens["erp-receive"], "erp-receive": tokens["erp-send"]}
    (tmp_path / "vault.json").write_text(json.dumps(swapped))
    for name in swapped:
        refusal(SecretSealed, lambda name=name: vault(tmp_path, KEY).get(name))
    again = [vault(tmp_path, KEY) for _ in range(2)]
    for one in again:
        one.put("erp-send", "one")
    assert json.loads(text(tmp_path))["erp-send"] != tokens["erp-send"]  # a nonce of its own


@pytest.mark.requirement("K3")
def test_secret_of_an_earlier_server_is_opened_and_a_rotation_wraps_it_anew(
    tmp_path: Path,
) -> None:
    token = Fernet(KEY).encrypt(b"from before").decode()
    (tmp_path / "vault.json").write_text(json.dumps({"erp-send": token}))
    assert vault(tmp_path, KEY).get("erp-send") == "from before"
    refusal(SecretSealed, lambda: vault(tmp_path, OTHER).get("erp-send"))
    assert vault(tmp_path, OTHER, KEY).rotate() == 1
    assert json.loads(text(tmp_path))["erp-send"].startswith("gcm1:")
    assert vault(tmp_path, OTHER).get("erp-send") == "from before"


WEAK = {
    "md5", "MD5", "sha1", "SHA1", "ARC4", "TripleDES", "Blowfish", "IDEA", "ECB", "CBC", "CFB",
    "CTR", "DES", "DSA", "SECP192R1", "uuid1",
}  # fmt: skip
BY_CHANCE = ("simulated", "drill", "demo", "faults", "bench")  # what plays, and proves nothing
NO_PROOF = {
    "dashboards/qualify/own_files.py: sha1",  # a file's name as git has it, not for security
    "core/breached.py: sha1",  # how lists of breached secrets name them
    "erp/relay.py: random",  # how long a repeated attempt waits
}


@pytest.mark.requirement("H7")
def test_one_primitive_is_used_for_each_purpose_and_none_is_weak(
    plants_hasher: PasswordHasher,
) -> None:
    """No weak hash or cipher, and no chance but the system's, in any code of the server."""
    found = set()
    for folder in ("core", "config", "capture", "erp", "analytics", "dashboards"):
        for path in (ROOT / folder).rglob("*.py"):
            where = path.relative_to(ROOT).as_posix()
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                names = {
                    ast.Attribute: lambda one: [one.attr],
                    ast.Name: lambda one: [one.id],
                    ast.ImportFrom: lambda one: [each.name for each in one.names],
                    ast.Import: lambda one: [each.name for each in one.names],
                }.get(type(node), lambda _: [])(node)
                weak = WEAK & set(names)
                if isinstance(node, ast.Import) and "random" in names:
                    weak |= set() if any(word in where for word in BY_CHANCE) else {"random"}
                found |= {f"{where}: {one}" for one in weak}
    assert found == NO_PROOF
    assert plants_hasher.type is Type.ID
    assert plants_hasher.memory_cost >= 46 * 1024


def test_to_read_makes_neither_key_nor_folder(tmp_path: Path) -> None:
    kept = vault(tmp_path / "none")
    assert (kept.names(), kept.get("erp-send")) == ((), None)
    assert list(tmp_path.iterdir()) == []


def test_secret_that_is_not_kept_is_not_dropped(tmp_path: Path) -> None:
    kept = vault(tmp_path)
    kept.put("erp-send", "one")
    says = refusal(SecretNotKept, lambda: kept.drop("erp-sent"))
    assert says == "Secret erp-sent: is not kept here. Look at: batchwright secrets list."
    assert kept.names() == ("erp-send",)


def test_secret_whose_master_key_is_gone_is_sealed_and_no_other_key_is_made(
    tmp_path: Path,
) -> None:
    vault(tmp_path).put("erp-send", "one")
    (tmp_path / "master.key").unlink()
    refusal(SecretSealed, lambda: vault(tmp_path).get("erp-send"))
    refusal(SecretSealed, lambda: vault(tmp_path).rotate())
    assert not (tmp_path / "master.key").exists()


def text(folder: Path) -> str:
    return (folder / "vault.json").read_text()


@pytest.mark.requirement("K3")
def test_rotation_that_was_cut_short_loses_nothing(tmp_path: Path) -> None:
    kept = vault(tmp_path)
    kept.put("erp-send", "one")
    master = tmp_path / "master.key"
    master.write_text(f"{KEY}\n{master.read_text()}")
    assert vault(tmp_path).get("erp-send") == "one"
    assert vault(tmp_path).rotate() == 1
    assert vault(tmp_path).get("erp-send") == "one"


@pytest.mark.requirement("K3")
def test_master_key_of_the_environment_rotates_by_its_order(tmp_path: Path) -> None:
    vault(tmp_path, KEY).put("erp-send", "one")
    assert not (tmp_path / "master.key").exists()
    assert vault(tmp_path, OTHER, KEY).rotate() == 1
    assert vault(tmp_path, OTHER).get("erp-send") == "one"
    said = refusal(SecretSealed, lambda: vault(tmp_path, KEY).rotate())
    assert said == (
        "Secret erp-send: none of the master keys opens it. Give the key that it was wrapped"
        " under, or set the secret anew."
    )


def test_master_key_that_others_may_read_or_that_is_none_is_refused(tmp_path: Path) -> None:
    vault(tmp_path).put("erp-send", "one")
    (tmp_path / "master.key").chmod(0o640)
    assert "others may read it. Run: chmod 600" in refusal(MasterKeyUnfit, lambda: vault(tmp_path))
    refusal(MasterKeyUnfit, lambda: vault(tmp_path, "no key at all"))
    said = refusal(MasterKeyUnfit, lambda: vault(tmp_path, KEY, "no key at all"))
    assert "no key at all" not in said


def test_changed_wrapping_is_refused(tmp_path: Path) -> None:
    vault(tmp_path).put("erp-send", "one")
    path = tmp_path / "vault.json"
    token = json.loads(path.read_text())["erp-send"]
    for at in range(len(token)):
        changed = token[:at] + ("B" if token[at] == "A" else "A") + token[at + 1 :]
        path.write_text(json.dumps({"erp-send": changed}))
        refusal(SecretSealed, lambda: vault(tmp_path).get("erp-send"))


@pytest.mark.requirement("K3")
def test_command_line_keeps_lists_and_rotates_without_showing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(MASTER_VARIABLE, raising=False)
    send, receive = new_secret(), new_secret()
    run = CliRunner()
    data = ["--data", str(tmp_path)]
    with caplog.at_level(logging.DEBUG):
        told = [
            run.invoke(app, ["secrets", "set", "erp-send", *data], input=f"{send}\n"),
            run.invoke(app, ["secrets", "set", "erp-receive", *data], input=f"{receive}\n"),
            run.invoke(app, ["secrets", "list", *data]),
            run.invoke(app, ["secrets", "rotate", *data]),
            run.invoke(app, ["secrets", "set", "nothing", *data], input="x\n"),
            run.invoke(app, ["secrets", "drop", "erp-token", *data]),
        ]
    assert [one.exit_code for one in told] == [0, 0, 0, 0, 1, 1]
    assert (
        told[5].output == "Secret erp-token: is not kept here. Look at: batchwright secrets list.\n"
    )
    assert told[2].output == "erp-receive\nerp-send\n"
    assert "2 secrets are wrapped" in told[3].output
    said = caplog.text + "".join(one.output for one in told)
    assert send not in said
    assert receive not in said
    settings = Settings(data_dir=tmp_path, erp_address="https://erp.example")
    link = erp_link(settings, load_plant("tablets"))
    assert link is not None
    assert link.port.address == "https://erp.example"
    assert isinstance(link.port, Signs)
    assert link.port.receipts == Keys.of([receive])
    link.port.close()
