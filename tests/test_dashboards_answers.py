"""What an answer says when a request does not fit, and the headers that no answer lacks."""

from collections.abc import Iterator

import httpx
import pytest
from bokeh.document import Document
from fastapi import APIRouter

from dashboards import visit
from tests.ui_plant import create_app, plant_of, running, signed_in

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    routes = APIRouter()

    @routes.get("/raises")
    def raises() -> None:
        raise ValueError("the secret reason")

    with running(create_app(plant_of(), routers=[routes])) as address:
        yield address


def test_a_browser_gets_a_page_with_a_way_home_for_what_is_not_there(url: str) -> None:
    ama = signed_in(url, "ama")
    for path in ("/nowhere", "/help/nowhere", "/review/x/y/z"):
        answer = ama.get(path, headers=BROWSER)
        assert answer.status_code == 404, path
        assert answer.headers["content-type"].startswith("text/html"), path
        assert 'href="/"' in answer.text, path
        assert "Ama Mensah" in answer.text, path
    assert ama.get("/nowhere").headers["content-type"] == "application/json"


def test_a_browser_without_sign_in_is_led_from_the_manual_to_the_form(url: str) -> None:
    answer = httpx.get(url + "/help/operator", headers=BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/help/operator")
    assert httpx.get(url + "/help/operator").status_code == 401


@pytest.mark.parametrize("headers", [BROWSER, {}])
def test_a_form_that_does_not_fit_is_not_repeated(url: str, headers: dict[str, str]) -> None:
    typed = {"user": "ama", "password": "typed-in-full" * 30}
    answer = httpx.post(url + "/login", data=typed, headers=headers)
    assert answer.status_code == 422
    assert "typed-in" not in answer.text
    assert "password" in answer.text


@pytest.mark.requirement("H7")
@pytest.mark.parametrize(
    "path", ["/help", "/api/openapi.json", "/api/session", "/nowhere", "/forbidden", "/favicon.ico"]
)
def test_what_one_person_was_shown_stays_in_no_cache(url: str, path: str) -> None:
    """After a sign-out the button Back, and a shared browser's cache, show nothing."""
    assert signed_in(url, "ama").get(path).headers["cache-control"] == "no-store"
    assert httpx.get(url + path).headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["/login", "/nowhere", "/assets/icon.svg", "/assets/none", "/help", "/raises", "/"]
)
def test_every_answer_carries_the_headers(url: str, path: str) -> None:
    answer = httpx.get(url + path)
    elsewhere = httpx.post(url + path, headers={"origin": "http://evil.example"})
    for one in (answer, elsewhere):
        assert one.headers["content-security-policy"]
        assert one.headers["x-content-type-options"] == "nosniff"
        assert one.headers["x-frame-options"] == "DENY"
        assert one.headers["referrer-policy"] == "same-origin"
        assert "secret reason" not in one.text


def test_a_page_that_was_closed_meanwhile_is_not_drawn() -> None:
    page, drawn = Document(), []
    visit.later(page, lambda: drawn.append(1))
    assert len(page.session_callbacks) == 1
    page.callbacks.destroy()
    visit.later(page, lambda: drawn.append(2))
    assert drawn == []
