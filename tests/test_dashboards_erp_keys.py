"""Rotation at the terminal: the vault, the ledger, and a message that both sides can check."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from core.authority import AdoptAuthority
from core.clock import now
from core.erp_key import ErpKey, ErpKeyProposed
from core.execution import Actor
from core.ledger.store import open_ledger
from core.signature import Seen
from core.vault import Vault
from dashboards.cli import app
from dashboards.compose import open_execution
from dashboards.office.keys import (
    Change,
    KeyNotHere,
    KeyRow,
    NoReason,
    NothingProposed,
    Step,
    ask_change,
)
from dashboards.office.keys_view import keys_view
from dashboards.parts import local_time
from dashboards.waiting import keys_to_change
from erp.live_keys import KeyStand
from erp.signing import Keys, new_secret, sign, verify
from tests.plant import MATRIX, PIN, ZONE, seed

BOTH = ("engineer", "qa")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    execution = open_execution(tmp_path, "test")
    execution.start()
    seed(execution)
    matrix = MATRIX | {"erp-key.begin": BOTH, "erp-key.end": BOTH}
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
def test_a_key_changes_while_the_server_is_stopped_and_the_ledger_says_who(data: Path) -> None:
    old = new_secret()
    Vault(data / "keys").put("erp-send", old)
    Vault(data / "keys").put("erp-receive", new_secret())
    why = ("--data", str(data), "--why", "Once a year.")
    code, text = run("rotate-key", "send", *why, "--user", "erik", "--days", "3")
    assert code == 0, text
    assert kept(data) == Keys.of([old]), "one person alone changes nothing"
    new = next(word for word in text.split() if word.startswith("whsec_"))
    code, text = run("agree-key", "send", *why, "--user", "erik")
    assert (code, "another person must agree" in text) == (1, True), text
    code, text = run("agree-key", "send", *why, "--user", "quinn")
    assert code == 0, text
    both, before = kept(data), Keys.of([old])
    assert both == Keys.of([new, old])
    at = now()
    headers = sign(both, "evt_1", at=at, body=b"{}")
    for side in (before, Keys.of([new]), both):
        assert verify(side, headers, at=at, body=b"{}") == "evt_1"
    code, text = run("rotate-key", "send", *why, "--user", "erik")
    assert (code, "is still live beside" in text) == (1, True), text
    assert kept(data) == both, "a refusal changes no live key"
    for command, user in (("end-key", "erik"), ("agree-key", "quinn")):
        code, text = run(command, "send", *why, "--user", user)
        assert code == 0, text
    assert kept(data).ids == both.ids[:1]
    ledger = open_ledger(f"sqlite:///{data / 'ledger.db'}")
    entries = ledger.stream("erp-key/send")
    ledger.close()
    assert [(one.type, one.actor) for one in entries if one.type != "signature.applied"] == [
        ("erp-key.proposed", "erik"), ("erp-key.begun", "quinn"),
        ("erp-key.proposed", "erik"), ("erp-key.ended", "quinn"),
    ]  # fmt: skip
    assert sum(one.type == "signature.applied" for one in entries) == 4
    bodies = " ".join(str(one.data) for one in entries)
    assert new not in bodies
    assert old not in bodies


def test_the_erp_s_new_key_is_asked_for_and_who_may_not_changes_nothing(data: Path) -> None:
    first, second = new_secret(), new_secret()
    who = ("--data", str(data), "--why", "Theirs is new.")
    code, text = run("rotate-key", "receive", *who, "--user", "erik", typed=f"{second}\n{PIN}\n")
    assert (code, "is not in the vault" in text) == (1, True), text
    for name in ("erp-send", "erp-receive"):
        Vault(data / "keys").put(name, first)
    code, _ = run("rotate-key", "receive", *who, "--user", "erik", typed=f"nonsense\n{PIN}\n")
    assert code == 1
    code, text = run("rotate-key", "receive", *who, "--user", "olga", typed=f"{second}\n{PIN}\n")
    assert (code, "needs the role engineer or qa" in text) == (1, True), text
    code, text = run("agree-key", "receive", *who, "--user", "quinn")
    assert (code, "nothing is proposed" in text) == (1, True), text
    code, text = run("rotate-key", "receive", *who, "--user", "erik", typed=f"{second}\n{PIN}\n")
    assert code == 0, text
    assert kept(data, "erp-receive") == Keys.of([first])
    code, text = run("agree-key", "receive", *who, "--user", "quinn")
    assert code == 0, text
    assert kept(data, "erp-receive") == Keys.of([second, first])
    assert second not in text


def row(*live: str, missing: tuple[str, ...] = (), held: ErpKey | None = None) -> KeyRow:
    stand = KeyStand(direction="send", live=live, waiting=("k2",), missing=missing)
    return KeyRow(stand=stand, held=held)


def test_the_office_says_what_is_proposed_overdue_or_not_kept_here() -> None:
    at = now()
    held = ErpKey(direction="send", newest="k2", begun_at=at, older="k1", until=at)
    two = row("k2", "k1", held=held)
    assert "Overdue: end the older" in keys_view([two], ZONE, at)
    early = keys_view([two], ZONE, at - timedelta(microseconds=1))
    assert "Two keys: both are valid" in early
    assert local_time(at, ZONE, seconds=False) in early
    assert "Is being taken up" in keys_view([row("k1", held=held)], ZONE, at)
    assert "Not kept here: k2" in keys_view([row("k1", missing=("k2",), held=held)], ZONE, at)
    assert "One key" in keys_view([row("k1")], ZONE, at)
    step = ErpKeyProposed(direction="send", step="begin", key="k2", before="k1", days=7)
    waits = ErpKey(direction="send", newest="k1", proposed=step, proposed_by="erik")
    shown = keys_view([row("k1", held=waits)], ZONE, at, person={"erik": "Erik Lund"}.__getitem__)
    assert "Erik Lund proposes that key <code>k2</code> begins, and both live for 7 days" in shown
    assert "One key" in shown


SEEN = Seen(stream="erp-key/send", ver=0, head="")


def test_what_cannot_be_signed_is_refused_before_anybody_is_asked() -> None:
    step = ErpKeyProposed(direction="send", step="begin", key="k9", before="k1", days=7)
    waits = ErpKey(direction="send", newest="k1", proposed=step, proposed_by="erik")
    with pytest.raises(NoReason):
        ask_change(row("k1"), Change(step=Step.BEGIN, key="k2"), SEEN)
    with pytest.raises(NothingProposed):
        ask_change(row("k1"), Change(step=Step.AGREE, why="Why."), SEEN)
    with pytest.raises(KeyNotHere, match="k9: its secret is not kept"):
        ask_change(row("k1", held=waits), Change(step=Step.AGREE, why="Why."), SEEN)
    asked = ask_change(row("k1"), Change(step=Step.BEGIN, key="k2", days=5, why="Why."), SEEN)
    assert ("For", "5 days") in asked.lines
    assert row("k1", held=waits).steps == (Step.AGREE, Step.BEGIN)


def test_home_names_what_waits_for_a_second_person_and_what_is_overdue() -> None:
    at = now()
    step = ErpKeyProposed(direction="send", step="begin", key="k2", before="k1", days=7)
    waits = ErpKey(direction="send", newest="k1", proposed=step, proposed_by="erik")
    late = ErpKey(direction="receive", newest="k4", begun_at=at, older="k3", until=at)

    def shown(person: str, at: datetime, *keys: ErpKey) -> list[str]:
        here: Any = SimpleNamespace(
            execution=SimpleNamespace(nouns=SimpleNamespace(all=lambda _: keys)),
            viewer=SimpleNamespace(person=person), at=at, zone=ZONE,
            names=SimpleNamespace(name=str),
        )  # fmt: skip
        section = keys_to_change(here)
        return [] if section is None else [f"{one.title}: {one.word}" for one in section.tasks]

    assert shown("quinn", at, waits, late) == [
        "Key k2 is to begin: A second person must agree", "Key k3 is still valid: Overdue: end it",
    ]  # fmt: skip
    assert shown("erik", at, waits) == [], "who proposed it waits for somebody else"
    assert shown("quinn", at - timedelta(microseconds=1), late) == []
