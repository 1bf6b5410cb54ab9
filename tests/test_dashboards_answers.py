"""What an answer says when a request does not fit, and the headers that no answer lacks."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter

from dashboards import answers
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
        assert one.headers["cross-origin-opener-policy"] == "same-origin"
        assert one.headers["cross-origin-resource-policy"] == "same-origin"
        for word in ("base-uri 'none'", "frame-ancestors 'none'"):
            assert word in one.headers["content-security-policy"]
        assert "secret reason" not in one.text


@pytest.mark.requirement("H7")
@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/login", "text/html; charset=utf-8"),
        ("/kiosk", "text/html; charset=utf-8"),
        ("/help", "text/html; charset=utf-8"),
        ("/nowhere", "application/json"),
        ("/raises", "text/plain; charset=utf-8"),
        ("/api/openapi.json", "application/json"),
        ("/api/v1/nothing", "application/problem+json"),
        ("/api/health", "application/json"),
        ("/metrics", "text/plain; version=1.0.0; charset=utf-8"),
        ("/assets/icon.svg", "image/svg+xml; charset=utf-8"),
        ("/favicon.ico", "image/svg+xml; charset=utf-8"),
        ("/assets/frame.css", "text/css; charset=utf-8"),
        ("/assets/frame.js", "application/javascript"),
        ("/assets/none", "text/plain; charset=utf-8"),
    ],
)
def test_every_answer_says_what_it_is_and_programs_answers_are_no_documents(
    url: str, path: str, kind: str
) -> None:
    answer = signed_in(url, "ama").get(path)
    assert answer.headers["content-type"].lower() == kind
    is_sealed = answer.headers["content-security-policy"].endswith("; sandbox")
    assert is_sealed is kind.startswith(("application/json", "application/problem", "text/plain"))


@pytest.mark.requirement("H7")
@pytest.mark.parametrize(
    "path", ["/api/v1/batch", "/api/openapi.json", "/login", "/assets/icon.svg"]
)
def test_no_other_origin_may_read_an_answer(url: str, path: str) -> None:
    ama, other = signed_in(url, "ama"), {"origin": "https://evil.example"}
    asked = {**other, "access-control-request-method": "GET"}
    for answer in (ama.get(path, headers=other), ama.options(path, headers=asked)):
        assert [name for name in answer.headers if name.startswith("access-control")] == []


@pytest.mark.requirement("H7")
@pytest.mark.parametrize(
    "path",
    ["/.git/config", "/.git/", "/assets/", "/assets", "/static/", "/static", "/components/",
     "/help/pictures/", "/assets/../server.py", "/assets/%2e%2e/server.py",
     "/static/%2e%2e/%2e%2e/core.py", "/static/..%2f..%2fserver.py"],
)  # fmt: skip
def test_no_folder_and_no_file_beside_the_served_ones_is_shown(url: str, path: str) -> None:
    answer = signed_in(url, "ama").get(path, follow_redirects=True)
    assert answer.status_code in (400, 404), answer.text[:200]


@pytest.mark.requirement("H7")
@pytest.mark.parametrize("path", ["/login", "/kiosk", "/api/v1/batch", "/assets/icon.svg", "/"])
def test_trace_sends_nothing_back(url: str, path: str) -> None:
    answer = signed_in(url, "ama").request("TRACE", path, headers={"x-told": "told-in-a-header"})
    assert answer.status_code in (404, 405)
    assert "told-in-a-header" not in answer.text


@pytest.mark.requirement("H7")
def test_every_page_has_its_sign_out_at_the_head(url: str) -> None:
    dora, quinn = signed_in(url, "dora"), signed_in(url, "quinn")
    opened = [(dora, "/oee"), (quinn, "/review"), (quinn, "/audit"), (quinn, "/help")]
    for client, path in (*opened, (dora, "/nowhere"), (dora, "/forbidden")):
        answer = client.get(path, headers=BROWSER)
        head = answer.text.partition("<main")[0]
        assert '<form method="post" action="/logout">' in head, path


@pytest.mark.requirement("H7")
def test_secrets_are_masked_and_open_to_password_managers(url: str) -> None:
    text = httpx.get(url + "/login").text
    field = re.search(r'<input id="password"[^>]*>', text)
    assert field is not None
    assert 'type="password"' in field[0]
    assert 'autocomplete="current-password"' in field[0]
    assert "onpaste" not in text


KEPT = re.compile(
    r"localStorage\.setItem\((\w+)|sessionStorage|indexedDB|caches\.open|keep\('(\w+)'"
)


@pytest.mark.requirement("H7")
def test_browser_is_given_colours_and_a_switch_to_keep_and_nothing_else() -> None:
    """`SWITCH` is whether single keys act on the page of reviews."""
    found = set()
    for path in Path(answers.__file__).parent.rglob("*.js"):
        text = path.read_text("utf-8")
        found |= {one.group(0) for one in KEPT.finditer(text)}
        assert text.count("document.cookie") == (2 if path.name == "frame.js" else 0), path.name
    assert found == {"localStorage.setItem(SWITCH", "keep('mes_scheme'", "keep('mes_theme'"}


SECRETS = re.compile(
    r"""<input[^>]*\b(?:name|id)="(?:password|secret|present|again|pin|passkey-secret)"[^>]*>"""
)


@pytest.mark.requirement("H7")
def test_every_field_for_a_secret_is_masked_and_takes_what_is_pasted() -> None:
    found = 0
    folder = Path(answers.__file__).parent
    for path in [*folder.rglob("*.html"), *folder.rglob("*.py"), *folder.rglob("*.js")]:
        text = path.read_text("utf-8").replace("\n", " ").replace("' '", "").replace("'  ", "")
        for field in SECRETS.findall(re.sub(r"'\s+'", "", text)):
            assert 'type="password"' in field, (path.name, field)
            assert re.search(r'autocomplete="(current|new)-password"', field), (path.name, field)
            found += 1
        assert not re.search(r"onpaste|'paste'", text), path.name
    assert found >= 6


# A property is written under a name from elsewhere, or what all objects inherit is touched.
POLLUTES = re.compile(
    r"[\w)\]]\[[A-Za-z_.]+\]\s*=(?!=)|__proto__|\.prototype\b|\.(?:extend|merge)\("
    r"|Object\.(?:assign|defineProperty|setPrototypeOf)\((?!inp,)"  # an input element's own
)


@pytest.mark.requirement("H7")
def test_no_script_of_ours_writes_under_a_name_that_came_from_elsewhere() -> None:
    for planted in ("kept[name] = 1", "a[b.c]=d", "Object.assign(all, given)", "x.__proto__"):
        assert POLLUTES.search(planted), planted
    for fair in ("kept[name] === 1", "form.elements[name].value = given", "new Map()"):
        assert not POLLUTES.search(fair), fair
    scripts = list(Path(answers.__file__).parent.rglob("*.js"))
    assert len(scripts) > 10
    assert [path.name for path in scripts if POLLUTES.search(path.read_text("utf-8"))] == []
