"""One message's exchange with the ERP as files: an auditor proves it without our pages."""

from __future__ import annotations

import hashlib
import json
import logging
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from core.ledger.entry import decode
from dashboards.finance.exchange import exchange, exchange_href
from erp import evidence
from erp.contract import from_bytes
from tests.finance_plant import FinancePlant, finance_plant
from tests.plant import LivingPlant


@pytest.fixture
def finance(living_plant: LivingPlant, tmp_path: Path) -> Iterator[FinancePlant]:
    folder = tmp_path / "erp"
    folder.mkdir()
    log = logging.getLogger("batchwright.erp")
    log.setLevel(logging.CRITICAL)
    with finance_plant(living_plant, folder) as plant:
        yield plant
    log.setLevel(logging.NOTSET)


def unpacked(packed: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(packed)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.requirement("K3", "L1")
def test_digests_and_both_signatures_hold_outside_of_the_plant(finance: FinancePlant) -> None:
    finance.made("1001")
    finance.told()
    one, *_ = [it for it in evidence.messages(finance.boundary.outbox) if "consumed" in it.type]
    with finance.signed_in("finn") as finn:
        answer = finn.http.get(exchange_href(one.event_id))
        assert finn.http.get(exchange_href(one.event_id)).content == answer.content
        assert finn.http.get(exchange_href("evt_0")).status_code == 404
    with finance.signed_in("olga") as olga:
        assert olga.http.get(exchange_href(one.event_id)).status_code == 403
    assert f'filename="{one.event_id}.zip"' in answer.headers["content-disposition"]
    files = unpacked(answer.content)
    for line in files.pop("manifest-sha256.txt").decode().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256(files[name]).hexdigest() == digest
    [sent] = json.loads(files["attempts.json"])
    Webhook(finance.erp.events).verify(files["message.json"].decode(), sent["sent_headers"])
    received = json.loads(files["receipt-1-headers.json"])
    Webhook(finance.erp.receipts).verify(files["receipt-1.json"].decode(), received)
    entry, message = decode(files["entry.json"]), from_bytes(files["message.json"])
    assert (entry.seq, entry.type) == (message.data.entry, "material.consumed")
    assert b"webhook-signature" not in files["README.txt"]
    assert b"HMAC-SHA256" in files["README.txt"]
    for secret in (finance.erp.events, finance.erp.receipts):
        assert not any(secret[6:].encode() in body for body in files.values())


def test_a_message_that_an_adapter_translates_does_not_pose_as_sent(finance: FinancePlant) -> None:
    finance.made("1001")
    finance.told()
    outbox = finance.boundary.outbox
    one = evidence.messages(outbox)[0]
    [tried] = evidence.attempts(outbox, one.event_id)
    plain = [replace(tried, sent_headers={"x-csrf-token": "t"})]
    files = unpacked(exchange(one, None, plain, receipts=[]))
    assert set(files) == {"README.txt", "message.json", "attempts.json", "manifest-sha256.txt"}
    assert b"takes no message of ours as it is" in files["README.txt"]
    assert b"HMAC" not in files["README.txt"]
