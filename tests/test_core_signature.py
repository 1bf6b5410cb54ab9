"""Signatures: who proved to be whom, over exactly what was seen, at this record and no other."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import msgspec
import pytest

from core.authority import NotAuthorized
from core.batch.steps import SamePerson, VerifyStep
from core.errors import WrongState
from core.execution import Actor, Credentials, DoesNotFit
from core.ledger.entry import encode
from core.ledger.merkle import leaf_hash
from core.material import ChangeLotStatus, Lot, LotStatus
from core.people import ChangeRoles, RetirePerson
from core.person_refusals import Locked
from core.refusal import Refusals
from core.signature import (
    EverySigningNeedsBoth,
    FirstSigningNeedsBoth,
    Manifest,
    RecordMoved,
    Seen,
    SignatureApplied,
    WrongRecord,
    manifest_bytes,
)
from core.signature_check import SignatureBroken, check_signature, standing
from tests.floor import Floor
from tests.hands import refusal
from tests.paper import Paper, paper


def weighed() -> tuple[Paper, str]:
    plant = paper()
    batch = plant.upto(plant.dispatched(), "3")
    plant.scan(batch, "3", "PV-1107")
    plant.tare(batch, "3")
    plant.weigh(batch, "3", "1809")
    return plant, batch


@pytest.mark.requirement("H2", "H3")
def test_signature_commits_to_stream_version_and_head_of_what_was_seen() -> None:
    plant, batch = weighed()
    seen = plant.seen(f"batch/{batch}")
    facts = plant.verify(batch, "3")
    signature = facts[0].event
    assert isinstance(signature, SignatureApplied)
    manifest = signature.manifest
    assert (manifest.record, manifest.ver, manifest.head) == (seen.stream, seen.ver, seen.head)
    assert (manifest.signer, manifest.name, manifest.zone) == (
        "viktor", "Viktor Lenz", "Europe/Berlin"
    )  # fmt: skip
    assert manifest.meaning == "I verify that this step was done as written"
    assert manifest.words == (
        "Batch B26-0001, step 3, Weigh povidone. povidone net 1809.0 g from lot PV-1107."
    )
    assert signature.manifest_sha256 == sha256(manifest_bytes(manifest)).hexdigest()
    shown = plant.batch(batch).signatures[-1]
    assert (shown.name, shown.meaning, shown.at) == (manifest.name, manifest.meaning, plant.at)


@pytest.mark.requirement("C2")
def test_performer_is_not_the_verifier() -> None:
    plant, batch = weighed()
    assert refusal(SamePerson, lambda: plant.verify(batch, "3", by="olga")) == (
        "Olga Brandt did this step (3); a second person must verify."
    )
    plant.verify(batch, "3", by="viktor")


@pytest.mark.requirement("C2")
def test_nobody_who_weighed_a_part_verifies_the_whole() -> None:
    plant = paper()
    batch = plant.upto(plant.dispatched(), "3")
    plant.scan(batch, "3", "PV-1107")
    plant.tare(batch, "3")
    plant.weigh(batch, "3", "900", more=True, by="viktor")
    plant.scan(batch, "3", "PV-1107")
    plant.tare(batch, "3")
    plant.weigh(batch, "3", "900")
    refusal(SamePerson, lambda: plant.verify(batch, "3", by="viktor"))
    plant.verify(batch, "3", by="sana")


@pytest.mark.requirement("H3")
def test_record_that_moved_is_not_signed() -> None:
    plant, batch = weighed()
    now = plant.seen(f"batch/{batch}")
    old = Seen(stream=now.stream, ver=now.ver - 1, head=now.head)
    command = VerifyStep(batch=batch, step="3", seen=old)
    assert refusal(RecordMoved, lambda: plant.sign(command, "viktor")) == (
        f"batch/B26-0001: changed while you looked; you saw version {old.ver}, it is now"
        f" {now.ver}. Read what changed and sign again."
    )
    forged = Seen(stream=now.stream, ver=now.ver, head="00" * 32)
    command = VerifyStep(batch=batch, step="3", seen=forged)
    refusal(RecordMoved, lambda: plant.sign(command, "viktor"))


@pytest.mark.requirement("H3")
def test_signature_for_another_record_does_not_count_here() -> None:
    plant, batch = weighed()
    other = plant.dispatched("1000179", room="B2")
    command = VerifyStep(batch=batch, step="3", seen=plant.seen(f"batch/{other}"))
    assert refusal(WrongRecord, lambda: plant.sign(command, "viktor")) == (
        "batch/B26-0001: the signature is for batch/B26-0002."
        " Open batch/B26-0001, read it, and sign there."
    )


def test_step_that_was_not_done_cannot_be_verified() -> None:
    plant = paper()
    batch = plant.dispatched()
    assert refusal(WrongState, lambda: plant.verify(batch, "1")) == (
        "Step 1: is idle, must be done. Do the step first."
    )


@pytest.mark.requirement("H3")
@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("words", "Nothing happened.", "has another statement than its digest"),
        ("meaning", "I release this batch", "has another statement than its digest"),
        ("name", "Olga Brandt", "has another statement than its digest"),
    ],
)
def test_stored_signature_with_another_statement_is_broken(
    field: str, value: str, says: str
) -> None:
    signature, head = stored()
    other = msgspec.structs.replace(
        signature, manifest=msgspec.structs.replace(signature.manifest, **{field: value})
    )
    with pytest.raises(SignatureBroken, match=says):
        check_signature(other, stream="batch/B26-0001", actor="viktor", head=head)


def stored() -> tuple[SignatureApplied, Callable[[int], str | None]]:
    plant, batch = weighed()
    last = plant.head(f"batch/{batch}")
    heads = {last.ver: last.leaf, last.ver - 1: "ab" * 32}
    signature = plant.verify(batch, "3")[0].event
    assert isinstance(signature, SignatureApplied)
    return signature, heads.get


@pytest.mark.requirement("H3")
def test_stored_signature_stands_only_at_its_record_version_and_person() -> None:
    signature, head = stored()
    check_signature(signature, stream="batch/B26-0001", actor="viktor", head=head)
    with pytest.raises(SignatureBroken, match="was made for batch/B26-0001"):
        check_signature(signature, stream="batch/B26-0002", actor="viktor", head=head)
    with pytest.raises(SignatureBroken, match="stands under the name of olga"):
        check_signature(signature, stream="batch/B26-0001", actor="olga", head=head)
    with pytest.raises(SignatureBroken, match="was made over other content"):
        check_signature(
            signature, stream="batch/B26-0001", actor="viktor", head=lambda ver: head(ver - 1)
        )


def test_bytes_of_a_manifest_without_comment_are_those_of_the_first_version() -> None:
    body = (
        b'{"at":"2026-03-02T08:15:00.000000Z","head":"ab","meaning":"M","name":"N","nonce":"n",'
        b'"record":"batch/B","signer":"s","step":null,"ver":3,"words":"W","zone":"UTC"}'
    )
    plain = msgspec.json.decode(body, type=Manifest)
    assert manifest_bytes(plain) == body
    commented = msgspec.structs.replace(plain, comment="C")
    assert manifest_bytes(commented) == body.replace(b'"head"', b'"comment":"C","head"')


def release_lot(floor: Floor) -> ChangeLotStatus:
    return ChangeLotStatus(
        lot="CC-3102", status=LotStatus.RELEASED, why="CoA.", seen=floor.seen("lot/CC-3102")
    )


def hold_lot(floor: Floor) -> ChangeLotStatus:
    return ChangeLotStatus(
        lot="CC-3102", status=LotStatus.ON_HOLD, why="Ask.", seen=floor.seen("lot/CC-3102")
    )


@pytest.mark.requirement("H1")
def test_first_signing_asks_for_both_and_later_ones_for_the_secret(floor: Floor) -> None:
    secret = Credentials(secret=floor.accounts["quinn"].secret)

    def alone() -> object:
        return floor.sign(release_lot(floor), "quinn", station="office", credentials=secret)

    both = "Signature: the first signing of a period needs badge or user id, and secret. Give both."
    assert refusal(FirstSigningNeedsBoth, alone) == both
    floor.sign(hold_lot(floor), "quinn", station="office")
    alone()
    assert floor.get(Lot, "CC-3102").status is LotStatus.RELEASED
    entries = floor.execution.ledger.stream("lot/CC-3102")
    signed = [one.data["components"] for one in entries if one.type == "signature.applied"]
    assert signed == [["badge", "secret"], ["secret"]]


@pytest.mark.requirement("H1")
def test_signing_period_ends_by_time_station_and_sign_out(floor: Floor) -> None:
    secret = Credentials(secret=floor.accounts["quinn"].secret)

    def alone(station: str | None) -> object:
        return floor.sign(release_lot(floor), "quinn", station=station, credentials=secret)

    floor.sign(hold_lot(floor), "quinn", station="office")
    refusal(FirstSigningNeedsBoth, lambda: alone("kiosk-B2"))
    refusal(FirstSigningNeedsBoth, lambda: alone(None))
    floor.clock.pass_time(minutes=10, seconds=1)
    refusal(FirstSigningNeedsBoth, lambda: alone("office"))
    floor.clock.pass_time(seconds=-10)
    floor.execution.end_signing_period("office")
    refusal(FirstSigningNeedsBoth, lambda: alone("office"))


@pytest.mark.requirement("H1")
def test_secret_of_another_person_does_not_sign_in_an_open_period(floor: Floor) -> None:
    floor.sign(hold_lot(floor), "quinn", station="office")
    others = Credentials(secret=floor.accounts["ines"].secret)
    refusal(
        DoesNotFit,
        lambda: floor.sign(release_lot(floor), "ines", station="office", credentials=others),
    )
    assert floor.get(Lot, "CC-3102").status is LotStatus.ON_HOLD


@pytest.mark.requirement("H1")
def test_who_signs_is_who_proved_it_not_who_the_screen_says(floor: Floor) -> None:
    account = floor.accounts["ines"]
    credentials = Credentials(secret=account.secret, user="ines")
    floor.sign(hold_lot(floor), "quinn", station="office", credentials=credentials)
    [entry] = [
        one
        for one in floor.execution.ledger.stream("lot/CC-3102")
        if one.type == "lot.status-changed"
    ]
    assert entry.actor == "ines"


def test_retired_person_cannot_sign(floor: Floor) -> None:
    floor.act(RetirePerson(person="quinn"), "ada")
    refusal(Locked, lambda: floor.sign(hold_lot(floor), "quinn", station="office"))


@pytest.mark.requirement("H1")
def test_clock_that_is_set_back_ends_the_signing_period(floor: Floor) -> None:
    secret = Credentials(secret=floor.accounts["quinn"].secret)
    floor.sign(hold_lot(floor), "quinn", station="office")
    floor.clock.pass_time(hours=-1)
    refusal(
        FirstSigningNeedsBoth,
        lambda: floor.sign(release_lot(floor), "quinn", station="office", credentials=secret),
    )


def signs(floor: Floor, person: str, station: str | None, **given: str) -> object:
    """Sign a change of the lot's status with what is given, the secret where nothing is named."""
    command = release_lot(floor)
    if floor.get(Lot, "CC-3102").status is LotStatus.RELEASED:
        command = hold_lot(floor)
    credentials = Credentials(**{"secret": floor.accounts[person].secret} | given)
    return floor.sign(command, person, station=station, credentials=credentials)


def attempts(floor: Floor) -> list[str]:
    found = floor.get(Refusals, "lot/CC-3102")
    return [] if found is None else [one.rule for one in found.attempts]


@pytest.mark.requirement("H1")
def test_other_person_at_the_station_signs_fully_and_ends_the_former_period(floor: Floor) -> None:
    signs(floor, "quinn", "office", user="quinn")
    signs(floor, "quinn", "office")
    signs(floor, "ines", "office", user="ines")
    refusal(DoesNotFit, lambda: signs(floor, "quinn", "office"))  # the period is ines's
    signs(floor, "ines", "office")


@pytest.mark.requirement("H1")
def test_other_person_who_comes_ends_the_period_even_when_refused(floor: Floor) -> None:
    signs(floor, "quinn", "office", user="quinn")
    refusal(NotAuthorized, lambda: signs(floor, "olga", "office", user="olga"))
    refusal(FirstSigningNeedsBoth, lambda: signs(floor, "quinn", "office"))


@pytest.mark.requirement("H1")
def test_station_change_ends_the_period_at_the_station_that_was_left(floor: Floor) -> None:
    signs(floor, "quinn", "office", user="quinn")
    signs(floor, "quinn", "laboratory", user="quinn")
    refusal(FirstSigningNeedsBoth, lambda: signs(floor, "quinn", "office"))
    signs(floor, "quinn", "laboratory")


@pytest.mark.requirement("H1")
def test_role_change_ends_the_period(floor: Floor) -> None:
    signs(floor, "quinn", "office", user="quinn")
    floor.act(ChangeRoles(person="quinn", roles=("qa", "supervisor")), "ada")
    refusal(FirstSigningNeedsBoth, lambda: signs(floor, "quinn", "office"))
    signs(floor, "quinn", "office", user="quinn")
    signs(floor, "quinn", "office")


@pytest.mark.requirement("H1")
def test_each_signing_renews_the_period_up_to_its_last_instant(floor: Floor) -> None:
    signs(floor, "quinn", "office", user="quinn")
    for _ in range(3):
        floor.clock.pass_time(minutes=9, seconds=59)
        signs(floor, "quinn", "office")
    floor.clock.pass_time(minutes=10, seconds=1)
    refusal(FirstSigningNeedsBoth, lambda: signs(floor, "quinn", "office"))


@pytest.mark.requirement("H1")
def test_shared_kiosk_asks_for_both_every_time(floor: Floor) -> None:
    signs(floor, "quinn", "kiosk-B1", user="quinn")
    assert refusal(EverySigningNeedsBoth, lambda: signs(floor, "quinn", "kiosk-B1")) == (
        "Kiosk kiosk-B1: each signing needs badge or user id, and secret. Give both."
    )
    signs(floor, "quinn", "kiosk-B1", badge=floor.accounts["quinn"].badge)


@pytest.mark.requirement("H1")
def test_session_of_a_browser_without_station_is_a_place_of_its_own(floor: Floor) -> None:
    def alone(session: str) -> object:
        actor = Actor("quinn", None, session)
        command = release_lot(floor)
        if floor.get(Lot, "CC-3102").status is LotStatus.RELEASED:
            command = hold_lot(floor)
        secret = Credentials(secret=floor.accounts["quinn"].secret, user=users.pop())
        return floor.execution.submit(
            command, actor=actor, idem=f"session:{next(floor.numbers)}", credentials=secret
        )

    users: list[str | None] = [None, None, None, "quinn"]
    alone("one")
    alone("one")
    refusal(FirstSigningNeedsBoth, lambda: alone("two"))
    floor.execution.end_session("one")
    refusal(FirstSigningNeedsBoth, lambda: alone("one"))


@pytest.mark.requirement("H1", "H7")
def test_failed_signing_is_an_entry(floor: Floor) -> None:
    refusal(FirstSigningNeedsBoth, lambda: signs(floor, "quinn", "office"))
    assert attempts(floor) == ["FirstSigningNeedsBoth"]
    refusal(DoesNotFit, lambda: signs(floor, "quinn", "office", user="quinn", secret="wrong-1"))
    [failed] = [
        one
        for one in floor.execution.ledger.stream("person/quinn")
        if one.type == "person.authentication-failed"
    ]
    assert (failed.data["purpose"], failed.station) == ("signing", "office")
    refusal(DoesNotFit, lambda: signs(floor, "quinn", "office", user="nobody"))
    assert attempts(floor) == ["FirstSigningNeedsBoth", "DoesNotFit"]


@pytest.mark.requirement("H3")
def test_signature_over_a_record_that_went_on_is_shown_as_such(floor: Floor) -> None:
    def shown() -> str:
        record = floor.execution.ledger.stream("lot/CC-3102")
        heads = {one.ver: leaf_hash(encode(one)).hex() for one in record}
        [entry, *_] = [one for one in record if one.type == "signature.applied"]
        return str(standing(entry, record, head=heads.get))

    signs(floor, "quinn", "office", user="quinn")
    signed = floor.seen("lot/CC-3102").ver - 2
    assert shown() == f"signed version {signed}"  # what the act itself wrote is no change
    signs(floor, "ines", "office", user="ines")
    assert shown() == f"signed version {signed}; current {signed + 4}"
