"""`batchwright erp replay`: over the server that runs, or on the ledger of one that is stopped."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.authority import AdoptAuthority
from core.execution import Actor
from core.ledger.store import open_ledger
from core.replay import ReplayMessages
from dashboards.cli import app
from dashboards.cli.asking import ask_ledger
from dashboards.compose import open_execution
from erp import evidence
from tests.finance_plant import FinancePlant, finance_plant
from tests.patience import eventually
from tests.plant import MATRIX, PIN, ZONE, LivingPlant, seed


@pytest.fixture
def finance(living_plant: LivingPlant, tmp_path: Path) -> Iterator[FinancePlant]:
    log = logging.getLogger("batchwright.erp")
    log.setLevel(logging.CRITICAL)  # refusals are meant here
    with finance_plant(living_plant, tmp_path / "plant") as plant:
        yield plant
    log.setLevel(logging.NOTSET)


def run(*args: str, typed: str = f"y\n{PIN}\n") -> tuple[int, str]:
    found = CliRunner().invoke(app, ["erp", "replay", *args], input=typed)
    return found.exit_code, found.output


def tries(finance: FinancePlant) -> list[int]:
    outbox = finance.boundary.outbox
    rows = evidence.messages(outbox)
    return [len(evidence.attempts(outbox, row.event_id)) for row in rows]


@pytest.mark.requirement("K1")
def test_a_person_has_an_order_sent_again_and_the_ledger_says_who_and_why(
    finance: FinancePlant,
) -> None:
    finance.made("1001")
    finance.told()
    before = tries(finance)
    where = ("--data", str(finance.erp.folder), "--user", "finn", "--why", "The ERP lost a day.")
    server = ("--server", finance.plant.url)
    code, text = run(*where, *server, "--order", "1001")
    assert code == 0, text
    assert f"{len(before)} messages of 1 order, made from " in text
    eventually(lambda: tries(finance) == [count + 1 for count in before])
    ledger = finance.plant.execution.ledger
    (entry,) = (one for one in ledger.entries(0, 10_000) if one.type == "message.replay-ordered")
    assert (entry.actor, entry.reason, entry.data["order"]) == (
        "finn", "The ERP lost a day.", "1001",
    )  # fmt: skip
    assert f"Entry {entry.seq} orders it" in text
    row = evidence.messages(finance.boundary.outbox)[0]
    code, text = run(*where, *server, "--id", row.event_id, typed=f"y\n{PIN}\n")
    assert "1 message of 1 order" in text
    assert code == 0, text


def test_a_replay_that_is_refused_says_why_and_records_nothing(finance: FinancePlant) -> None:
    finance.made("1001")
    finance.told()
    where = ("--data", str(finance.erp.folder), "--why", "Again.", "--order", "1001")
    code, text = run(*where, "--user", "olga", "--server", finance.plant.url)
    assert (code, "message.replay needs the role finance" in text) == (1, True), text
    code, text = run(*where, "--user", "finn", "--server", finance.plant.url, typed="y\nwrong\n")
    assert code == 1, text
    code, text = run(*where, "--user", "finn")
    assert code == 1
    assert "another server writes this ledger" in text
    code, text = run(*where, "--user", "finn", typed="n\n")
    assert code == 1
    code, text = run(*where, "--user", "finn", "--server", "http://10.1.2.3:80")
    assert code == 1
    assert "plain text" in text
    for bad, says in (
        (("--order", "nobody's"), "No message that was tried before is chosen."),
        (("--since", "yesterday"), "--since yesterday: no instant."),
        (("--since", "2026-11-23T06:00"), "no instant. Give it with its offset"),
    ):
        code, text = run(*where[:4], "--user", "finn", *bad)
        assert (code, says in text) == (1, True), text
    types = {one.type for one in finance.plant.execution.ledger.entries(0, 10_000)}
    assert "message.replay-ordered" not in types


def test_the_ledger_of_a_stopped_server_takes_the_order_too(tmp_path: Path) -> None:
    execution = open_execution(tmp_path, "test")
    execution.start()
    seed(execution)
    matrix = MATRIX | {"message.replay": ("finance",)}
    adopt = AdoptAuthority(plant="test", zone=str(ZONE), matrix=matrix)
    execution.submit(adopt, actor=Actor("ada"), idem="adopt")
    execution.close()
    command = ReplayMessages(messages=("evt_1",), why="Lost.")
    seq = ask_ledger(tmp_path, "finn", PIN, command=command)
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    entry = ledger.entry(seq)
    ledger.close()
    assert entry is not None
    assert (entry.type, entry.actor, entry.station) == (
        "message.replay-ordered", "finn", "terminal",
    )  # fmt: skip
