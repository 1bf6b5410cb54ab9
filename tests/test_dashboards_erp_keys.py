"""Rotation at the terminal: the vault, the ledger, and a message that both sides can check."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.authority import AdoptAuthority
from core.clock import now
from core.erp_key import ErpKey
from core.execution import Actor
from core.ledger.store import open_ledger
from core.vault import Vault
from dashboards.cli import app
from dashboards.compose import open_execution
from dashboards.office.keys_view import KeyRow, keys_view
from erp.signing import Keys, new_secret, sign, verify
from tests.plant import MATRIX, PIN, ZONE, seed


@pytest.fixture
def data(tmp_path: Path) -> Path:
    execution = open_execution(tmp_path, "test")
    execution.start()
    seed(execution)
    matrix = MATRIX | {"erp-key.begin": ("engineer",), "erp-key.end": ("engineer",)}
    adopt = AdoptAuthority(plant="test", zone=str(ZONE), matrix=matrix)
    execution.submit(adopt, actor=Actor("ada"), idem="adopt")
    execution.close()
    return tmp_path


def run(*args: str, typed: str = f"{PIN}\n") -> tuple[int, str]:
    found = CliRunner().invoke(app, ["erp", *args], input=typed)
    return found.exit_code, found.output


def kept(data: Path, name: str = "erp-send") -> Keys:
    return Keys.of((Vault(data / "keys").get(name) or "").split())


@pytest.mark.requirement("K3")
def test_a_rotation_loses_no_message_and_the_ledger_says_who(data: Path) -> None:
    old = new_secret()
    Vault(data / "keys").put("erp-send", old)
    who = ("--data", str(data), "--user", "erik", "--why", "Once a year.")
    code, text = run("rotate-key", "send", *who, "--days", "3")
    assert code == 0, text
    both, before = kept(data), Keys.of([old])
    assert len(both.keys) == 2
    assert both.ids[1] == before.ids[0]
    new = next(word for word in text.split() if word.startswith("whsec_"))
    assert Keys.of([new]).ids[0] == both.ids[0]
    at = now()
    headers = sign(both, "evt_1", at=at, body=b"{}")
    for side in (before, Keys.of([new]), both):
        assert verify(side, headers, at=at, body=b"{}") == "evt_1"
    code, text = run("rotate-key", "send", *who)
    assert (code, "is still live beside" in text) == (1, True), text
    assert kept(data) == both, "a refusal changes no key"
    code, text = run("end-key", "send", *who)
    assert code == 0, text
    assert kept(data).ids == both.ids[:1]
    ledger = open_ledger(f"sqlite:///{data / 'ledger.db'}")
    steps = [(one.type, one.actor, one.reason) for one in ledger.stream("erp-key/send")]
    bodies = " ".join(str(one.data) for one in ledger.stream("erp-key/send"))
    ledger.close()
    assert steps == [
        ("erp-key.begun", "erik", "Once a year."), ("erp-key.ended", "erik", "Once a year."),
    ]  # fmt: skip
    assert new not in bodies
    assert old not in bodies


def test_the_erp_s_new_key_is_asked_for_and_who_may_not_changes_nothing(data: Path) -> None:
    first, second = new_secret(), new_secret()
    who = ("--data", str(data), "--why", "Theirs is new.")
    code, text = run("rotate-key", "receive", *who, "--user", "erik")
    assert (code, "erp-receive: is not in the vault" in text) == (1, True), text
    Vault(data / "keys").put("erp-receive", first)
    code, _ = run("rotate-key", "receive", *who, "--user", "erik", typed=f"nonsense\n{PIN}\n")
    assert code == 1
    code, text = run("rotate-key", "receive", *who, "--user", "olga", typed=f"{second}\n{PIN}\n")
    assert (code, "needs the role engineer" in text) == (1, True), text
    assert kept(data, "erp-receive") == Keys.of([first])
    code, text = run("rotate-key", "receive", *who, "--user", "erik", typed=f"{second}\n{PIN}\n")
    assert code == 0, text
    assert kept(data, "erp-receive") == Keys.of([second, first])
    assert second not in text


def test_the_office_says_when_the_older_key_is_overdue_or_the_server_has_other_keys() -> None:
    at = now()
    held = ErpKey(direction="send", newest="k2", begun_at=at, older="k1", until=at)
    row = KeyRow(direction="send", ids=("k2", "k1"), rotation=held)
    assert "Overdue: end the older" in keys_view([row], ZONE, at)
    early = keys_view([row], ZONE, at - timedelta(microseconds=1))
    assert "Two keys: rotation under way" in early
    stale = KeyRow(direction="send", ids=("k1",), rotation=held)
    assert "Restart the server" in keys_view([stale], ZONE, at)
    assert "One key" in keys_view([KeyRow(direction="send", ids=("k1",))], ZONE, at)
