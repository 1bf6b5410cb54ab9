"""The sign-in form: what it tells, and what one address can do with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from core.access import RevokeBadge
from core.authentication import PLACE_FAILURES
from core.people import FAILURES_UNTIL_LOCK, RecordFailedAuthentication, RetirePerson
from tests.accounts_plant import AccountsPlant, accounts_plant, seed_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return seed_folder(tmp_path_factory.mktemp("door"))


@pytest.fixture
def plant(folder: Path, tmp_path: Path) -> Iterator[AccountsPlant]:
    with accounts_plant(folder, tmp_path / "plant") as found:
        yield found


def told(answer: httpx.Response) -> str:
    """Return the refusal on the page, without its markup."""
    found = re.search(r'data-testid="refusal"[^>]*>(.*?)</div>', answer.text, re.DOTALL)
    assert found, answer.text
    return " ".join(re.sub(r"<[^>]+>", " ", found.group(1)).split())


@pytest.mark.requirement("H7")
def test_nobody_learns_at_the_door_who_exists(plant: AccountsPlant) -> None:
    """Unknown, wrong, locked, ended, a dead badge: one sentence, no name in it."""
    plant.act(RetirePerson(person="viktor"), "ada")
    plant.act(RevokeBadge(badge="10031"), "sana")
    wrong = RecordFailedAuthentication(person="finn", purpose="sign-in")
    for _ in range(FAILURES_UNTIL_LOCK):
        plant.act(wrong, "service:security")
    said = {}
    with plant.client() as client:
        for user in ("nobody", "99999", "olga", "finn", "viktor", "10012", "10031"):
            answer = plant.sign_in(client, user, "not the secret")
            said[user] = (answer.status_code, told(answer))
        finn = plant.sign_in(client, "finn")
        said["finn, right secret"] = (finn.status_code, told(finn))
    assert set(said.values()) == {
        (
            401,
            "Not signed in. Sign-in: user or badge and secret do not fit, or the access is locked"
            " or has ended. Try again, or ask an administrator.",
        )
    }, said


@pytest.mark.requirement("H7")
def test_a_locked_name_waits_longer_with_each_try_like_an_unknown_one(
    plant: AccountsPlant,
) -> None:
    wrong = RecordFailedAuthentication(person="finn", purpose="sign-in")
    for _ in range(FAILURES_UNTIL_LOCK):
        plant.act(wrong, "service:security")
    with plant.client() as client:
        for user in ("finn", "nobody"):
            tries = [told(plant.sign_in(client, user, "not the secret")) for _ in range(3)]
            assert "do not fit" in tries[0]
            assert tries[0] == tries[1]
            assert tries[2].endswith("Wait 1 s, then try again.")


@pytest.mark.requirement("H7")
def test_one_address_pauses_itself_and_no_station_that_it_names(plant: AccountsPlant) -> None:
    """Else whoever reaches the server could keep every kiosk of the floor waiting."""
    stations = ("kiosk-B1", "kiosk-B2", "")
    here = {"x-forwarded-for": "192.0.2.66"}
    with plant.client() as thief, plant.client() as kiosk:
        for number in range(PLACE_FAILURES):
            form = {"user": f"u{number}", "password": "x", "station": stations[number % 3]}
            answer = thief.post("/login", data=form, headers=here)
            assert "do not fit" in told(answer)
        secret = plant.accounts["olga"].secret
        form = {"user": "olga", "password": secret, "station": "kiosk-B2"}
        slow = thief.post("/login", data=form, headers=here)
        assert "Wait 30 s, or use another station." in told(slow)
        other = kiosk.post("/login", data=form, headers={"x-forwarded-for": "192.0.2.7"})
        assert other.status_code == 303
        assert plant.sign_in(kiosk, "viktor", station="kiosk-B1").status_code == 303
