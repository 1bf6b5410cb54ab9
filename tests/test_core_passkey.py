"""Passkeys: registered by their owner, answering one manifest, refused for all else."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from core.errors import AlreadyKnown, WrongState
from core.execution import Actor, Credentials
from core.fact import Site
from core.ledger.writer import Receipt
from core.manifest import Assertion, manifest_digest
from core.material import ChangeLotStatus, Lot, LotStatus
from core.passkey import (
    Keyring,
    NotOwnPasskey,
    Passkey,
    PasskeysOff,
    RegisterPasskey,
    RevokePasskey,
    key_words,
)
from core.passkey_proof import PasskeyRefused, check_stored, registration_challenge
from core.people import RetirePerson
from core.person_refusals import Locked
from core.refusal import Refusals
from core.signature import LIFE, EverySigningNeedsBoth, ShownTooLongAgo, SignatureApplied
from core.signing import NotShown, PasskeyAnswer, Preparation
from tests.authenticator import ORIGIN, RP_ID, Device
from tests.floor import Floor
from tests.hands import refusal

LOT = "CC-3102"


@pytest.fixture
def site(floor: Floor) -> Floor:
    floor.execution.signing.site = Site(RP_ID, (ORIGIN,))
    return floor


def registration(floor: Floor, device: Device, person: str = "quinn", **wrong: object) -> object:
    seen = floor.seen(f"person/{person}")
    challenge = registration_challenge(person, ver=seen.ver, head=seen.head)
    client, attestation = device.made(challenge, **wrong)  # type: ignore[arg-type]
    return RegisterPasskey(
        person=person, label="Phone", client_data=client, attestation=attestation, seen=seen
    )


def register(floor: Floor, device: Device, person: str = "quinn", **wrong: object) -> Receipt:
    command = registration(floor, device, person, **wrong)
    assert isinstance(command, RegisterPasskey)
    return floor.sign(command, person, station="office")


def change(floor: Floor, lot: str = LOT, status: LotStatus = LotStatus.RELEASED) -> ChangeLotStatus:
    return ChangeLotStatus(lot=lot, status=status, why="CoA.", seen=floor.seen(f"lot/{lot}"))


def prepare(floor: Floor, command: ChangeLotStatus, idem: str = "act:1") -> Preparation:
    actor = Actor("quinn", "office")
    return floor.execution.prepare(command, actor=actor, idem=idem, who="quinn")


def submit(
    floor: Floor,
    command: ChangeLotStatus,
    shown: Preparation,
    answer: PasskeyAnswer,
    idem: str = "act:1",
) -> Receipt:
    credentials = Credentials(pending=shown.pending, passkey=answer)
    return floor.sign(command, "quinn", station="office", idem=idem, credentials=credentials)


def asserted(device: Device, shown: Preparation, **wrong: object) -> PasskeyAnswer:
    return device.answers(manifest_digest(shown.manifest), **wrong)  # type: ignore[arg-type]


def stored(floor: Floor, lot: str = LOT) -> SignatureApplied:
    [entry] = [
        one
        for one in floor.execution.ledger.stream(f"lot/{lot}")
        if one.type == "signature.applied" and one.data.get("assertion")
    ]
    return msgspec.convert({**entry.data, "type": entry.type}, SignatureApplied)


@pytest.mark.requirement("H1", "H7")
def test_passkey_is_registered_by_a_signature_of_its_owner(site: Floor) -> None:
    device = Device()
    register(site, device)
    key = site.get(Passkey, device.credential)
    assert (key.person, key.label, key.sign_count) == ("quinn", "Phone", 0)
    [signature] = [
        one
        for one in site.execution.ledger.stream("person/quinn")
        if one.type == "signature.applied"
    ]
    name = site.accounts["quinn"].name
    assert signature.data["manifest"]["words"] == (
        f"Passkey Phone, key {key_words(key.public_key)}, of {name}: signs as this person at"
        f" {ORIGIN} from now on."
    )
    assert site.get(Keyring, "quinn").credentials == (device.credential,)
    refusal(AlreadyKnown, lambda: register(site, device))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"origin": "http://evil.example"}, "it was used on another site"),
        ({"rp_id": "evil.example"}, "it was used for another site"),
        ({"verified": False}, "the person was not verified by the device"),
    ],
)
def test_key_from_elsewhere_or_of_nobody_verified_is_not_registered(
    site: Floor, wrong: dict[str, object], says: str
) -> None:
    assert refusal(PasskeyRefused, lambda: register(site, Device(), **wrong)) == (
        f"Passkey: {says}. Read the statement again and sign, or use badge and secret."
    )


def test_answer_to_an_older_challenge_or_of_another_person_registers_nothing(site: Floor) -> None:
    device = Device()
    seen = site.seen("person/ines")
    challenge = registration_challenge("ines", ver=seen.ver, head=seen.head)
    client, attestation = device.made(challenge)
    command = RegisterPasskey(
        person="quinn", label="Phone", client_data=client, attestation=attestation,
        seen=site.seen("person/quinn"),
    )  # fmt: skip
    says = refusal(PasskeyRefused, lambda: site.sign(command, "quinn", station="office"))
    assert says.startswith("Passkey: it answers another statement.")


def test_nobody_registers_a_key_for_somebody_else(site: Floor) -> None:
    command = registration(site, Device(), "quinn")
    assert isinstance(command, RegisterPasskey)
    refusal(NotOwnPasskey, lambda: site.sign(command, "ines", station="office"))


def test_registering_asks_for_both_components_within_a_period_too(site: Floor) -> None:
    site.sign(change(site, status=LotStatus.ON_HOLD), "quinn", station="office")
    alone = Credentials(site.accounts["quinn"].secret)
    command = registration(site, Device())
    assert isinstance(command, RegisterPasskey)
    refusal(
        EverySigningNeedsBoth,
        lambda: site.sign(command, "quinn", station="office", credentials=alone),
    )


def test_server_without_an_address_takes_no_passkeys(floor: Floor) -> None:
    refusal(PasskeysOff, lambda: register(floor, Device()))


@pytest.mark.requirement("H1", "H3")
def test_passkey_signs_what_was_shown_and_the_entry_proves_it_alone(site: Floor) -> None:
    device = Device()
    register(site, device)
    command = change(site)
    shown = prepare(site, command)
    assert (shown.rp_id, shown.passkeys) == (RP_ID, (device.credential,))
    device.count = 7
    submit(site, command, shown, asserted(device, shown))
    event = stored(site)
    assert (event.components, event.manifest) == (("passkey",), shown.manifest)
    assert event.assertion is not None
    assert check_stored(event.assertion, event.manifest) == ORIGIN
    assert site.get(Passkey, device.credential).sign_count == 7
    assert site.get(Lot, LOT).status is LotStatus.RELEASED


@pytest.mark.requirement("H3")
@pytest.mark.parametrize("field", ["record", "ver", "words", "meaning", "signer", "at", "nonce"])
def test_stored_assertion_holds_for_no_other_statement(site: Floor, field: str) -> None:
    device = Device()
    register(site, device)
    command = change(site)
    shown = prepare(site, command)
    submit(site, command, shown, asserted(device, shown))
    event = stored(site)
    assert event.assertion is not None
    other = 99 if field == "ver" else "lot/LA-2291"
    manifest = msgspec.structs.replace(event.manifest, **{field: other})
    with pytest.raises(PasskeyRefused, match="it answers another statement"):
        check_stored(event.assertion, manifest)


@pytest.mark.parametrize("part", ["authenticator_data", "client_data", "signature", "public_key"])
def test_one_changed_byte_of_a_stored_assertion_is_found(site: Floor, part: str) -> None:
    device = Device()
    register(site, device)
    command = change(site)
    shown = prepare(site, command)
    submit(site, command, shown, asserted(device, shown))
    event = stored(site)
    assert event.assertion is not None
    text = getattr(event.assertion, part)
    middle = len(text) // 2
    changed = text[:middle] + ("A" if text[middle] != "A" else "B") + text[middle + 1 :]
    broken: Assertion = msgspec.structs.replace(event.assertion, **{part: changed})
    with pytest.raises(PasskeyRefused):
        check_stored(broken, event.manifest)


@pytest.mark.requirement("H3")
def test_assertion_copied_to_another_record_is_refused(site: Floor) -> None:
    device = Device()
    register(site, device)
    one, other = change(site), change(site, "MS-0518", LotStatus.ON_HOLD)
    answer = asserted(device, prepare(site, one))
    shown = prepare(site, other, "act:2")
    says = refusal(PasskeyRefused, lambda: submit(site, other, shown, answer, "act:2"))
    assert says.startswith("Passkey: it answers another statement.")
    assert site.get(Refusals, "lot/MS-0518").attempts[-1].rule == "PasskeyRefused"


@pytest.mark.requirement("H1")
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"verified": False}, "the person was not verified by the device"),
        ({"origin": "http://evil.example"}, "it was used on another site"),
        ({"rp_id": "evil.example"}, "it was used for another site"),
        ({"kind": "webauthn.create"}, "it is an answer to another question"),
    ],
)
def test_assertion_without_verification_or_from_elsewhere_is_refused(
    site: Floor, wrong: dict[str, object], says: str
) -> None:
    device = Device()
    register(site, device)
    command = change(site)
    shown = prepare(site, command)
    answer = asserted(device, shown, **wrong)
    assert f"Passkey: {says}." in refusal(
        PasskeyRefused, lambda: submit(site, command, shown, answer)
    )
    assert site.get(Lot, LOT).status is not LotStatus.RELEASED


@pytest.mark.parametrize(("first", "second", "taken"), [
    (0, 0, True), (1, 2, True), (5, 5, False), (5, 4, False), (5, 0, False),
])  # fmt: skip
def test_count_grows_or_is_always_zero(site: Floor, first: int, second: int, taken: bool) -> None:
    device = Device()
    register(site, device)
    command = change(site)
    shown = prepare(site, command)
    device.count = first
    submit(site, command, shown, asserted(device, shown))
    later = change(site, status=LotStatus.ON_HOLD)
    shown = prepare(site, later, "act:2")
    device.count = second
    answer = asserted(device, shown)
    if taken:
        submit(site, later, shown, answer, "act:2")
        return
    says = refusal(PasskeyRefused, lambda: submit(site, later, shown, answer, "act:2"))
    assert says.startswith(f"Passkey: its count is {second}, must be above {first}.")
    assert site.get(Lot, LOT).status is LotStatus.RELEASED


@pytest.mark.requirement("H3")
def test_pending_manifest_is_answered_once_and_in_its_life(site: Floor) -> None:
    device = Device()
    register(site, device)
    command = change(site)
    shown = prepare(site, command)
    answer = asserted(device, shown)
    submit(site, command, shown, answer)
    assert submit(site, command, shown, answer).replayed  # a retry of the same act
    later = change(site, status=LotStatus.ON_HOLD)
    refusal(NotShown, lambda: submit(site, later, shown, answer, "act:2"))
    shown = prepare(site, later, "act:3")
    site.clock.pass_time(seconds=LIFE.seconds + 1)
    answer = asserted(device, shown)
    refusal(ShownTooLongAgo, lambda: submit(site, later, shown, answer, "act:3"))
    without = Credentials(passkey=answer)
    refusal(NotShown, lambda: site.sign(later, "quinn", station="office", credentials=without))


def test_key_of_another_person_does_not_sign_what_was_shown_to_this_one(site: Floor) -> None:
    other = Device()
    register(site, other, "ines")
    command = change(site)
    shown = prepare(site, command)
    refusal(NotShown, lambda: submit(site, command, shown, asserted(other, shown)))


def test_unknown_key_and_key_of_a_retired_person_sign_nothing(site: Floor) -> None:
    device = Device()
    command = change(site)
    shown = prepare(site, command)
    assert "it is not registered here" in refusal(
        PasskeyRefused, lambda: submit(site, command, shown, asserted(device, shown))
    )
    register(site, device)
    shown = prepare(site, command, "act:2")
    site.act(RetirePerson(person="quinn"), "ada")
    refusal(Locked, lambda: submit(site, command, shown, asserted(device, shown), "act:2"))


@pytest.mark.requirement("H7")
def test_owner_or_administrator_revokes_a_key_and_it_signs_no_more(site: Floor) -> None:
    mine, lost = Device(), Device()
    register(site, mine)
    register(site, lost)
    away = RevokePasskey(passkey=lost.credential, why="Lost on the way home.")
    refusal(NotOwnPasskey, lambda: site.act(away, "ines"))
    site.act(away, "ada")
    refusal(WrongState, lambda: site.act(away, "quinn"))
    assert site.get(Keyring, "quinn").credentials == (mine.credential,)
    site.act(RevokePasskey(passkey=mine.credential, why="New phone."), "quinn")
    command = change(site)
    shown = prepare(site, command)
    assert shown.passkeys == ()
    says = refusal(PasskeyRefused, lambda: submit(site, command, shown, asserted(mine, shown)))
    assert says.startswith("Passkey: it is revoked.")


def test_answer_that_is_no_answer_is_refused_in_words(site: Floor) -> None:
    device = Device()
    register(site, device)
    command = change(site)
    for part in ("authenticator_data", "client_data", "signature"):
        for value in ("", "A", "AAAA", "!!", "é"):
            shown = prepare(site, command, f"act:{part}{value}")
            answer = replace(asserted(device, shown), **{part: value})
            refusal(
                PasskeyRefused,
                lambda shown=shown, answer=answer, value=value, part=part: submit(
                    site, command, shown, answer, f"act:{part}{value}"
                ),
            )
