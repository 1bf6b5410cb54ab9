"""Prepared manifests: exactly what was shown is signed, once, by the person who saw it."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from core.batch.steps import CompleteStep, SamePerson, VerifyStep
from core.errors import Unknown, WrongState
from core.execution import Actor, Credentials, DoesNotFit
from core.fact import Command
from core.ledger.writer import Receipt
from core.material import ChangeLotStatus, Lot, LotStatus
from core.people import RetirePerson
from core.person_refusals import Locked
from core.refusal import Refusals
from core.signature import (
    LIFE,
    EverySigningNeedsBoth,
    FirstSigningNeedsBoth,
    Manifest,
    MeaningNeeded,
    NotAsShown,
    RecordMoved,
    ShownTooLongAgo,
    manifest_digest,
)
from core.signing import NothingToSign, NotShown, Preparation
from core.signing_gates import AdoptSigningGates, Gate
from core.signing_shown import MOST_OF_ONE
from tests.floor import Floor
from tests.hands import VALUES, refusal

LOT = "CC-3102"


def change(floor: Floor, status: LotStatus = LotStatus.RELEASED) -> ChangeLotStatus:
    return ChangeLotStatus(lot=LOT, status=status, why="CoA.", seen=floor.seen(f"lot/{LOT}"))


def prepare(floor: Floor, command: Command, who: str | None = "quinn", **given: str) -> Preparation:
    place = {"station": "office", "idem": "act:1"} | given
    station, idem = place.pop("station"), place.pop("idem")
    actor = Actor("quinn", station)
    return floor.execution.prepare(command, actor=actor, idem=idem, who=who, **place)


def submit(
    floor: Floor,
    command: Command,
    shown: Preparation,
    *,
    by: str = "quinn",
    station: str = "office",
    idem: str = "act:1",
    secret: str | None = None,
    **given: str,
) -> Receipt:
    credentials = Credentials(
        secret or floor.accounts[by].secret, user=by, pending=shown.pending, **given
    )
    return floor.sign(command, by, station=station, idem=idem, credentials=credentials)


def signed(floor: Floor, receipt: Receipt) -> Manifest:
    entries = floor.execution.ledger.entries((receipt.first_seq or 0) - 1, receipt.count)
    [data] = [one.data for one in entries if one.type == "signature.applied"]
    return msgspec.convert(data["manifest"], Manifest)


@pytest.mark.requirement("H2", "H3")
def test_what_was_shown_is_what_is_signed_with_its_time_and_nonce(floor: Floor) -> None:
    command = change(floor)
    shown = prepare(floor, command)
    assert shown.manifest.words == (
        "Lot CC-3102 of croscarmellose: status from quarantine to released. CoA."
    )
    assert (shown.manifest.name, shown.manifest.zone, shown.secret_is_enough) == (
        floor.accounts["quinn"].name, "Europe/Berlin", False
    )  # fmt: skip
    assert shown.sha256 == manifest_digest(shown.manifest).hex()
    floor.clock.pass_time(seconds=40)
    assert signed(floor, submit(floor, command, shown)) == shown.manifest


def test_nothing_is_recorded_by_preparing(floor: Floor) -> None:
    before = floor.size()
    prepare(floor, change(floor))
    assert floor.size() == before


@pytest.mark.requirement("H3")
def test_prepared_manifest_is_signed_once(floor: Floor) -> None:
    command = change(floor)
    shown = prepare(floor, command)
    first = submit(floor, command, shown)
    again = submit(floor, command, shown)  # a retry of the same act
    assert (again.first_seq, again.replayed) == (first.first_seq, True)
    other = change(floor, LotStatus.ON_HOLD)
    assert refusal(NotShown, lambda: submit(floor, other, shown, idem="act:2")) == (
        "Signature: what was shown is signed already, or was shown to another person, at"
        " another place or for another act. Read it again, then sign."
    )
    assert floor.get(Refusals, f"lot/{LOT}").attempts[-1].rule == "NotShown"


@pytest.mark.requirement("H3")
@pytest.mark.parametrize("what", ["person", "station", "idem", "command", "reason"])
def test_prepared_manifest_is_of_one_person_place_act_and_command(floor: Floor, what: str) -> None:
    command = change(floor)
    shown = prepare(floor, command)
    by = "ines" if what == "person" else "quinn"
    station = "laboratory" if what == "station" else "office"
    idem = "act:9" if what == "idem" else "act:1"
    sent = change(floor, LotStatus.REJECTED) if what == "command" else command
    credentials = Credentials(floor.accounts[by].secret, user=by, pending=shown.pending)
    before = floor.execution.seen(f"lot/{LOT}")

    def act() -> object:
        return floor.execution.submit(
            sent, actor=Actor(by, station), idem=idem, credentials=credentials,
            reason="Another one." if what == "reason" else None,
        )  # fmt: skip

    refusal(NotShown, act)
    assert floor.execution.seen(f"lot/{LOT}") == before


@pytest.mark.requirement("H3")
def test_prepared_manifest_lives_three_minutes(floor: Floor) -> None:
    command = change(floor)
    shown = prepare(floor, command)
    floor.clock.pass_time(seconds=LIFE.seconds - 1)
    submit(floor, command, shown)
    later = change(floor, LotStatus.ON_HOLD)
    old = prepare(floor, later, idem="act:2")
    floor.clock.pass_time(seconds=LIFE.seconds)
    assert refusal(ShownTooLongAgo, lambda: submit(floor, later, old, idem="act:2")) == (
        f"lot/{LOT}: what you sign was shown at {old.manifest.at}, at most 3 minutes before"
        " signing. Read it again, then sign."
    )
    assert floor.get(Lot, LOT).status is LotStatus.RELEASED


def test_wrong_secret_leaves_what_was_shown_to_be_signed(floor: Floor) -> None:
    command = change(floor)
    shown = prepare(floor, command)
    refusal(DoesNotFit, lambda: submit(floor, command, shown, secret="wrong-one"))
    submit(floor, command, shown)


@pytest.mark.requirement("H3")
def test_record_that_moved_is_not_signed_and_says_what_happened(floor: Floor) -> None:
    command = change(floor)
    shown = prepare(floor, command)
    floor.sign(change(floor, LotStatus.ON_HOLD), "ines", station="laboratory")
    with pytest.raises(RecordMoved) as moved:
        submit(floor, command, shown)
    at = f"{floor.clock.at:%H:%M:%S} UTC"
    assert str(moved.value) == (
        f"lot/{LOT}: changed while you looked; you saw version {command.seen.ver}, it is now"
        f" {command.seen.ver + 2}. New: signature.applied, by ines at {at};"
        f" lot.status-changed, by ines at {at}. Read what changed and sign again."
    )
    assert [one.type for one in moved.value.changes] == ["signature.applied", "lot.status-changed"]
    with pytest.raises(RecordMoved) as before:
        prepare(floor, command, idem="act:2")
    assert before.value.changes == moved.value.changes
    anew = change(floor)
    submit(floor, anew, prepare(floor, anew, idem="act:3"), idem="act:3")


@pytest.mark.requirement("H3")
def test_rule_that_would_state_other_words_is_refused(floor: Floor) -> None:
    command = change(floor)
    shown = prepare(floor, command)
    gates = {"lot.change-status": Gate(meanings=("I release this lot", "I decide"))}
    floor.act(AdoptSigningGates(plant="tablets", gates=gates), "quinn")
    refusal(MeaningNeeded, lambda: submit(floor, command, shown))
    command = change(floor)
    shown = prepare(floor, command, meaning="I decide")
    kept = floor.execution.signing.statements._pending[shown.pending]
    other = msgspec.structs.replace(kept.manifest, words="Lot CC-3102: nothing.")
    floor.execution.signing.statements._pending[shown.pending] = replace(kept, manifest=other)
    assert refusal(NotAsShown, lambda: submit(floor, command, shown)) == (
        f"lot/{LOT}: words would not be signed as shown. Read it again, then sign."
    )


def test_chosen_meaning_and_comment_are_in_what_is_signed(floor: Floor) -> None:
    gates = {"lot.change-status": Gate(meanings=("I release this lot", "I decide"))}
    floor.act(AdoptSigningGates(plant="tablets", gates=gates), "quinn")
    command = change(floor)
    with pytest.raises(MeaningNeeded) as needed:
        prepare(floor, command)
    assert needed.value.meanings == ("I release this lot", "I decide")
    shown = prepare(floor, command, meaning="I decide", comment="Seen twice.")
    manifest = signed(floor, submit(floor, command, shown, meaning="I release this lot"))
    assert (manifest.meaning, manifest.comment) == ("I decide", "Seen twice.")


@pytest.mark.requirement("C2")
def test_performer_is_told_before_any_secret_and_the_attempt_is_kept(floor: Floor) -> None:
    batch = floor.upto(floor.dispatched(), "3")
    floor.scan(batch, "3", "PV-1107")
    floor.tare(batch, "3")
    floor.weigh(batch, "3", "1809")
    command = VerifyStep(batch=batch, step="3", seen=floor.seen(f"batch/{batch}"))
    says = refusal(SamePerson, lambda: prepare(floor, command, "olga", station="kiosk-B1"))
    assert says == "Olga Brandt did this step (3); a second person must verify."
    [attempt] = floor.get(Refusals, f"batch/{batch}").attempts
    assert (attempt.rule, attempt.step, attempt.by) == ("SamePerson", "3", "quinn")


@pytest.mark.requirement("H1")
def test_within_a_period_nobody_needs_to_be_named(floor: Floor) -> None:
    refusal(FirstSigningNeedsBoth, lambda: prepare(floor, change(floor), None))
    command = change(floor)
    submit(floor, command, prepare(floor, command))
    later = change(floor, LotStatus.ON_HOLD)
    shown = prepare(floor, later, None, idem="act:2")
    assert (shown.manifest.signer, shown.secret_is_enough) == ("quinn", True)
    alone = Credentials(floor.accounts["quinn"].secret, pending=shown.pending)
    floor.sign(later, "quinn", station="office", idem="act:2", credentials=alone)


def test_nobody_unknown_or_retired_is_shown_what_to_sign(floor: Floor) -> None:
    assert refusal(Unknown, lambda: prepare(floor, change(floor), "B-404")) == (
        "Badge or user id B-404: not known here. Check the name."
    )
    floor.act(RetirePerson(person="ines"), "ada")
    refusal(Locked, lambda: prepare(floor, change(floor), "ines"))


def test_command_without_signature_cannot_be_prepared(floor: Floor) -> None:
    command = RetirePerson(person="ines")
    actor = Actor("ada", "office")

    def act() -> object:
        return floor.execution.prepare(command, actor=actor, idem="act:1", who="ada")

    assert refusal(NothingToSign, act) == (
        "person.retire: takes no signature. Send it without one."
    )


@pytest.mark.requirement("H1")
def test_shared_kiosk_shows_nothing_for_a_period_and_records_no_attempt(floor: Floor) -> None:
    command = change(floor)
    shown = prepare(floor, command, station="kiosk-B1")
    submit(floor, command, shown, station="kiosk-B1")
    kiosk, office = Actor("quinn", "kiosk-B1"), Actor("quinn", "office")
    assert not floor.execution.secret_is_enough(kiosk)
    later = change(floor, LotStatus.ON_HOLD)
    before = floor.size()
    refusal(EverySigningNeedsBoth, lambda: prepare(floor, later, None, station="kiosk-B1"))
    assert floor.size() == before
    shown = prepare(floor, later, idem="act:2")
    submit(floor, later, shown, idem="act:2")
    assert floor.execution.secret_is_enough(office)


@pytest.mark.requirement("H3")
def test_state_that_is_stored_words_a_step_as_the_one_in_memory_does(floor: Floor) -> None:
    batch = floor.upto(floor.dispatched(), "14")
    floor.act(CompleteStep(batch=batch, step="14", values=VALUES["14"]), "olga")
    command = VerifyStep(batch=batch, step="14", seen=floor.seen(f"batch/{batch}"))
    shown = prepare(floor, command, "viktor", station="kiosk-B1")
    submit(floor, command, shown, by="viktor", station="kiosk-B1")
    assert shown.manifest.words.endswith("destroyed 10, issued 5000, returned 70, used 4920")


@pytest.mark.requirement("H3")
def test_act_that_somebody_else_has_done_already_is_told_as_such(floor: Floor) -> None:
    command = change(floor)
    floor.sign(change(floor), "ines", station="laboratory")
    with pytest.raises(RecordMoved) as moved:
        prepare(floor, command)
    assert [one.type for one in moved.value.changes] == ["signature.applied", "lot.status-changed"]
    again = change(floor)  # of the record as it is now: there is nothing left to do
    refusal(WrongState, lambda: prepare(floor, again, idem="act:2"))


@pytest.mark.requirement("H3")
def test_who_asks_for_many_statements_loses_their_own_oldest_and_nobody_elses(
    floor: Floor,
) -> None:
    command = change(floor)

    def asks(by: str, number: int) -> str:
        actor = Actor(by, "office")
        return floor.execution.prepare(
            command, actor=actor, idem=f"{by}:{number}", who="quinn"
        ).pending

    theirs = asks("quinn", 0)
    mine = [asks("olga", number) for number in range(MOST_OF_ONE + 2)]
    shown = floor.execution.signing.statements.shown
    assert [shown(one) is None for one in mine[:3]] == [True, True, False]
    assert shown(mine[-1]) is not None
    assert shown(theirs) is not None
