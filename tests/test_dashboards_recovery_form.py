"""The office names a recovery key: two people, what it means first, the private half never."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from core.authority import AdoptAuthority
from core.ledger.checkpoint import PRIVATE, LogKey
from core.ledger.rotation import STREAM
from core.log_key import LOG, KeyUsed, LogKeys, RecoveryKey, Revoked, short
from core.recovery_key import NoRecoveryKey, PrivateHalfShown, recovery_words
from core.signature import Seen
from dashboards.compose import recovery_name
from dashboards.key_acts import after_naming, before_naming, name_recovery_key
from dashboards.office.log_keys import NoReason, ProposalGone
from dashboards.office.policy_view import Look
from dashboards.office.recovery import (
    Naming,
    NoKey,
    ProposedAlready,
    Step,
    ask_naming,
    steps,
)
from dashboards.office.recovery_view import recovery_view
from dashboards.parts import safe
from tests.browser import Screen, grave_findings, ready
from tests.hands import refusal
from tests.plant import LOG_KEY, LivingPlant, running_plant
from tests.plant_data import MATRIX, PEOPLE, PIN, ZONE
from tests.test_dashboards_log_keys import opened, tab_to
from tests.test_dashboards_office import sign

AWAY, OTHER, THIRD = (LogKey(recovery_name("test"), bytes([n] * 32)).vkey for n in (9, 10, 11))
FOREIGN = LogKey(recovery_name("salad"), bytes([9] * 32)).vkey
SECRET = f"{PRIVATE}{recovery_name('test')}+{short(AWAY)}+{b64encode(bytes([9] * 33)).decode()}"
WHY, COMPARED = "In the bank's safe, box 12.", "The paper in box 12, sign by sign."
AT = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
SEEN = Seen(stream=STREAM, ver=2, head="ab")
NAMED = RecoveryKey(vkey=AWAY, why=WHY, by="erik", at=AT, entry=9, proposed_by="quinn")
ASKED = RecoveryKey(vkey=OTHER, why=WHY, by="quinn", at=AT, entry=12)
KEYS = LogKeys(log=LOG, newest=LOG_KEY.vkey, recovery=NAMED)
BUTTON = "Sign for this key …"
pytestmark = pytest.mark.requirement("H5", "H7")


def asked_for(it: Naming, keys: LogKeys | None = KEYS) -> Any:
    return ask_naming(keys, it, SEEN, plant="test").command


def doubtful(trusted: int) -> LogKeys:
    """Return keys of which the one that signed the naming in entry 9 counts up to `trusted`."""
    gone = Revoked(
        trusted=trusted, cause="stolen", why=WHY, proposed_by="quinn", by="erik", at=AT, entry=30
    )
    used = KeyUsed(vkey=LOG_KEY.vkey, until=20, by="service:keys", at=AT, revoked=gone)
    return replace(KEYS, newest="x+1+y", former=(used,))


# -- what the form says ----------------------------------------------------------------------------


@pytest.mark.parametrize("pasted", [OTHER, f"  {OTHER}\n", f"\r\n\t{OTHER} \n\n"])
def test_key_is_taken_without_what_pasting_put_around_it(pasted: str) -> None:
    command = asked_for(Naming(key=pasted, why=f" {WHY}\n"))
    assert (command.key, command.why, command.seen) == (OTHER, WHY, SEEN)


LOST = KeyUsed(vkey=LOG_KEY.vkey, until=20, by="service:keys", at=AT, recovery=THIRD)


@pytest.mark.parametrize(
    ("it", "refused", "says"),
    [
        (Naming(key=f"{OTHER[:-3]}abc", why=WHY), NoRecoveryKey, "a letter may be wrong"),
        (Naming(key=f"{OTHER[:60]}\n{OTHER[60:]}", why=WHY), NoRecoveryKey, "is no public key"),
        (Naming(key=f"--key {OTHER}", why=WHY), NoRecoveryKey, "is no public key"),
        (Naming(key=FOREIGN, why=WHY), NoRecoveryKey, "is of batchwright.example/salad/recovery;"),
        (Naming(key=LOG_KEY.vkey, why=WHY), NoRecoveryKey, "of this log ends in /test/recovery"),
        (Naming(key=AWAY, why=WHY), NoRecoveryKey, f"{short(AWAY)}: is named already."),
        (Naming(key=THIRD, why=WHY), NoRecoveryKey, "has recovered this log before, and none does"),
        (Naming(key=f" {SECRET}\n", why=WHY), PrivateHalfShown, "this is its private half"),
        (Naming(key=" \n", why=WHY), NoKey, "Public half: is empty. Paste the line that"),
        (Naming(key=OTHER, why=" "), NoReason, "Why this key: is empty."),
        (
            Naming(agrees=ASKED, why=COMPARED),
            ProposalGone,
            "Recovery key: what was proposed is not",
        ),
    ],
)
def test_what_cannot_be_signed_is_refused_before_the_dialog(
    it: Naming, refused: type[Exception], says: str
) -> None:
    keys = replace(KEYS, former=(LOST,))
    sentence = refusal(cast(Any, refused), lambda: asked_for(it, keys))
    assert says in sentence
    assert SECRET[-20:] not in sentence


def test_who_agrees_signs_what_was_proposed_and_nothing_of_the_field() -> None:
    keys = replace(KEYS, recovery_proposed=ASKED)
    assert asked_for(Naming(key=THIRD, why=COMPARED, agrees=ASKED), keys).key == OTHER
    says = refusal(NoReason, lambda: asked_for(Naming(agrees=ASKED), keys))
    assert says.startswith("What you compared: is empty.")
    moved = replace(KEYS, recovery_proposed=replace(ASKED, vkey=THIRD))
    refusal(ProposalGone, lambda: asked_for(Naming(why=COMPARED, agrees=ASKED), moved))


def test_proposed_key_is_not_proposed_again_and_another_one_is() -> None:
    keys = replace(KEYS, recovery_proposed=ASKED)
    says = refusal(ProposedAlready, lambda: asked_for(Naming(key=OTHER, why=WHY), keys))
    assert says == (
        f"Recovery key {short(OTHER)}: is proposed already. Choose: Agree to what is proposed."
    )
    assert asked_for(Naming(key=THIRD, why=WHY), keys).key == THIRD


def test_agreeing_is_offered_only_where_something_is_proposed() -> None:
    assert steps(None) == steps(KEYS) == (Step.PROPOSE,)
    assert steps(replace(KEYS, recovery_proposed=ASKED)) == (Step.AGREE, Step.PROPOSE)


def test_before_signing_it_is_said_which_key_counts_no_more_and_where_the_private_half_is() -> None:
    told = before_naming(KEYS, OTHER)
    assert told[0] == recovery_words(OTHER)
    assert told[1] == f"Counts no more then: {short(AWAY)}, named by entry 9."
    assert told[2].startswith("Its private half must have left the plant's folder")
    assert before_naming(None, OTHER)[1] == "None was named before."
    assert before_naming(KEYS, AWAY)[1].startswith("Entry 9 named it before; this naming counts")


def test_after_naming_the_replaced_private_half_is_to_be_destroyed() -> None:
    assert f"Destroy the private half of {short(AWAY)}." in after_naming(OTHER, NAMED)
    for before, key in ((None, OTHER), (NAMED, AWAY)):
        assert not any("Destroy" in one for one in after_naming(key, before))


class Named:
    def name(self, person: str) -> str:
        return person.title()


def shown(keys: LogKeys | None) -> str:
    look = Look(zone=ZoneInfo("UTC"), names=cast(Any, Named()), opens=lambda text, _: safe(text))
    return str(recovery_view(keys, look))


def test_plain_sentence_says_that_no_recovery_key_is_named_and_what_to_do() -> None:
    for keys in (None, LogKeys(log=LOG, newest="")):
        assert "If log.key is lost, nobody can go on under this log. Make one" in shown(keys)
        assert "batchwright keys make-recovery" in shown(keys)
    says = shown(LogKeys(log=LOG, newest="", recovery_proposed=ASKED))
    assert "No recovery key is named." in says
    for part in (OTHER, "Quinn", WHY.replace("'", "&#39;"), "Second person must agree", "entry 12"):
        assert part in says


def test_table_says_which_recovery_key_is_named_since_which_entry_and_by_whom() -> None:
    says = shown(KEYS)
    for part in (short(AWAY), AWAY, "Quinn and Erik", "entry 9", "2026-11-26 08:00 UTC", "Named"):
        assert part in says
    assert "nobody can go on" not in says


@pytest.mark.parametrize(("trusted", "is_doubtful"), [(8, True), (9, False)])
def test_recovery_key_named_under_a_key_that_was_revoked_from_before_is_doubtful(
    trusted: int, is_doubtful: bool
) -> None:
    keys = doubtful(trusted)
    assert ("Entry 9 named it under a log key that was revoked" in shown(keys)) is is_doubtful
    assert ("Doubtful" in shown(keys)) is is_doubtful
    if is_doubtful:
        assert asked_for(Naming(key=AWAY, why=WHY), keys).key == AWAY
    else:
        refusal(NoRecoveryKey, lambda: asked_for(Naming(key=AWAY, why=WHY), keys))


# -- a browser -------------------------------------------------------------------------------------


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[LivingPlant]:
    with running_plant(tmp_path / "plant") as running:
        yield running


def held(plant: LivingPlant) -> LogKeys:
    found: LogKeys | None = plant.execution.nouns.get(LogKeys, LOG)
    return found or LogKeys(log=LOG, newest="")


def signed_elsewhere(plant: LivingPlant, person: str, key: str, why: str = WHY) -> None:
    name_recovery_key(plant.execution, key, why=why, user=person, secret=PIN)


def press(page: Page) -> None:
    page.get_by_role("button", name=BUTTON).click()


def test_two_people_name_a_recovery_key_while_the_server_runs(
    plant: LivingPlant, open_screen: Callable[..., Screen]
) -> None:
    first = opened(plant, open_screen, "quinn")
    expect(first.get_by_text("nobody can go on under this log")).to_be_visible()
    expect(first.get_by_label("Your part")).to_be_hidden()
    press(first)
    answer = first.get_by_test_id("answer")
    expect(answer).to_contain_text("Public half: is empty.")
    expect(answer).to_be_in_viewport()
    first.get_by_label("Public half, as").fill(f"\n  {AWAY} \n")
    expect(first.get_by_test_id("recovery-after")).to_contain_text(recovery_words(AWAY))
    expect(first.get_by_test_id("recovery-after")).to_contain_text("None was named before.")
    press(first)
    expect(answer).to_contain_text("Why this key: is empty.")
    first.get_by_label("Why this key").fill(WHY)
    assert grave_findings(first) == []
    press(first)
    expect(first.get_by_test_id("signature-what")).to_contain_text(AWAY)
    sign(first, "quinn")
    expect(answer).to_contain_text("it changes nothing yet")
    expect(answer).to_be_in_viewport()
    expect(first.get_by_text("You proposed it, so you cannot agree to it.")).to_be_visible()
    expect(first.get_by_label("Your part")).to_have_text(Step.AGREE)
    assert held(plant).recovery is None
    assert grave_findings(first) == []

    other = opened(plant, open_screen, "erik", dark=True)
    asked = other.get_by_test_id("recovery-asked")
    for says in ("Quinn Quast", WHY, short(AWAY), AWAY):
        expect(asked).to_contain_text(says)
    expect(other.get_by_text("You proposed it")).to_be_hidden()
    expect(other.get_by_label("Public half, as")).to_be_hidden()
    expect(other.get_by_test_id("recovery-after")).to_contain_text("None was named before.")
    other.get_by_label("What you compared").fill(COMPARED)
    assert grave_findings(other) == []
    press(other)
    expect(other.get_by_test_id("signature-what")).to_contain_text(AWAY)
    sign(other, "erik")
    expect(other.get_by_test_id("following")).to_contain_text("keys check-recovery")
    expect(other.get_by_test_id("following")).to_be_in_viewport()
    named = held(plant).recovery
    assert named is not None
    assert (named.vkey, named.proposed_by, named.by, named.why) == (
        AWAY, "quinn", "erik", f"{WHY} {COMPARED}",
    )  # fmt: skip
    for page in (first, other):
        row = page.get_by_test_id("recovery-key")
        for says in ("Named", f"entry {named.entry}", "Quinn Quast and Erik Ernst", COMPARED):
            expect(row).to_contain_text(says)
        expect(page.get_by_label("Your part")).to_be_hidden()
    assert grave_findings(other) == []


def test_form_is_filled_and_signed_by_keyboard_alone(
    plant: LivingPlant, open_screen: Callable[..., Screen]
) -> None:
    page = opened(plant, open_screen, "quinn")
    tab_to(page, page.get_by_label("Public half, as"), within=40)
    page.keyboard.insert_text(f"{AWAY}\n")
    expect(page.get_by_test_id("recovery-after")).to_contain_text(short(AWAY))
    tab_to(page, page.get_by_label("Why this key"), within=1)
    page.keyboard.type(WHY)
    tab_to(page, page.get_by_role("button", name=BUTTON), within=1)
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("signature-badge")).to_be_focused()
    page.keyboard.type(PEOPLE["quinn"][1])
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("signature-words")).to_contain_text(recovery_words(AWAY))
    page.keyboard.type(PIN)
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("answer")).to_contain_text("it changes nothing yet")
    asked = held(plant).recovery_proposed
    assert asked is not None
    assert (asked.vkey, asked.by, asked.why) == (AWAY, "quinn", WHY)


def test_bad_input_is_refused_on_the_page_and_a_private_half_does_not_stay_there(
    plant: LivingPlant, open_screen: Callable[..., Screen]
) -> None:
    page = opened(plant, open_screen, "quinn")
    field = page.get_by_label("Public half, as")
    for pasted, says in ((f"{AWAY}x", "a letter may be wrong"), (FOREIGN, "is of batchwright")):
        field.fill(pasted)
        expect(page.get_by_text(says)).to_be_visible()
        page.get_by_label("Why this key").fill(WHY)
        press(page)
        expect(page.get_by_test_id("answer")).to_contain_text(says)
        expect(page.get_by_test_id("signature")).to_be_hidden()
    field.fill(SECRET)
    expect(page.get_by_test_id("answer")).to_contain_text("this is its private half")
    expect(field).to_have_value("")
    assert SECRET[-20:] not in page.content()
    assert held(plant).recovery_proposed is None


def test_who_proposed_is_refused_in_the_dialog_and_may_propose_another_key(
    plant: LivingPlant, open_screen: Callable[..., Screen]
) -> None:
    signed_elsewhere(plant, "quinn", AWAY)
    page = opened(plant, open_screen, "quinn")
    page.get_by_label("What you compared").fill(COMPARED)
    press(page)
    no = page.get_by_test_id("signature-refusal")
    for person, says in (
        ("quinn", "Quinn Quast has proposed it; another person must agree."),
        ("ada", "Ada Adler: key.name-recovery needs the role"),
    ):
        page.get_by_test_id("signature-badge").fill(PEOPLE[person][1])
        page.keyboard.press("Enter")
        expect(no).to_contain_text(says)
        expect(page.get_by_test_id("signature-sign")).to_be_disabled()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("combobox", name="Your part").click()
    page.get_by_role("menuitem", name=Step.PROPOSE).click()
    page.get_by_label("Public half, as").fill(OTHER)
    page.get_by_label("Why this key").fill(WHY)
    press(page)
    sign(page, "quinn")
    expect(page.get_by_test_id("recovery-asked")).to_contain_text(OTHER)
    asked = held(plant).recovery_proposed
    assert asked is not None
    assert asked.vkey == OTHER


def test_proposal_that_moved_while_the_dialog_was_open_is_not_signed(
    plant: LivingPlant, open_screen: Callable[..., Screen]
) -> None:
    signed_elsewhere(plant, "quinn", AWAY)
    page = opened(plant, open_screen, "erik")
    page.get_by_label("What you compared").fill(COMPARED)
    press(page)
    page.get_by_test_id("signature-badge").fill(PEOPLE["erik"][1])
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("signature-words")).to_contain_text(short(AWAY))
    signed_elsewhere(plant, "quinn", OTHER)
    page.get_by_test_id("signature-pin").fill(PIN)
    page.keyboard.press("Enter")
    no = page.get_by_test_id("signature-refusal")
    expect(no).to_contain_text("what was proposed is not the same any more")
    asked = held(plant).recovery_proposed
    assert (asked and asked.vkey, asked and asked.by) == (OTHER, "quinn")


def test_no_other_proposal_takes_the_place_of_the_one_that_is_compared(
    plant: LivingPlant, open_screen: Callable[..., Screen]
) -> None:
    signed_elsewhere(plant, "quinn", AWAY)
    page = opened(plant, open_screen, "erik")
    expect(page.get_by_test_id("recovery-after")).to_contain_text(short(AWAY))
    signed_elsewhere(plant, "quinn", OTHER)
    expect(page.get_by_text("is not the same any more")).to_be_visible()
    expect(page.get_by_test_id("recovery-asked")).to_contain_text(AWAY)
    page.get_by_label("What you compared").fill(COMPARED)
    press(page)
    expect(page.get_by_test_id("answer")).to_contain_text("is not the same any more")
    expect(page.get_by_test_id("recovery-asked")).to_contain_text(OTHER)
    expect(page.get_by_label("What you compared")).to_have_value("")
    expect(page.get_by_test_id("signature")).to_be_hidden()
    assert held(plant).recovery is None


@pytest.mark.parametrize("person", ["ada", "erik"])
def test_who_may_not_name_a_recovery_key_reads_it_and_who_may(
    plant: LivingPlant, open_screen: Callable[..., Screen], person: str
) -> None:
    for one, why in (("quinn", WHY), ("erik", COMPARED)):
        signed_elsewhere(plant, one, AWAY, why)
    matrix = MATRIX | {"key.name-recovery": ("qa",)}
    plant.do(AdoptAuthority(plant="test", zone=str(ZONE), matrix=matrix), "ada")
    page = opened(plant, open_screen, person)
    expect(page.get_by_test_id("recovery-key")).to_contain_text("Named")
    expect(page.get_by_text("who names a recovery key: qa.")).to_be_visible()
    expect(page.get_by_role("button", name=BUTTON)).to_be_hidden()
    revokes = page.get_by_text("Revoke a log key that was stolen or lost")
    (expect(revokes).to_be_visible if person == "erik" else expect(revokes).to_be_hidden)()
    ready(page)
