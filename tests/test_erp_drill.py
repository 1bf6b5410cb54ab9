"""The outage drill: a storm and two kills lose and double nothing, and its control must fail."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.ledger.checkpoint import (
    load_or_create_key,
    manifest_is_signed,
)
from dashboards.cli import app
from erp.drill.network import STORM, Weather
from erp.drill.plan import PER_ORDER, write_ledger


@pytest.mark.requirement("K1", "K2", "K7")
@pytest.mark.timeout(300)
def test_a_storm_and_two_kills_lose_and_double_nothing_and_the_report_is_signed(
    tmp_path: Path,
) -> None:
    key = load_or_create_key(tmp_path / "keys" / "log.key", "drill.example/log")
    (tmp_path / "keys" / "log.vkey").write_text(key.vkey + "\n", "utf-8")
    report = tmp_path / "drill.json"
    done = CliRunner().invoke(
        app,
        ["erp", "drill", "--messages", "120", "--seed", "7", "--json", str(report),
         "--data", str(tmp_path)],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    body = report.read_bytes()
    signature = (tmp_path / "drill.json.sig").read_text("utf-8")
    assert manifest_is_signed(key.verifier, body, signature)
    assert not manifest_is_signed(key.verifier, body.replace(b'"seed": 7', b'"seed": 8'), signature)
    found = json.loads(body)
    assert {one["name"]: one["violations"] for one in found["harnesses"]} == {
        "lost": 0, "double": 0, "out_of_order": 0,
    }  # fmt: skip
    assert all(one["control_violations"] > 0 for one in found["harnesses"])
    assert found["relay_kills"] == 2
    assert found["dead"] == 0
    assert sum(found["network"].values()) > 0
    assert found["attempts"] > 120


def test_the_weather_is_what_it_says() -> None:
    dice = random.Random(3)
    drawn = Counter(STORM.draw(dice) for _ in range(50_000))
    for name in ("lose", "refuse", "drop", "twice", "late"):
        assert drawn[name] / 50_000 == pytest.approx(getattr(STORM, name), abs=0.005)
    assert {Weather().draw(dice) for _ in range(1000)} == {None}


@pytest.mark.parametrize("messages", [1, 4, PER_ORDER - 1, PER_ORDER, PER_ORDER + 1])
def test_a_ledger_holds_exactly_the_facts_asked_for(tmp_path: Path, messages: int) -> None:
    from core.ledger.store import open_ledger

    orders = write_ledger(tmp_path, messages)
    ledger = open_ledger(tmp_path / "ledger.db")
    assert ledger.size() == messages
    ledger.close()
    assert len(orders) == -(-messages // PER_ORDER)
