"""No secret of a day's work stands in the ledger, in a log, in an answer or in a file."""

from __future__ import annotations

import importlib
import logging
from pathlib import Path

import pytest

from core.vault import MASTER_VARIABLE, Vault
from erp.signing import new_secret
from tests.accounts_plant import accounts_plant, seed_folder, ticket_of

CHOSEN = "nine quiet lamps by the door"
CHECK = {
    "person": "quinn", "checked_by": "H. Roth", "document": "passport", "checked_on": "2026-11-20",
}  # fmt: skip


@pytest.mark.requirement("H7")
def test_no_secret_is_left_anywhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(MASTER_VARIABLE, raising=False)
    said: list[str] = []
    with (
        caplog.at_level(logging.DEBUG),
        accounts_plant(seed_folder(tmp_path / "s"), tmp_path / "p") as plant,
    ):
        secrets = [one.secret for one in plant.accounts.values()]
        secrets += [CHOSEN, "a wrong one that was typed", new_secret()]
        Vault(tmp_path / "p" / "keys").put("erp-send", secrets[-1])
        with (
            plant.signed_in("ada") as ada,
            plant.signed_in("sana") as sana,
            plant.client() as quinn,
            plant.client() as lims,
        ):
            said.append(plant.send(ada, "person.issue-enrolment", CHECK).text)
            out = plant.send(sana, "person.confirm-enrolment", {"person": "quinn"})
            code = out.json()["enrolment_code"]
            said.append(plant.sign_in(quinn, "quinn", "a wrong one that was typed").text)
            asked = plant.sign_in(quinn, "quinn", code)
            choice = {"ticket": ticket_of(asked), "secret": CHOSEN, "again": CHOSEN}
            said += [asked.text, quinn.post("/login/secret", data=choice).text]
            seen = quinn.get("/api/v1/lot/CC-3102").json()["seen"]
            hold = {"lot": "CC-3102", "status": "on_hold", "why": "Ask.", "seen": seen}
            for secret in ("a wrong one that was typed", CHOSEN):
                hold["signature"] = {"user": "quinn", "secret": secret}
                said.append(plant.send(quinn, "lot.change-status", hold).text)
            made = {"client": "lims", "name": "Laboratory", "roles": ["engineer"]}
            assert plant.send(ada, "client.register", made).status_code == 200
            key = plant.send(ada, "client.issue-key", {"client": "lims", "days": 9}).json()["key"]
            lims.headers["authorization"] = f"Bearer {key}"
            said += [lims.get("/api/v1/client").text, lims.get("/api/v1/person").text]
        secrets += [code, key]
        stored = b"".join(body for _, body in plant.execution.ledger.raw(0, 10_000))
        assert all(secret.encode() not in stored for secret in secrets)
    assert all(secret not in caplog.text for secret in secrets)
    assert all(secret not in text for secret in secrets for text in said)
    files = [one for one in (tmp_path / "p").rglob("*") if one.is_file()]
    assert len(files) > 5
    for path in files:
        if path.name != "accounts.json":  # the installer's list, for its owner only
            found = path.read_bytes()
            assert [one for one in secrets if one.encode() in found] == [], path


@pytest.mark.requirement("H7")
@pytest.mark.parametrize(
    "name", ["panel.viewable.TextInput", "panel.io.model", "uvicorn.error", "websockets.server"]
)
def test_what_is_typed_is_in_no_log_of_a_library(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    importlib.import_module("dashboards.server")
    with caplog.at_level(logging.DEBUG):
        assert not logging.getLogger(name).isEnabledFor(logging.DEBUG)
