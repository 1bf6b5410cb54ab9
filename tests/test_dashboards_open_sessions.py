"""Open sessions: one's own are seen and ended with the secret, a person's by an administrator."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from dashboards import session
from dashboards.session import Sessions, Viewer
from tests.accounts_plant import AccountsPlant, accounts_plant, seed_folder
from tests.patience import eventually


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsPlant]:
    base: Path = tmp_path_factory.mktemp("sessions")
    with accounts_plant(seed_folder(base / "seeded"), base / "plant") as found:
        yield found


def csrf_of(page: httpx.Response) -> str:
    return page.text.rsplit('name="csrf" value="', 1)[1].split('"')[0]


def is_in(client: httpx.Client) -> bool:
    return client.get("/api/session").status_code == 204


def causes(plant: AccountsPlant) -> set[str]:
    return {one.data["cause"] for one in plant.entries(of="person.signed-out")}


@pytest.mark.requirement("H7")
def test_own_sessions_are_seen_and_ended_with_the_secret(plant: AccountsPlant) -> None:
    secret, path = plant.accounts["quinn"].secret, "/account/sessions"
    with (
        plant.signed_in("quinn") as here, plant.signed_in("quinn") as there,
        plant.signed_in("quinn", station="kiosk-B1") as third, plant.signed_in("sana") as sana,
    ):  # fmt: skip
        page = here.get(path)
        assert page.text.count("<tr>") == 4
        assert {"this one", "kiosk-B1", "127.0.0.1"} <= set(re.findall(r">([^<>]+)<", page.text))
        form = {"csrf": csrf_of(page), "present": secret, "which": "others"}
        assert "too old" in here.post(path, data=form | {"csrf": "foreign"}).text
        wrong = here.post(path, data=form | {"present": "not hers"})
        assert (wrong.status_code, "do not fit" in wrong.text) == (422, True)
        assert is_in(there)
        assert is_in(third)
        [kiosk] = re.findall(r'value="(\w+)">\w+, kiosk-B1<', page.text)
        ended = here.post(path, data=form | {"which": kiosk})
        assert ended.headers["location"] == f"{path}?ended"
        assert [is_in(one) for one in (here, there, third)] == [True, True, False]
        here.post(path, data=form)
        assert [is_in(one) for one in (here, there)] == [True, False]
        assert "No other session of yours is open." in here.get(path).text
        assert is_in(sana)
    eventually(lambda: "by its owner" in causes(plant))


@pytest.mark.requirement("H7")
def test_nobody_ends_a_session_of_another_person_by_its_id(plant: AccountsPlant) -> None:
    with plant.signed_in("sana") as sana, plant.signed_in("ines") as ines:
        with plant.signed_in("ines"):
            page = ines.get("/account/sessions")
        victim, *_ = plant.plant.gate.sessions.of_person("sana")
        form = {"csrf": csrf_of(page), "present": plant.accounts["ines"].secret}
        ines.post("/account/sessions", data=form | {"which": victim.id})
        assert is_in(sana)


@pytest.mark.requirement("H7")
def test_an_administrator_ends_the_sessions_of_a_person(
    plant: AccountsPlant, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "batchwright.security")
    path = "/people/olga/sessions"
    with (
        plant.signed_in("ada") as ada, plant.signed_in("sana") as sana,
        plant.signed_in("olga", station="kiosk-B1") as olga,
    ):  # fmt: skip
        assert path in ada.get("/people/olga").text
        assert path not in sana.get("/people/olga").text
        assert sana.get(path).status_code == 403
        page = ada.get(path)
        assert "kiosk-B1" in page.text
        assert sana.post(path, data={"csrf": csrf_of(sana.get("/help"))}).status_code == 403
        assert ada.post(path, data={"csrf": "foreign"}).status_code == 403
        assert is_in(olga)
        assert ada.post(path, data={"csrf": csrf_of(page)}).status_code == 303
        assert [is_in(one) for one in (olga, ada, sana)] == [False, True, True]
        assert "None is open." in ada.get(path).text
        assert ada.get("/people/nobody/sessions").status_code == 404
    eventually(lambda: "ended by ada" in causes(plant))
    told = [one for one in caplog.messages if one.startswith("event=signed-out")]
    assert "cause=ended" in " ".join(told).split()
    assert not [one for one in told if "ada" in one or "olga" in one]


@pytest.mark.requirement("H7")
def test_a_person_has_so_many_sessions_and_loses_the_one_used_longest_ago(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session, "MOST_OF_A_PERSON", 3)
    at = [0.0]
    sessions = Sessions(clock=lambda: at[0])
    ama = Viewer(person="ama", name="Ama", roles=frozenset())
    tokens = []
    for _ in range(3):
        at[0] += 1
        tokens.append(sessions.open(ama))
    at[0] += 1
    sessions.get(tokens[0])
    tokens.append(sessions.open(ama))
    assert [sessions.get(one) is not None for one in tokens] == [True, False, True, True]


def test_a_session_token_has_256_random_bits_and_none_comes_twice() -> None:
    sessions, ama = Sessions(), Viewer(person="ama", name="Ama", roles=frozenset())
    tokens = {sessions.open(ama) for _ in range(50)}
    assert len(tokens) == 50
    assert {len(one) for one in tokens} == {43}  # 32 bytes in base64url
