"""Signing by the company account: asked again for one statement, over HTTP and in a browser."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from joserfc.jwk import RSAKey
from playwright.sync_api import expect

from core.clock import parse_iso
from core.ledger.entry import Entry
from core.ledger.export import export_streams
from core.manifest import Vouched
from core.material import LotStatus
from core.people import ChangeRoles, RetirePerson
from core.person_refusals import Locked
from core.provider_proof import (
    ProviderRefused,
    check_vouched,
    nonce_of,
    public_part,
    token_sha256,
)
from core.signature import LIFE
from core.signature_check import SignatureBroken, check_proof, signature_in
from core.signing import NotShown
from tests.accounts_plant import accounts_plant, seed_folder
from tests.browser import Screen, grave_findings
from tests.company_account import link_account
from tests.hands import refusal
from tests.identity_provider import IdentityProvider, identity_provider, log_in
from tests.ledgers import KEY, reading
from tests.plant import LivingPlant, running_plant
from tests.plant_data import PIN
from tests.relogged import relogged
from tests.reviewing import over_weighed
from tests.test_dashboards_oidc import link_to
from tests.verifier import stand_alone
from tests.vouched_signer import LOT, Signer


@pytest.fixture
def idp() -> Iterator[IdentityProvider]:
    with identity_provider() as found:
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return seed_folder(tmp_path_factory.mktemp("vouched"))


@pytest.fixture
def quinn(folder: Path, tmp_path: Path, idp: IdentityProvider) -> Iterator[Signer]:
    with (
        accounts_plant(folder, tmp_path / "plant", provider=link_to(idp)) as plant,
        plant.signed_in("quinn") as browser,
    ):
        signer = Signer(plant, idp, browser)
        signer.link("s-quinn", "quinn")
        yield signer


@pytest.mark.requirement("H1", "H3")
def test_company_account_asked_again_signs_exactly_what_was_shown(quinn: Signer) -> None:
    quinn.idp.signed_in = ("s-quinn", int(time.time()) - 3600)  # a session there is not enough
    command = quinn.command()
    shown, idem = quinn.prepare(command)
    assert shown.issuers == (quinn.idp.url,)
    answer, says = quinn.asked(shown.pending)
    assert says == "The provider has answered."
    asked = quinn.idp.asked[-1]
    assert (asked["prompt"], asked["max_age"], asked["nonce"]) == ("login", "0", shown.sha256)
    quinn.submit(command, shown, idem=idem, answer=answer)
    assert quinn.status() is LotStatus.RELEASED
    entry = quinn.newest()
    event = signature_in(entry)
    assert (event.components, event.manifest) == (("provider",), shown.manifest)
    vouched = event.vouched
    assert vouched is not None
    assert (vouched.issuer, vouched.subject) == (quinn.idp.url, "s-quinn")
    assert abs(vouched.auth_time - time.time()) < 60
    assert set(vouched.key) <= {"kty", "n", "e", "kid", "alg"}  # nothing that makes signatures
    check_vouched(vouched, event.manifest, at=parse_iso(entry.at))
    assert check_proof(entry).startswith(f"account s-quinn at {quinn.idp.url}, which asked for")
    assert check_proof(entry).endswith(f"token SHA-256 {token_sha256(vouched)}")


@pytest.mark.requirement("H1")
def test_answer_is_used_once_and_a_repeat_of_the_request_gets_its_receipt(quinn: Signer) -> None:
    command = quinn.command()
    shown, idem = quinn.prepare(command)
    answer, _ = quinn.asked(shown.pending)
    first = quinn.submit(command, shown, idem=idem, answer=answer)
    again = quinn.submit(command, shown, idem=idem, answer=answer)
    assert (again.replayed, again.first_seq) == (True, first.first_seq)
    later = quinn.command(status=LotStatus.ON_HOLD)
    shown, idem = quinn.prepare(later)
    refusal(NotShown, lambda: quinn.submit(later, shown, idem=idem, answer=answer))
    assert quinn.refused() == "NotShown"


@pytest.mark.requirement("H1", "H3")
def test_answer_about_one_statement_signs_no_other(quinn: Signer) -> None:
    one, other = quinn.command(), quinn.command("MS-0518", LotStatus.ON_HOLD)
    shown, _ = quinn.prepare(one)
    second, second_idem = quinn.prepare(other)
    answer, _ = quinn.asked(shown.pending)
    refusal(NotShown, lambda: quinn.submit(other, second, idem=second_idem, answer=answer))
    assert quinn.refused("MS-0518") == "NotShown"
    # Not even where the server itself would mistake the one for the other.
    statements = quinn.plant.execution.signing.statements
    _, vouched = statements.answer(shown.pending, answer)
    mixed = statements.answered(second.pending, vouched)
    assert mixed is not None
    says = refusal(
        ProviderRefused, lambda: quinn.submit(other, second, idem=second_idem, answer=mixed)
    )
    assert "its token answers another statement, so nothing is signed" in says
    assert quinn.refused("MS-0518") == "ProviderRefused"


@pytest.mark.requirement("H1")
@pytest.mark.parametrize(
    ("claims", "what"),
    [
        ({"auth_time": 1_000_000_000}, "the provider did not ask for the secret again"),
        ({"auth_time": time.time() + 3600}, "the provider did not ask for the secret again"),
        ({"auth_time": None}, "the provider did not ask for the secret again"),
        ({"nonce": "ab" * 32}, "the token answers another sign-in"),
        ({"nonce": None}, "the token answers another sign-in"),
        ({"aud": "another-client"}, "the token is for another client"),
        ({"exp": 1000}, "the token has ended"),
        ({"padding": "x" * 16_001}, "the token cannot be kept as evidence"),
    ],
)
def test_token_that_proves_nothing_signs_nothing_and_is_recorded(
    quinn: Signer, claims: dict[str, Any], what: str
) -> None:
    command = quinn.command()
    shown, idem = quinn.prepare(command)
    quinn.idp.claims = claims
    answer, _ = quinn.asked(shown.pending)
    says = refusal(ProviderRefused, lambda: quinn.submit(command, shown, idem=idem, answer=answer))
    assert says == (
        f"{quinn.idp.url}: {what}, so nothing is signed. Read the statement again and sign, or use"
        " badge and secret."
    )
    assert quinn.refused() == "ProviderRefused"
    assert quinn.status() is not LotStatus.RELEASED
    quinn.idp.claims = {}
    answer, _ = quinn.asked(shown.pending)  # the statement is still shown: asked once more
    quinn.submit(command, shown, idem=idem, answer=answer)


@pytest.mark.requirement("H1", "H7")
def test_account_of_another_person_or_of_nobody_signs_nothing(quinn: Signer) -> None:
    command = quinn.command()
    shown, idem = quinn.prepare(command)
    answer, _ = quinn.asked(shown.pending, "s-x")
    says = refusal(ProviderRefused, lambda: quinn.submit(command, shown, idem=idem, answer=answer))
    assert "its account is linked to nobody here, so nothing is signed." in says
    quinn.link("s-x", "ines")
    answer, _ = quinn.asked(shown.pending, "s-x")
    says = refusal(ProviderRefused, lambda: quinn.submit(command, shown, idem=idem, answer=answer))
    assert "its account is another person's, so nothing is signed." in says
    assert quinn.refused() == "ProviderRefused"


@pytest.mark.requirement("H7")
def test_account_of_a_person_who_left_signs_nothing(quinn: Signer) -> None:
    command = quinn.command()
    shown, idem = quinn.prepare(command)
    answer, _ = quinn.asked(shown.pending)
    quinn.plant.act(ChangeRoles(person="quinn", roles=("director",)), "ada")
    quinn.plant.act(RetirePerson(person="quinn"), "ada")
    refusal(Locked, lambda: quinn.submit(command, shown, idem=idem, answer=answer))


@pytest.mark.requirement("H1")
def test_window_goes_to_the_provider_only_for_what_is_shown_to_somebody_signed_in(
    quinn: Signer,
) -> None:
    gone = quinn.browser.get("/login/provider/sign", params={"pending": "none"})
    assert (gone.status_code, "is not shown any more" in gone.text) == (409, True)
    shown, _ = quinn.prepare(quinn.command())
    with quinn.plant.client() as nobody:
        answer = nobody.get("/login/provider/sign", params={"pending": shown.pending})
        assert answer.status_code == 401
    gone = quinn.browser.get("/login/provider/sign", params={"pending": shown.pending})
    back = log_in(gone.headers["location"])
    with quinn.plant.client() as other:
        assert "was not begun here" in other.get(back).text
    gone = quinn.browser.get("/login/provider/sign", params={"pending": shown.pending})
    state = httpx.URL(gone.headers["location"]).params["state"]
    answer = quinn.browser.get("/login/provider/back", params={"state": state, "error": "denied"})
    assert (answer.status_code, "it signed nobody in" in answer.text) == (409, True)
    quinn.idp.is_down = True
    # What the provider said of itself is known for an hour; its word on a code is asked anew.
    gone = quinn.browser.get("/login/provider/sign", params={"pending": shown.pending})
    state = httpx.URL(gone.headers["location"]).params["state"]
    answer = quinn.browser.get("/login/provider/back", params={"state": state, "code": "c"})
    assert (answer.status_code, "does not answer" in answer.text) == (409, True)


@pytest.mark.requirement("H3")
@pytest.mark.parametrize("part", ["issuer", "subject", "auth_time", "token", "key", "words"])
def test_one_changed_part_of_a_stored_word_is_found(quinn: Signer, part: str) -> None:
    entry = quinn.signed()
    event = signature_in(entry)
    assert event.vouched is not None
    parts: dict[str, dict[str, Any]] = {
        "issuer": {"issuer": "https://other.example"},
        "subject": {"subject": "s-x"},
        "auth_time": {"auth_time": event.vouched.auth_time + 1},
        "token": {"token": event.vouched.token[:-8] + "AAAAAAAA"},
        "key": {"key": public_part(RSAKey.generate_key(2048).as_dict(private=False))},
        "words": {},
    }
    broken = msgspec.structs.replace(event.vouched, **parts[part])
    manifest = event.manifest
    if part == "words":
        manifest = msgspec.structs.replace(manifest, words="Something else.")
    data = {**entry.data, "vouched": msgspec.to_builtins(broken)}
    data["manifest"] = msgspec.to_builtins(manifest)
    with pytest.raises(SignatureBroken, match="so nothing is signed"):
        check_proof(msgspec.structs.replace(entry, data=data))


@pytest.mark.requirement("H1")
@pytest.mark.parametrize("seconds", [-11, 11])
def test_secret_that_was_asked_for_outside_the_act_proves_nothing(
    quinn: Signer, seconds: int
) -> None:
    """Both ends: from when the statement was shown until it was recorded, 10 s between clocks."""
    event = signature_in(entry := quinn.signed())
    manifest, at = event.manifest, parse_iso(entry.at)
    shown = parse_iso(manifest.at)

    def word(moment: float) -> Vouched:
        asked = {"client_id": "batchwright", "nonce": nonce_of(manifest)}
        assert event.vouched is not None
        token = quinn.idp.token(asked, "s-quinn", int(moment))
        return msgspec.structs.replace(event.vouched, token=token, auth_time=int(moment))

    edge = (shown if seconds < 0 else at).timestamp()
    check_vouched(word(edge + (-8 if seconds < 0 else 9)), manifest, at=at)
    with pytest.raises(ProviderRefused, match="it did not ask for the secret again"):
        check_vouched(word(edge + seconds + (0 if seconds < 0 else 1)), manifest, at=at)


@pytest.mark.requirement("H1")
def test_statement_that_was_shown_too_long_ago_is_not_signed(quinn: Signer) -> None:
    command = quinn.command()
    shown, idem = quinn.prepare(command)
    answer, _ = quinn.asked(shown.pending)
    statements = quinn.plant.execution.signing.statements
    kept = statements._pending[shown.pending]
    statements._pending[shown.pending] = replace(kept, expires_at=kept.expires_at - 2 * LIFE)
    with pytest.raises(Exception, match="Read it again, then sign"):
        quinn.submit(command, shown, idem=idem, answer=answer)
    assert quinn.refused() == "ShownTooLongAgo"


@pytest.mark.requirement("H1")
def test_rest_takes_the_name_of_an_answer_and_nobody_elses_token(quinn: Signer) -> None:
    command = {**msgspec.to_builtins(quinn.command()), "signature": {"user": "quinn"}}
    key = {"idempotency-key": "rest:sign:1"}
    shown = quinn.browser.post("/api/v1/signatures/prepare", json=command, headers=key).json()
    assert shown["issuers"] == [quinn.idp.url]
    answer, _ = quinn.asked(shown["pending"])
    body = {name: value for name, value in command.items() if name != "type"}
    forged = {"pending": shown["pending"], "vouched": {"issuer": quinn.idp.url}}
    path = "/api/v1/commands/lot.change-status"
    said = quinn.browser.post(path, json={**body, "signature": forged}, headers=key)
    assert said.status_code == 422
    given = {"pending": shown["pending"], "provider": answer}
    for _ in range(2):  # a repeat over a line that was cut
        said = quinn.browser.post(path, json={**body, "signature": given}, headers=key)
        assert said.status_code in (200, 201), said.text
    assert quinn.status() is LotStatus.RELEASED


@pytest.fixture
def served(tmp_path: Path, idp: IdentityProvider) -> Iterator[LivingPlant]:
    with running_plant(tmp_path / "plant", provider=link_to(idp)) as plant:
        yield plant


@pytest.mark.requirement("H1", "H3", "G2")
def test_disposition_is_signed_in_the_providers_window(
    served: LivingPlant, idp: IdentityProvider, open_screen: Callable[..., Screen]
) -> None:
    plant = served
    secrets = {"ada": PIN, "sana": PIN}
    link_account(plant.execution, "quinn", issuer=idp.url, subject="s-quinn", secrets=secrets)
    held = over_weighed(plant)
    page = plant.screen(open_screen, "quinn", width=1280, height=900).go(f"/review/batch/{held}")
    page.get_by_test_id("pick-use_as_is").click()
    page.get_by_label("Assessment of the deviation").fill("No effect.")
    page.get_by_role("button", name="Sign the disposition").click()
    page.get_by_test_id("signature-badge").fill("quinn")
    page.keyboard.press("Enter")
    button = page.get_by_test_id("signature-provider")
    expect(button).to_be_enabled()
    assert grave_findings(page) == []
    idp.claims = {"auth_time": 1_000_000_000}  # the provider asked nobody: refused, said here
    for wrong in (True, False):
        with page.expect_popup() as opened:
            button.click()
        window = opened.value
        expect(page.get_by_test_id("signature-wait")).to_contain_text("in the window")
        window.get_by_label("Subject").fill("s-quinn")
        window.get_by_label("Password").fill("pw-quinn")
        window.get_by_role("button", name="Go").click()
        if wrong:
            expect(page.get_by_test_id("signature-refusal")).to_contain_text(
                "did not ask for the secret again, so nothing is signed"
            )
            idp.claims = {}
    expect(page.get_by_test_id("answer")).to_contain_text("use as is")
    name = plant.batch(held).deviations[0]
    [entry] = [
        one
        for one in plant.execution.ledger.stream(f"deviation/{name}")
        if one.type == "signature.applied"
    ]
    assert entry.data["components"] == ["provider"]
    assert check_proof(entry).startswith("account s-quinn at ")
    assert PIN not in str(entry.data)


@pytest.mark.requirement("H3", "H8")
def test_bundle_proves_the_providers_word_without_server_and_provider(
    quinn: Signer, tmp_path: Path
) -> None:
    seq = quinn.signed().seq
    entries = quinn.plant.execution.ledger.entries(0, 10_000)
    streams = [f"lot/{LOT}", *{one.stream for one in entries if one.stream.startswith("identity/")}]

    def said(changed: Callable[[dict[str, Any]], None], name: str) -> str:
        def change(one: Entry) -> dict[str, Any]:
            data: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(one.data))
            if one.seq == seq:
                changed(data["vouched"])
            return data

        folder = tmp_path / name
        folder.mkdir()
        with reading(relogged(entries, folder / "ledger.db", change)) as ledger:
            export_streams(ledger, streams, folder / "out", vkey=KEY.vkey)
        try:
            return str(stand_alone.verify(str(folder / "out"), KEY.vkey, None))
        except stand_alone.Broken as fault:
            return str(fault)

    def flip(vouched: dict[str, Any]) -> None:
        at = vouched["token"].rindex(".") + 40
        other = "A" if vouched["token"][at] != "A" else "B"
        vouched["token"] = vouched["token"][:at] + other + vouched["token"][at + 1 :]

    assert said(lambda _: None, "whole").startswith("OK: ")
    assert said(flip, "flipped") == (
        f"entry {seq}: is a signature, and the token of its sign-in provider is not signed by the"
        " key it is kept with"
    )
    assert said(lambda it: it.update(subject="s-x"), "subject") == (
        f"entry {seq}: is a signature, and the token of its sign-in provider names another sign-in"
    )
