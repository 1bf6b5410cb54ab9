"""Signing gates: who may sign, stating what, with a comment or not; every rule against each."""

from __future__ import annotations

import pytest

from core.catalogue import COMMANDS
from core.errors import AlreadyKnown, Unknown
from core.fact import Context, Head, Signer, Sketch
from core.manifest import Seen
from core.material import ChangeLotStatus, LotStatus
from core.people import Person
from core.refusal import Refusals
from core.signature import (
    CommentNotAsAsked,
    EverySigningNeedsBoth,
    MayNotSignHere,
    MeaningNeeded,
    SignatureApplied,
    sign,
)
from core.signing_gates import (
    GATES,
    INDEPENDENT,
    AdoptSigningGates,
    CommentRule,
    Components,
    Gate,
    GateRefused,
    SigningGates,
)
from tests.floor import Floor
from tests.hands import AT, PACK, refusal
from tests.paper import paper

PEOPLE = {
    "olga": ("operator",),  # the performer
    "viktor": ("operator",),
    "quinn": ("qa",),
    "sana": ("supervisor", "qa"),
}
WHO = {
    "any": {"olga", "viktor", "quinn", "sana"},
    "performer": {"olga"},
    "not_performer": {"viktor", "quinn", "sana"},
    "role:qa": {"quinn", "sana"},
    "role:operator": {"olga", "viktor"},
    "named:viktor, sana": {"viktor", "sana"},
}
COMMENTS = {  # rule -> (compliant, written) that pass
    CommentRule.NONE: {(True, False), (False, False)},
    CommentRule.OPTIONAL: {(True, False), (False, False), (True, True), (False, True)},
    CommentRule.REQUIRED: {(True, True), (False, True)},
    CommentRule.REQUIRED_WHEN_NOT_COMPLIANT: {(True, False), (True, True), (False, True)},
}


def signed(
    gate: Gate,
    person: str = "quinn",
    *,
    components: tuple[str, ...] = ("badge", "secret"),
    compliant: bool = True,
    **given: str,
) -> SignatureApplied:
    table = SigningGates(plant="p", version=4, gates={"act.do": gate})
    people = {f"person/{one}": Person(person=one, name=one.title(), badge=one, roles=roles)
              for one, roles in PEOPLE.items()}  # fmt: skip
    plant = Sketch({"signing-gates/p": table, **people}, {"thing/1": Head(3, "ab")})
    signer = Signer(person=person, name=person.title(), components=components, **given)
    context = Context(
        at=AT, actor=person, station=None, idem="i", zone="UTC", signer=signer, plant="p",
        action="act.do",
    )  # fmt: skip
    seen = Seen(stream="thing/1", ver=3, head="ab")
    return sign(
        plant, context, seen, record="thing/1", meaning="I did", words="W", performers={"olga"},
        compliant=compliant,
    )  # fmt: skip


@pytest.mark.requirement("H4")
@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("who", WHO)
def test_rule_and_person(who: str, person: str) -> None:
    if person in WHO[who]:
        assert signed(Gate(who=who), person).manifest.signer == person
    else:
        refusal(MayNotSignHere, lambda: signed(Gate(who=who), person))


@pytest.mark.requirement("H4")
@pytest.mark.parametrize("comment", ["", " ", "Seen."])
@pytest.mark.parametrize("compliant", [True, False])
@pytest.mark.parametrize("rule", COMMENTS)
def test_comment_rule_compliance_and_comment(
    rule: CommentRule, compliant: bool, comment: str
) -> None:
    def act() -> SignatureApplied:
        return signed(Gate(comment=rule), compliant=compliant, comment=comment)

    if (compliant, bool(comment.strip())) in COMMENTS[rule]:
        assert act().manifest.comment == comment
    else:
        refusal(CommentNotAsAsked, act)


@pytest.mark.requirement("H4")
@pytest.mark.parametrize("given", [None, "I did", "I saw", "I own it"])
@pytest.mark.parametrize("meanings", [(), ("I saw",), ("I saw", "I did")])
def test_meaning_is_one_of_the_gate_s_and_a_single_one_is_chosen(
    meanings: tuple[str, ...], given: str | None
) -> None:
    offered = meanings or ("I did",)
    chosen = offered[0] if given is None and len(offered) == 1 else given
    gate = Gate(meanings=meanings)
    if chosen in offered:
        assert signed(gate, meaning=given).manifest.meaning == chosen
    else:
        refusal(MeaningNeeded, lambda: signed(gate, meaning=given))


@pytest.mark.requirement("H1")
@pytest.mark.parametrize("components", [("secret",), ("user", "secret"), ("passkey",)])
@pytest.mark.parametrize("rule", Components)
def test_secret_alone_is_never_enough_where_the_gate_says_always(
    rule: Components, components: tuple[str, ...]
) -> None:
    gate = Gate(components=rule)
    if rule is Components.ALWAYS and components == ("secret",):
        refusal(EverySigningNeedsBoth, lambda: signed(gate, components=components))
    else:
        assert signed(gate, components=components).components == components


def test_refusals_say_who_may_and_what_is_missing() -> None:
    assert refusal(MayNotSignHere, lambda: signed(Gate(who="role:qa"), "viktor")) == (
        "Viktor: may not sign act.do; it needs the role qa. Ask one of them to sign."
    )
    two = Gate(meanings=("I saw", "I did"))
    assert refusal(MeaningNeeded, lambda: signed(two)) == (
        "Meaning of act.do: none is chosen. Choose one of: I saw; I did."
    )
    needed = Gate(comment=CommentRule.REQUIRED)
    assert refusal(CommentNotAsAsked, lambda: signed(needed)) == (
        "Comment of act.do: is empty. Write one."
    )


def test_signature_names_the_gate_and_the_version_of_the_table() -> None:
    event = signed(Gate())
    assert (event.gate, event.gates_version) == ("act.do", 4)


def test_gate_without_a_row_follows_the_noun_alone() -> None:
    plant = paper()
    del plant.states["signing-gates/tablets"]
    seen = plant.seen("lot/CC-3102")
    release = ChangeLotStatus(lot="CC-3102", status=LotStatus.RELEASED, why="CoA.", seen=seen)
    event = plant.sign(release, "quinn")[0].event
    assert isinstance(event, SignatureApplied)
    assert (event.manifest.meaning, event.gates_version) == ("I decide this lot's status", 0)


@pytest.mark.requirement("H4")
@pytest.mark.parametrize(
    ("name", "gate", "says"),
    [
        ("batch.burn", Gate(), "not a gate"),
        ("batch.release", Gate(who="boss"), "who is boss"),
        ("batch.release", Gate(who="role:boss"), "who is role:boss"),
        ("batch.release", Gate(who="named: ,"), "who names nobody"),
        ("batch.release", Gate(who="performer"), "who is performer"),
        ("batch.release", Gate(meanings=("A", "A")), "a meaning stands twice"),
        ("batch.release", Gate(meanings=(" ",)), "a meaning is empty or too long"),
    ],
)
def test_row_that_no_plant_could_work_with_is_refused(name: str, gate: Gate, says: str) -> None:
    plant = paper()
    command = AdoptSigningGates(plant="tablets", gates={name: gate})
    assert says in refusal(GateRefused, lambda: plant.act(command, "quinn"))


def test_row_names_people_who_are_there() -> None:
    plant = paper()
    gates = {"batch.release": Gate(who="named:quinn,nobody")}
    refusal(Unknown, lambda: plant.act(AdoptSigningGates(plant="tablets", gates=gates), "quinn"))
    gates = {"batch.release": Gate(who="named:quinn,ines")}
    plant.act(AdoptSigningGates(plant="tablets", gates=gates), "quinn")


@pytest.mark.parametrize("minutes", [0, 61])
def test_idle_limit_is_1_to_60_minutes(minutes: int) -> None:
    plant = paper()
    for fits in (1, 60):
        plant.act(AdoptSigningGates(plant="tablets", gates={}, idle_minutes=fits), "quinn")
    command = AdoptSigningGates(plant="tablets", gates={}, idle_minutes=minutes)
    assert refusal(GateRefused, lambda: plant.act(command, "quinn")) == (
        f"Signing gate idle_minutes: is {minutes}. Use 1 to 60."
    )


def test_table_in_force_is_not_adopted_twice() -> None:
    plant = paper()
    it = PACK.signatures
    again = AdoptSigningGates(
        plant="tablets", gates=it.gates, idle_minutes=it.idle_minutes,
        kiosk_components=it.kiosk_components,
    )  # fmt: skip
    assert refusal(AlreadyKnown, lambda: plant.act(again, "quinn")).startswith(
        "Signing gates version 1: already registered"
    )


def test_every_gate_is_of_a_command_and_the_pack_has_a_row_for_each() -> None:
    assert {name.split(":")[0] for name in GATES} <= set(COMMANDS)
    assert set(PACK.signatures.gates) == set(GATES)
    assert {name for name in INDEPENDENT if PACK.signatures.gates[name].who == "any"} == set()


@pytest.mark.requirement("H4")
def test_adopted_row_is_in_force_at_once_and_its_refusal_is_recorded(floor: Floor) -> None:
    gates = {"lot.change-status": Gate(who="named:ines")}
    floor.act(AdoptSigningGates(plant="tablets", gates=gates), "quinn")
    seen = floor.seen("lot/CC-3102")
    release = ChangeLotStatus(lot="CC-3102", status=LotStatus.RELEASED, why="CoA.", seen=seen)
    refusal(MayNotSignHere, lambda: floor.sign(release, "quinn"))
    assert floor.get(Refusals, "lot/CC-3102").attempts[-1].rule == "MayNotSignHere"
    floor.sign(release, "ines")
