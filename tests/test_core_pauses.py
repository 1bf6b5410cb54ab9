"""After a secret that does not fit the next try waits: a person's, and a place's as a whole."""

from __future__ import annotations

import itertools

import pytest

from core.access import RevokeBadge
from core.authentication import PLACE_FAILURES, PlacePaused, TooSoon
from core.people import FAILURES_UNTIL_LOCK, Person
from core.person_refusals import BadgeIsDead
from core.signing import DoesNotFit
from tests.floor import Floor
from tests.hands import refusal


@pytest.mark.requirement("H7")
def test_next_try_waits_longer_with_each_failure(floor: Floor) -> None:
    def tries() -> None:
        floor.execution.authenticate("olga", "not hers", station=None)

    refusal(DoesNotFit, tries)
    refusal(DoesNotFit, tries)
    assert refusal(TooSoon, tries) == (
        "Sign-in: the last tries did not fit. Wait 1 s, then try again."
    )
    assert floor.get(Person, "olga").failures == 2
    floor.clock.pass_time(seconds=1)
    refusal(DoesNotFit, tries)
    floor.clock.pass_time(seconds=1)
    assert "Wait 1 s" in refusal(TooSoon, tries)
    floor.clock.pass_time(seconds=1)
    secret = floor.accounts["olga"].secret
    assert floor.execution.authenticate("olga", secret, station=None).person == "olga"
    refusal(DoesNotFit, tries)


@pytest.mark.requirement("H7")
def test_unknown_name_waits_like_a_known_one(floor: Floor) -> None:
    def tries() -> None:
        floor.execution.authenticate("nobody", "12345678", station=None)

    refusal(DoesNotFit, tries)
    refusal(DoesNotFit, tries)
    refusal(TooSoon, tries)


@pytest.mark.requirement("H7")
def test_one_station_cannot_lock_everybody_out(floor: Floor) -> None:
    people = [one for one in floor.accounts if one != "ada"]
    tried = 0
    with pytest.raises(PlacePaused) as paused:  # noqa: PT012 - the loop is the rule
        for _ in range(FAILURES_UNTIL_LOCK):
            for person in people:
                refusal_or_paused(floor, person)
                tried += 1
    assert tried == PLACE_FAILURES
    assert str(paused.value) == (
        "Sign-in: 10 or more tries did not fit here. Wait 30 s, or use another station."
    )
    assert {floor.get(Person, one).state for one in people} == {"active"}
    floor.clock.pass_time(seconds=2)
    secret = floor.accounts["olga"].secret
    refusal(PlacePaused, lambda: floor.execution.authenticate("olga", secret, station="kiosk-B1"))
    floor.execution.authenticate("olga", secret, station="kiosk-B2")
    floor.clock.pass_time(seconds=30)
    floor.execution.authenticate("olga", secret, station="kiosk-B1")


@pytest.mark.requirement("H7")
def test_typing_errors_of_a_busy_kiosk_never_add_up_to_a_pause(floor: Floor) -> None:
    people = itertools.cycle(one for one in floor.accounts if one != "ada")
    for _ in range(PLACE_FAILURES * 2):
        person = next(people)
        refusal_or_paused(floor, person)
        secret = floor.accounts[person].secret
        floor.execution.authenticate(person, secret, station="kiosk-B1")
        floor.clock.pass_time(seconds=120)


@pytest.mark.requirement("H7")
def test_whoever_holds_a_dead_badge_makes_its_owner_wait_for_nothing(floor: Floor) -> None:
    floor.act(RevokeBadge(badge="10011"), "sana")
    for _ in range(2):
        refusal(BadgeIsDead, lambda: floor.execution.authenticate("10011", "x", station=None))
    refusal(TooSoon, lambda: floor.execution.authenticate("10011", "x", station=None))
    secret = floor.accounts["olga"].secret
    assert floor.execution.authenticate("olga", secret, station=None).person == "olga"


def refusal_or_paused(floor: Floor, person: str) -> None:
    try:
        floor.execution.authenticate(person, "not theirs", station="kiosk-B1")
    except DoesNotFit:
        return
