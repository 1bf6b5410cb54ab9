"""The signing period under attack: repeats, other browsers, means of access that ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.access import RevokeBadge
from core.execution import Actor, Credentials
from core.material import LotStatus
from core.signature import FirstSigningNeedsBoth
from core.signing import NotShown
from tests.authenticator import Device
from tests.floor import Floor
from tests.hands import refusal
from tests.test_core_passkey import asserted, change, prepare, register, submit
from tests.test_core_passkey import site as site

THIEF = Actor("olga", "laboratory")


def alone(floor: Floor, actor: Actor) -> object:
    """Change the lot's status as Quinn, with nothing but the secret."""
    command = change(floor, status=LotStatus.ON_HOLD)
    return floor.execution.submit(
        command,
        actor=actor,
        idem=f"test:{next(floor.numbers)}",
        credentials=Credentials(secret=floor.accounts["quinn"].secret),
    )


@pytest.mark.requirement("H1")
def test_repeat_of_a_passkeys_request_is_answered_and_begins_no_period(site: Floor) -> None:
    device = Device()
    register(site, device)
    command = change(site)
    shown = prepare(site, command)
    answer = asserted(device, shown)
    submit(site, command, shown, answer)
    site.execution.end_signing_periods_of("quinn")
    heard = Credentials(pending=shown.pending, passkey=answer)
    again = site.execution.submit(command, actor=THIEF, idem="act:1", credentials=heard)
    assert again.replayed
    refusal(FirstSigningNeedsBoth, lambda: alone(site, THIEF))
    refusal(FirstSigningNeedsBoth, lambda: alone(site, Actor("quinn", "office")))


@pytest.mark.requirement("H1")
@pytest.mark.parametrize("part", ["authenticator_data", "client_data", "signature"])
def test_repeat_with_another_answer_of_the_passkey_is_none(site: Floor, part: str) -> None:
    device = Device()
    register(site, device)
    command = change(site)
    shown = prepare(site, command)
    answer = asserted(device, shown)
    submit(site, command, shown, answer)
    forged = Credentials(passkey=replace(answer, **{part: "AAAA"}))
    refusal(
        NotShown,
        lambda: site.execution.submit(command, actor=THIEF, idem="act:1", credentials=forged),
    )


@pytest.mark.requirement("H1")
def test_passkey_does_not_answer_for_what_a_secret_signed(site: Floor) -> None:
    device = Device()
    register(site, device)
    command = change(site)
    site.sign(command, "quinn", station="office", idem="act:1")
    answer = asserted(device, prepare(site, change(site, status=LotStatus.ON_HOLD), "act:2"))
    forged = Credentials(passkey=answer)
    refusal(
        NotShown,
        lambda: site.execution.submit(command, actor=THIEF, idem="act:1", credentials=forged),
    )


@pytest.mark.requirement("H1")
def test_secret_alone_signs_until_ten_minutes_after_the_last_signing_and_not_later(
    floor: Floor,
) -> None:
    secret = Credentials(secret=floor.accounts["quinn"].secret)
    floor.sign(change(floor), "quinn", station="office")
    for status in (LotStatus.ON_HOLD, LotStatus.RELEASED):  # each begins the ten minutes anew
        floor.clock.pass_time(minutes=9, seconds=59)
        floor.sign(change(floor, status=status), "quinn", station="office", credentials=secret)
    floor.clock.pass_time(minutes=10, seconds=1)
    refusal(FirstSigningNeedsBoth, lambda: alone(floor, Actor("quinn", "office")))


@pytest.mark.requirement("H1")
def test_repeats_do_not_keep_a_period_alive(floor: Floor) -> None:
    command = change(floor)
    floor.sign(command, "quinn", station="office", idem="act:1")
    floor.clock.pass_time(minutes=6)
    assert floor.sign(command, "quinn", station="office", idem="act:1").replayed
    floor.clock.pass_time(minutes=6)
    refusal(FirstSigningNeedsBoth, lambda: alone(floor, Actor("quinn", "office")))


@pytest.mark.requirement("H1")
def test_another_browser_that_names_the_station_has_no_part_in_its_period(floor: Floor) -> None:
    here, elsewhere = Actor("quinn", "office", "one"), Actor("quinn", "office", "two")
    account = floor.accounts["quinn"]
    both = Credentials(secret=account.secret, badge=account.badge)
    command = change(floor)
    floor.execution.submit(command, actor=here, idem="act:1", credentials=both)
    assert not floor.execution.secret_is_enough(elsewhere)
    refusal(FirstSigningNeedsBoth, lambda: alone(floor, elsewhere))
    refusal(FirstSigningNeedsBoth, lambda: alone(floor, Actor("quinn", "office")))
    alone(floor, here)
    floor.execution.end_signing_period("office")
    refusal(FirstSigningNeedsBoth, lambda: alone(floor, here))


@pytest.mark.requirement("H1", "H7")
def test_revoked_badge_ends_the_period_that_it_began(floor: Floor) -> None:
    account = floor.accounts["quinn"]
    floor.sign(change(floor), "quinn", station="office")
    floor.act(RevokeBadge(badge=account.badge), "ada")
    refusal(FirstSigningNeedsBoth, lambda: alone(floor, Actor("quinn", "office")))


@pytest.mark.requirement("H1", "H7")
def test_new_secret_ends_the_period_that_the_old_one_began(floor: Floor) -> None:
    floor.sign(change(floor), "quinn", station="office")
    execution, old = floor.execution, floor.accounts["quinn"].secret
    person = execution.authenticate("quinn", old, station=None, purpose="secret change")
    execution.authentication.change(person, "nine quiet lamps by the door", station=None)
    with pytest.raises(FirstSigningNeedsBoth):
        floor.sign(
            change(floor, status=LotStatus.ON_HOLD), "quinn", station="office",
            credentials=Credentials(secret="nine quiet lamps by the door"),
        )  # fmt: skip
