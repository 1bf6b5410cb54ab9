"""Signing over REST: prepared, shown, signed as shown; or signed at once with its words back."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

import httpx
import pytest

from core.material import Lot, LotStatus
from dashboards.accounts import PlantAccounts
from tests.floor import Floor
from tests.ui_plant import create_app, plant_of, running

LOT = "CC-3102"


@pytest.fixture
def url(floor: Floor) -> Iterator[str]:
    accounts = PlantAccounts(floor.execution)
    plant = plant_of(accounts=accounts, execution=floor.execution, ledger=floor.execution.ledger)
    with running(create_app(plant, pages={})) as address:
        yield address
    accounts.close()


@contextmanager
def client(floor: Floor, url: str, person: str = "quinn") -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=60) as made:
        form = {"user": person, "password": floor.accounts[person].secret}
        answer = made.post("/login", data=form)
        assert answer.status_code == 303, answer.text
        yield made


def change(floor: Floor, status: LotStatus = LotStatus.RELEASED) -> dict[str, object]:
    seen = floor.seen(f"lot/{LOT}")
    return {
        "lot": LOT, "status": status.value, "why": "CoA.",
        "seen": {"stream": seen.stream, "ver": seen.ver, "head": seen.head},
    }  # fmt: skip


def post(to: httpx.Client, path: str, body: dict[str, object], key: str = "") -> httpx.Response:
    headers = {"Idempotency-Key": key or uuid.uuid4().hex}
    return to.post(f"/api/v1/{path}", json=body, headers=headers)


def prepare(
    to: httpx.Client, body: dict[str, object], key: str, **signature: str
) -> httpx.Response:
    whole = {"type": "lot.change-status", **body, "signature": signature or {"user": "quinn"}}
    return post(to, "signatures/prepare", whole, key)


@pytest.mark.requirement("H2", "H3")
def test_prepared_over_rest_is_signed_as_shown(floor: Floor, url: str) -> None:
    with client(floor, url) as quinn:
        body, key = change(floor), uuid.uuid4().hex
        shown = prepare(quinn, body, key).json()
        assert shown["manifest"]["words"].startswith(f"Lot {LOT} of croscarmellose: status")
        assert sha256(shown["bytes"].encode()).hexdigest() == shown["manifest_sha256"]
        secret = floor.accounts["quinn"].secret
        signature = {"user": "quinn", "secret": secret, "pending": shown["pending"]}
        answer = post(quinn, "commands/lot.change-status", {**body, "signature": signature}, key)
        assert answer.status_code == 200, answer.text
        [entry] = [
            one
            for one in floor.execution.ledger.stream(f"lot/{LOT}")
            if one.type == "signature.applied"
        ]
        assert entry.data["manifest"] == shown["manifest"]
        again = post(
            quinn, "commands/lot.change-status",
            {**change(floor, LotStatus.ON_HOLD), "signature": signature},
        )  # fmt: skip
        assert (again.status_code, again.json()["rule"]) == (403, "NotShown")


@pytest.mark.requirement("H3")
def test_record_that_moved_answers_409_with_each_change(floor: Floor, url: str) -> None:
    with client(floor, url) as quinn, client(floor, url, "ines") as ines:
        body, key = change(floor), uuid.uuid4().hex
        pending = prepare(quinn, body, key).json()["pending"]
        own = {"user": "ines", "secret": floor.accounts["ines"].secret, "comment": "Ask first."}
        held = {**change(floor, LotStatus.ON_HOLD), "signature": own}
        assert post(ines, "commands/lot.change-status", held).status_code == 200
        signature = {
            "user": "quinn", "secret": floor.accounts["quinn"].secret, "pending": pending,
        }  # fmt: skip
        moved = post(quinn, "commands/lot.change-status", {**body, "signature": signature}, key)
        assert (moved.status_code, moved.json()["rule"]) == (409, "RecordMoved")
        changes = moved.json()["changes"]
        assert [(one["type"], one["by"]) for one in changes] == [
            ("signature.applied", "ines"), ("lot.status-changed", "ines"),
        ]  # fmt: skip
        assert floor.get(Lot, LOT).status is LotStatus.ON_HOLD


@pytest.mark.parametrize(
    ("signature", "says"),
    [
        ({"user": "quinn", "secret": "x"}, "signature: takes badge, comment, meaning, user."),
        ({"user": 3}, "signature: all values are text of at most 2000 characters."),
    ],
)
def test_prepare_takes_no_secret_and_only_text(
    floor: Floor, url: str, signature: dict[str, object], says: str
) -> None:
    with client(floor, url) as quinn:
        body = {"type": "lot.change-status", **change(floor), "signature": signature}
        answer = post(quinn, "signatures/prepare", body)
        assert (answer.status_code, answer.json()["detail"]) == (422, says)


def test_prepare_refuses_what_it_cannot_show(floor: Floor, url: str) -> None:
    with client(floor, url) as quinn:
        unknown = post(quinn, "signatures/prepare", {"type": "lot.burn"})
        assert (unknown.status_code, unknown.json()["title"]) == (404, "Unknown command")
        empty = post(quinn, "signatures/prepare", {})
        assert empty.status_code == 404
        nobody = prepare(quinn, change(floor), uuid.uuid4().hex, user="nobody")
        assert (nobody.status_code, nobody.json()["rule"]) == (403, "Unknown")
        keyless = quinn.post("/api/v1/signatures/prepare", json={"type": "lot.change-status"})
        assert keyless.status_code == 400
    with httpx.Client(base_url=url) as stranger:
        assert prepare(stranger, change(floor), uuid.uuid4().hex).status_code == 401
