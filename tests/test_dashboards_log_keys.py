"""The office revokes a log key that was stolen or lost: two people, the statement shown first."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import msgspec
import pytest
from playwright.sync_api import Locator, Page, expect

from core.key_revocation import NoFormerKey, TrustedTooFar
from core.ledger.checkpoint import LogKey
from core.ledger.rotation import STREAM
from core.ledger.store import AnchorRow
from core.log_key import KeyUsed, LogKeys, Proposed, Revoked, short
from core.signature import Seen
from dashboards.compose import recovery_name
from dashboards.key_acts import afterwards, held_by, refused_from_then_on, revocation, revoke
from dashboards.office.log_keys import (
    NoReason,
    NoSize,
    ProposalGone,
    Revocation,
    Step,
    ask_revocation,
    steps,
)
from dashboards.office.log_keys_view import log_keys_view
from tests.browser import Screen, grave_findings, ready
from tests.hands import refusal
from tests.plant import LOG_KEY, PEOPLE, PIN, LivingPlant, running_plant
from tests.rest_client import Client, rest_as
from tests.test_dashboards_office import sign

SECOND, THIRD = (LogKey(LOG_KEY.name, bytes([n] * 32)) for n in (7, 8))
OLD, NEW = short(LOG_KEY.vkey), short(SECOND.vkey)
WHY = "The stick with the key was taken from the safe."
AT = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
SEEN = Seen(stream=STREAM, ver=2, head="ab")
FIRST_KEY = KeyUsed(vkey=LOG_KEY.vkey, until=20, by="service:keys", at=AT)
SECOND_KEY = KeyUsed(vkey=SECOND.vkey, until=40, by="service:keys", at=AT)
KEYS = LogKeys(log="log", newest=THIRD.vkey, former=(FIRST_KEY, SECOND_KEY))
GONE = Revoked(
    trusted=0, cause="lost", why=WHY, proposed_by="quinn", by="erik", at=AT, entry=50
)  # fmt: skip
PROPOSAL = Proposed(key=SECOND.vkey, trusted=30, cause="stolen", why=WHY, by="quinn", at=AT)
ANCHORS = [AnchorRow(size, f"printed record {size}", "", "") for size in (20, 21, 30, 31, 40, 41)]
pytestmark = pytest.mark.requirement("H5", "H7")


def draft(size: str = "30", **more: object) -> Revocation:
    given = {"key": SECOND.vkey, "size": size, "why": WHY} | more
    return Revocation(**given)  # type: ignore[arg-type]


# -- what the form says ----------------------------------------------------------------------------


@pytest.mark.parametrize("size", ["0", "30", " 40 "])
def test_size_within_what_the_key_signed_is_asked_for(size: str) -> None:
    ask = ask_revocation(KEYS, draft(size), SEEN)
    assert ask.command.trusted == int(size)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("given", "refused", "says"),
    [
        (draft("41"), TrustedTooFar, "it counts up to 40 at most"),
        (draft("-1"), NoSize, "'-1' is no number of entries. Write a whole number, 0 to 40."),
        (draft("x"), NoSize, "'x' is no number of entries"),
        (draft(""), NoSize, "'' is no number of entries"),
        (draft(why=" "), NoReason, "What happened: is empty."),
        (draft(key=THIRD.vkey), NoFormerKey, "is no former key of this log"),
        (draft(agrees=PROPOSAL), ProposalGone, "is not the same any more"),
    ],
)
def test_what_cannot_be_signed_is_refused_before_the_dialog(
    given: Revocation, refused: type[Exception], says: str
) -> None:
    assert says in refusal(refused, lambda: ask_revocation(KEYS, given, SEEN))


def test_who_agrees_signs_what_was_proposed_and_nothing_of_the_fields() -> None:
    keys = LogKeys(log="log", newest=THIRD.vkey, former=KEYS.former, proposed=PROPOSAL)
    given = draft("7", key=LOG_KEY.vkey, cause="lost", agrees=PROPOSAL)
    command = ask_revocation(keys, given, SEEN).command
    assert (command.key, command.trusted, command.cause) == (  # type: ignore[attr-defined]
        SECOND.vkey, 30, "stolen",
    )  # fmt: skip


def test_step_is_offered_only_where_a_key_can_be_revoked() -> None:
    assert steps(None) == ()
    spent = KeyUsed(vkey=LOG_KEY.vkey, until=20, by="service:keys", at=AT, revoked=GONE)
    assert steps(LogKeys(log="log", newest=SECOND.vkey, former=(spent,))) == ()
    assert steps(KEYS) == (Step.PROPOSE,)
    keys = LogKeys(log="log", newest=THIRD.vkey, former=KEYS.former, proposed=PROPOSAL)
    assert steps(keys) == (Step.AGREE, Step.PROPOSE)


def test_table_says_which_key_was_lost_and_recovered() -> None:
    gone = KeyUsed(vkey=LOG_KEY.vkey, until=20, by="service:keys", at=AT, recovery=SECOND.vkey)
    keys = LogKeys(log="log", newest=THIRD.vkey, former=(gone,))
    says = str(log_keys_view(keys, THIRD.vkey, ZoneInfo("UTC"), name=str.title))
    assert f"The recovery key {NEW} followed." in says


def test_consequences_name_size_keys_before_and_the_copies_that_count_no_more() -> None:
    assert [row.size for row in held_by(SECOND_KEY, KEYS, ANCHORS)] == [40, 31, 30, 21]
    assert [row.size for row in held_by(FIRST_KEY, KEYS, ANCHORS)] == [20]
    told = " ".join(refused_from_then_on(KEYS, SECOND_KEY, 30, anchors=ANCHORS))
    assert f"up to 30 entries, where the log of {short(THIRD.vkey)}" in told
    assert "checkpoints of 31 entries and more (it signed up to 40)" in told
    assert f"a check with {NEW}, or {OLD} before it, as the trusted key" in told
    assert "printed record 40 (40 entries); printed record 31 (31 entries). What" in told
    assert "printed record 30" not in told
    assert "Nothing that" in refused_from_then_on(KEYS, SECOND_KEY, 0)[0]
    assert "No anchor" not in " ".join(refused_from_then_on(KEYS, SECOND_KEY, 40, anchors=ANCHORS))
    assert THIRD.vkey in afterwards(KEYS, 30)[0]


# -- a browser -------------------------------------------------------------------------------------


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[LivingPlant]:
    """A plant whose first key was followed by another one."""
    with running_plant(tmp_path / "plant", keys=(LOG_KEY, SECOND)) as running:
        yield running


def held(plant: LivingPlant) -> LogKeys:
    found = plant.execution.nouns.get(LogKeys, "log")
    assert found is not None
    return found


def opened(
    plant: LivingPlant, open_screen: Callable[..., Screen], person: str, **more: bool
) -> Page:
    page = plant.screen(open_screen, person, **more).go("/office?view=keys")
    ready(page)
    return page


def told_at_terminal(plant: LivingPlant, person: str, size: int) -> None:
    command = revocation(plant.execution, OLD, trusted=size, cause="lost", why=WHY)
    revoke(plant.execution, command, user=person, secret=PIN)


def test_first_person_reads_on_the_page_what_is_refused_afterwards_and_signs(
    plant: LivingPlant, open_screen: Callable[..., Screen]
) -> None:
    size = held(plant).former[0].until
    page = opened(plant, open_screen, "quinn")
    expect(page.get_by_label("What to do")).to_have_text("Propose a revocation")
    expect(page.get_by_label("Former key")).to_have_text(OLD)
    page.get_by_label("Counts up to").fill(str(size + 1))
    expect(page.get_by_text(f"it counts up to {size} at most")).to_be_visible()
    page.get_by_label("Counts up to").fill("20")
    after = page.get_by_test_id("log-key-after")
    expect(after).to_contain_text("Refused: its checkpoints of 21 entries and more")
    page.get_by_role("button", name="Sign this revocation …").click()
    expect(page.get_by_test_id("answer")).to_contain_text("What happened: is empty.")
    page.get_by_label("What happened").fill(WHY)
    assert grave_findings(page) == []
    page.get_by_role("button", name="Sign this revocation …").click()
    expect(page.get_by_test_id("signature-what")).to_contain_text("checkpoints of 21 entries")
    expect(page.get_by_test_id("signature-what")).to_contain_text(f"{OLD}, as the key that")
    assert grave_findings(page) == []
    sign(page, "quinn")
    expect(page.get_by_test_id("answer")).to_contain_text("it changes nothing yet")
    assert held(plant).former[0].revoked is None
    assert held(plant).proposed is not None


def test_second_person_reads_the_first_ones_reason_and_revokes_the_key(
    plant: LivingPlant, open_screen: Callable[..., Screen]
) -> None:
    told_at_terminal(plant, "quinn", 20)
    other = opened(plant, open_screen, "erik", dark=True)
    expect(other.get_by_test_id("log-keys")).to_contain_text("Second person must agree")
    expect(other.get_by_test_id("log-keys")).to_contain_text(f"up to 20 entries: {WHY}")
    expect(other.get_by_label("What to do")).to_have_text("Agree to what is proposed")
    expect(other.get_by_label("Counts up to")).to_be_hidden()
    expect(other.get_by_test_id("log-key-after")).to_contain_text("up to 20 entries")
    other.get_by_label("What you looked at").fill("I looked at the receipt of the ERP.")
    other.get_by_role("button", name="Sign this revocation …").click()
    sign(other, "erik")
    expect(other.get_by_test_id("following")).to_contain_text(SECOND.vkey)
    gone = held(plant).former[0].revoked
    assert gone is not None
    assert (gone.trusted, gone.cause, gone.proposed_by, gone.by) == (20, "lost", "quinn", "erik")
    row = other.get_by_test_id("log-keys")
    for says in ("Revoked: lost", f"{WHY} I looked at the receipt", "Quinn Quast and Erik Ernst"):
        expect(row).to_contain_text(says)
    assert grave_findings(other) == []


def tab_to(page: Page, wanted: Locator, *, within: int) -> None:
    """Press Tab until the focus is there; what lies between is no more than so many stops."""
    for _ in range(within):
        page.keyboard.press("Tab")
        if wanted.evaluate("el => el === el.getRootNode().activeElement"):
            return
    raise AssertionError(f"not reached by {within} times Tab: {wanted}")


def test_form_is_filled_and_signed_by_keyboard_alone(
    plant: LivingPlant, open_screen: Callable[..., Screen]
) -> None:
    page = opened(plant, open_screen, "quinn")
    press = page.keyboard.press
    step = page.get_by_role("combobox", name="What to do")
    tab_to(page, step, within=40)
    tab_to(page, page.get_by_role("combobox", name="Former key"), within=1)
    cause = page.get_by_role("combobox", name="Why it is trusted no more")
    tab_to(page, cause, within=1)
    press("Enter")
    lost = page.get_by_role("menuitem", name="It was lost")
    expect(lost).to_be_visible()
    press("ArrowDown")
    expect(lost).to_be_focused()
    press("Enter")
    # The library's menu holds the focus until it is out of the document, some 20 ms later.
    expect(page.locator("[role=menuitem]")).to_have_count(0)
    expect(cause).to_be_focused()
    tab_to(page, page.get_by_label("Counts up to"), within=1)
    expect(cause).to_have_text("It was lost")
    page.keyboard.type("20")
    expect(page.get_by_test_id("log-key-after")).to_contain_text("21 entries and more")
    # A table that scrolls may lie between.
    tab_to(page, page.get_by_label("What happened"), within=2)
    page.keyboard.type("Gone.")
    tab_to(page, page.get_by_role("button", name="Sign this revocation …"), within=1)
    for label, value in (("Counts up to", "20"), ("What happened", "Gone.")):
        expect(page.get_by_label(label)).to_have_value(value)
    press("Shift+Tab")
    expect(page.get_by_label("What happened")).to_be_focused()
    press("Tab")
    press("Enter")
    expect(page.get_by_test_id("signature-badge")).to_be_focused()
    page.keyboard.type(PEOPLE["quinn"][1])
    press("Enter")
    expect(page.get_by_test_id("signature-words")).to_contain_text("up to 20 entries")
    page.keyboard.type(PIN)
    press("Enter")
    expect(page.get_by_test_id("answer")).to_contain_text("it changes nothing yet")
    asked = held(plant).proposed
    assert asked is not None
    assert (asked.trusted, asked.cause, asked.why) == (20, "lost", "Gone.")


def test_same_person_and_wrong_role_are_refused_in_the_dialog_which_stays_open(
    plant: LivingPlant, open_screen: Callable[..., Screen]
) -> None:
    told_at_terminal(plant, "quinn", 20)
    page = opened(plant, open_screen, "quinn")
    page.get_by_label("What you looked at").fill(WHY)
    page.get_by_role("button", name="Sign this revocation …").click()
    no = page.get_by_test_id("signature-refusal")
    for person, says in (
        ("quinn", "Quinn Quast has proposed its revocation; another person must agree."),
        ("ada", "Ada Adler: key.revoke needs the role"),
    ):
        page.get_by_test_id("signature-badge").fill(PEOPLE[person][1])
        page.keyboard.press("Enter")
        expect(no).to_contain_text(says)
        expect(page.get_by_test_id("signature-sign")).to_be_disabled()
    assert held(plant).proposed is not None
    assert held(plant).former[0].revoked is None


def test_who_may_not_revoke_reads_the_keys_and_who_may(
    plant: LivingPlant, open_screen: Callable[..., Screen]
) -> None:
    page = opened(plant, open_screen, "ada")
    expect(page.get_by_test_id("log-keys")).to_contain_text("Signs now")
    expect(page.get_by_text("who revokes a log key: engineer, qa.")).to_be_visible()
    expect(page.get_by_role("button", name="Sign this revocation …")).to_be_hidden()
    with rest_as(plant, "ada") as client:
        answer = sent(plant, client, "ada")
        assert (answer.status_code, answer.json()["rule"]) == (403, "NotAuthorized")
    with rest_as(plant, "erik") as client:
        assert sent(plant, client, "erik").status_code == 200
    assert held(plant).proposed is not None


def sent(plant: LivingPlant, client: Client, person: str) -> httpx.Response:
    seen = msgspec.to_builtins(plant.execution.seen(STREAM))
    it = {"key": LOG_KEY.vkey, "trusted": 20, "cause": "lost", "why": WHY, "seen": seen}
    return client.send("key.revoke", by=person, **it)


def test_two_people_name_a_recovery_key_over_rest_while_the_server_runs(
    plant: LivingPlant,
) -> None:
    away = LogKey(recovery_name("test"), bytes([9] * 32)).vkey
    for person, named in (("quinn", None), ("erik", away)):
        seen = msgspec.to_builtins(plant.execution.seen(STREAM))
        with rest_as(plant, person) as client:
            answer = client.send(
                "key.name-recovery", by=person, key=away, why="Kept at the bank.", seen=seen
            )
        assert answer.status_code == 200, answer.text
        recovery = held(plant).recovery
        assert (recovery and recovery.vkey) == named
    with rest_as(plant, "quinn") as client:
        refused = client.send("key.recover", note="none")
        assert (refused.status_code, refused.json()["rule"]) == (403, "NotAuthorized")


def test_proposal_that_moved_while_the_dialog_was_open_is_not_signed(
    plant: LivingPlant, open_screen: Callable[..., Screen]
) -> None:
    told_at_terminal(plant, "quinn", 20)
    page = opened(plant, open_screen, "erik")
    page.get_by_label("What you looked at").fill(WHY)
    page.get_by_role("button", name="Sign this revocation …").click()
    page.get_by_test_id("signature-badge").fill(PEOPLE["erik"][1])
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("signature-words")).to_contain_text("up to 20 entries")
    told_at_terminal(plant, "quinn", 19)
    page.get_by_test_id("signature-pin").fill(PIN)
    page.keyboard.press("Enter")
    no = page.get_by_test_id("signature-refusal")
    expect(no).to_contain_text(re.compile("what was proposed is not the same any more"))
    asked = held(plant).proposed
    assert asked is not None
    assert (asked.trusted, asked.by, held(plant).former[0].revoked) == (19, "quinn", None)
    page.get_by_test_id("signature-cancel").click()
    expect(page.get_by_text("is not the same any more").first).to_be_visible()


def test_no_other_proposal_takes_the_place_of_the_one_that_is_read(
    plant: LivingPlant, open_screen: Callable[..., Screen]
) -> None:
    told_at_terminal(plant, "quinn", 20)
    page = opened(plant, open_screen, "erik")
    expect(page.get_by_test_id("log-key-after")).to_contain_text("up to 20 entries")
    told_at_terminal(plant, "quinn", 19)
    expect(page.get_by_text("is not the same any more")).to_be_visible()
    page.get_by_label("What you looked at").fill(WHY)
    page.get_by_role("button", name="Sign this revocation …").click()
    expect(page.get_by_test_id("answer")).to_contain_text("is not the same any more")
    expect(page.get_by_test_id("log-key-after")).to_contain_text("up to 19 entries")
    expect(page.get_by_label("What you looked at")).to_have_value("")
    expect(page.get_by_test_id("signature")).to_be_hidden()
    assert held(plant).former[0].revoked is None


def test_plant_with_one_key_says_that_it_is_first_followed_by_another(
    living_plant: LivingPlant, open_screen: Callable[..., Screen]
) -> None:
    page = opened(living_plant, open_screen, "quinn")
    expect(page.get_by_text("No former key can be revoked.")).to_be_visible()
    expect(page.get_by_label("Counts up to")).to_be_hidden()
