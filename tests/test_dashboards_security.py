import re
import time
from collections.abc import Iterator

import httpx
import pytest

from dashboards import headers, parts
from dashboards.plant import PlantServices
from dashboards.security import Gate
from dashboards.session import Sessions, Viewer
from dashboards.theme import Frame, frame
from tests.patience import eventually
from tests.sockets import cookie_of, knock, stay, token_of
from tests.ui_plant import PEOPLE, SECRET, create_app, plant_of, running, signed_in

NONCE = re.compile(r"'nonce-([^']+)'")


def page(plant: PlantServices, viewer: Viewer) -> Frame:
    plant.hub.subscribe(["ledger"], lambda news: None, after=0)
    body = parts.html(parts.facts([("Name", viewer.name)]))
    return frame("Page", body, viewer=viewer, nav="/", plant=plant.name, zone=plant.zone)


def broken(plant: PlantServices, viewer: Viewer) -> Frame:
    raise ValueError("the secret reason")


PAGES = {"/": page, "/kiosk": page, "/review": page, "/review/batch/{batch}": page, "/oee": broken}
GATE = Gate()
PLANT = plant_of()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    GATE.sessions = Sessions(ended=PLANT.accounts.signed_out)
    with running(create_app(PLANT, pages=PAGES, gate=GATE)) as address:
        yield address


@pytest.mark.requirement("P1")
def test_own_page_opens(url: str) -> None:
    ama = signed_in(url, "ama")
    assert knock(url, "/kiosk", token_of(ama, "/kiosk"), cookie=cookie_of(ama)) == 101


def test_home_page_opens_although_its_socket_is_at_the_root(url: str) -> None:
    ama = signed_in(url, "ama")
    assert knock(url, "/", token_of(ama, "/"), cookie=cookie_of(ama)) == 101


def test_socket_needs_a_cookie(url: str) -> None:
    ama = signed_in(url, "ama")
    token = token_of(ama, "/kiosk")
    assert knock(url, "/kiosk", token, cookie=None) == 403
    assert knock(url, "/kiosk", token, cookie="made-up") == 403


def test_wrong_role_has_neither_page_nor_socket(url: str) -> None:
    ama = signed_in(url, "ama")
    answer = ama.get("/review")
    assert (answer.status_code, answer.headers["location"]) == (302, "/forbidden")
    quinn = signed_in(url, "quinn")
    assert knock(url, "/review", token_of(quinn, "/review"), cookie=cookie_of(ama)) == 403
    assert knock(url, "/review", token_of(ama, "/kiosk"), cookie=cookie_of(ama)) == 403


def test_a_stolen_page_token_opens_nothing_for_another_login(url: str) -> None:
    ama, other = signed_in(url, "ama"), signed_in(url, "evil")
    token = token_of(ama, "/kiosk")
    assert knock(url, "/kiosk", token, cookie=cookie_of(other)) == 403  # the thief comes first
    assert knock(url, "/kiosk", token, cookie=cookie_of(ama)) == 101
    assert knock(url, "/kiosk", token, cookie=cookie_of(other)) == 403


def test_same_person_with_another_login_does_not_share_pages(url: str) -> None:
    one, two = signed_in(url, "ama"), signed_in(url, "ama")
    assert knock(url, "/kiosk", token_of(one, "/kiosk"), cookie=cookie_of(two)) == 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1.evil.example"]
)
def test_foreign_origin_is_refused(url: str, origin: str) -> None:
    ama = signed_in(url, "ama")
    token = token_of(ama, "/kiosk")
    assert knock(url, "/kiosk", token, cookie=cookie_of(ama), origin=origin) == 403


@pytest.mark.parametrize("token", ["x", "a.b.c", "e30", "AAAA.BBBB"])
def test_malformed_token_is_refused(url: str, token: str) -> None:
    ama = signed_in(url, "ama")
    assert knock(url, "/kiosk", token, cookie=cookie_of(ama)) == 403


def test_forged_token_and_session_id_are_refused(url: str) -> None:
    ama = signed_in(url, "ama")
    token = token_of(ama, "/kiosk")
    assert knock(url, "/kiosk", token[:-4] + "AAAA", cookie=cookie_of(ama)) == 403
    query = "?bokeh-session-id=abc"
    assert knock(url, "/kiosk", "x", cookie=cookie_of(ama), query=query) == 403


def test_after_sign_out_nothing_opens_and_the_open_socket_is_closed(url: str) -> None:
    ama = signed_in(url, "ama")
    token, cookie = token_of(ama, "/kiosk"), cookie_of(ama)

    code = stay(url, "/kiosk", token, cookie=cookie, then=lambda: GATE.sessions.end(cookie))
    assert code == 4401
    assert knock(url, "/kiosk", token, cookie=cookie) == 403
    assert ama.get("/kiosk").headers["location"].startswith("/login")
    assert ("ama", "sign-out") in PLANT.accounts.ended


def test_the_cookie_is_not_in_the_page(url: str) -> None:
    ama = signed_in(url, "ama")
    import base64
    import json
    import zlib

    text, token = ama.get("/kiosk").text, token_of(ama, "/kiosk")
    assert cookie_of(ama) not in text
    head = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    for value in head.values():
        if isinstance(value, str):
            raw = base64.urlsafe_b64decode(value + "==")
            unpacked = zlib.decompress(raw) if raw[:1] == b"x" else raw
            assert cookie_of(ama).encode() not in unpacked


@pytest.mark.parametrize("path", ["/session_info", "/alive", "/liveness", "/admin", "/index"])
def test_the_libraries_own_pages_are_not_exposed(url: str, path: str) -> None:
    assert signed_in(url, "ama").get(path).status_code == 404


@pytest.mark.parametrize(
    "path", ["/kiosk", "/kiosk/autoload.js?bokeh-autoload-element=1", "/kiosk/metadata"]
)
def test_without_sign_in_every_page_route_leads_to_the_form(url: str, path: str) -> None:
    answer = httpx.get(url + path)
    assert answer.status_code == 302
    assert answer.headers["location"].startswith("/login?next=")


def test_every_script_of_a_page_carries_the_nonce_of_its_answer(url: str) -> None:
    ama = signed_in(url, "ama")
    one, two = ama.get("/kiosk"), ama.get("/kiosk")
    nonce = NONCE.search(one.headers["content-security-policy"]).group(1)  # type: ignore[union-attr]
    scripts = re.findall(r"<script[^>]*>", one.text)
    assert scripts
    assert all(f'nonce="{nonce}"' in script for script in scripts)
    assert nonce not in two.text
    assert "unsafe-eval" not in one.headers["content-security-policy"].replace(
        "wasm-unsafe-eval", ""
    )
    assert one.headers["cache-control"] == "no-store"
    assert one.headers["x-frame-options"] == "DENY"


def test_a_host_header_cannot_write_into_the_policy(url: str) -> None:
    answer = httpx.get(url + "/login", headers={"host": "localhost; script-src *"})
    assert answer.status_code == 421
    assert "script-src *" not in answer.headers["content-security-policy"]


def test_a_persons_name_is_never_markup(url: str) -> None:
    evil = signed_in(url, "evil")
    for path in ("/kiosk", "/help", "/logout"):
        text = evil.get(path).text
        assert "<img src=x" not in text, path
        assert "&lt;img src=x" in text, path


def test_a_page_that_breaks_says_so_without_its_reason(url: str) -> None:
    dora = signed_in(url, "dora")
    answer = dora.get("/oee")
    assert answer.status_code == 200
    assert "the secret reason" not in answer.text


def test_cookie_is_for_this_server_alone(url: str) -> None:
    answer = httpx.post(url + "/login", data={"user": "ama", "password": SECRET})
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie  # plain http here; https sets it


def test_badge_signs_in_and_the_station_is_kept(url: str) -> None:
    ama = signed_in(url, PEOPLE["ama"][2], station="booth-1")
    assert 'data-testid="station">Station <b>booth-1</b>' in ama.get("/kiosk").text
    assert 'value="booth-1" selected' in httpx.get(url + "/login", cookies=ama.cookies).text


@pytest.mark.parametrize(
    "goal",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil",
        "/review",
        "/kiosk//evil.example",
        "/kiosk/../review",
    ],
)
def test_signing_in_leads_only_to_an_own_page_that_may_be_opened(url: str, goal: str) -> None:
    answer = httpx.post(url + "/login", data={"user": "ama", "password": SECRET, "next": goal})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_a_post_from_another_site_is_refused(url: str) -> None:
    data = {"user": "ama", "password": SECRET}
    answer = httpx.post(url + "/login", data=data, headers={"origin": "http://evil.example"})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_signing_out_needs_the_forms_token(url: str) -> None:
    ama = signed_in(url, "ama")
    assert ama.post("/logout", data={"csrf": "guess"}).status_code == 403
    csrf = re.search(r'name="csrf" value="([^"]+)"', ama.get("/logout").text).group(1)  # type: ignore[union-attr]
    assert ama.post("/logout", data={"csrf": csrf}).status_code == 303
    assert ama.get("/help").status_code == 401


def test_guessing_is_slowed_after_ten_failures(url: str) -> None:
    wrong = {"user": "nobody", "password": "x"}
    answers = [httpx.post(url + "/login", data=wrong).status_code for _ in range(11)]
    assert answers == [401] * 10 + [429]
    assert signed_in(url, "ama") is not None  # others are not held up


def test_static_files_are_packed_and_kept(url: str) -> None:
    asset = re.search(r"/assets/frame\.js\?v=\w+", httpx.get(url + "/login").text).group(0)  # type: ignore[union-attr]
    for path in (asset, "/static/js/bokeh.min.js?v=1"):
        first = httpx.get(url + path)
        assert first.headers["content-encoding"] == "gzip"
        assert "immutable" in first.headers["cache-control"]
        again = httpx.get(url + path, headers={"if-none-match": first.headers["etag"]})
        assert again.status_code == 304
    bare = httpx.get(url + asset, headers={"accept-encoding": "identity"})
    assert (bare.status_code, "content-encoding" in bare.headers) == (200, False)
    assert httpx.get(url + "/assets/../server.py").status_code == 404


def test_health_says_what_was_checked_and_metrics_count_pages(url: str) -> None:
    assert httpx.get(url + "/api/health").json() == {"status": "ok", "entries": 3}
    assert "batchwright_open_pages" in httpx.get(url + "/metrics").text


def test_health_fails_without_giving_the_reason_away() -> None:
    def down() -> dict[str, object]:
        raise OSError("/data/ledger.db is gone")

    with running(create_app(plant_of(health=down), pages={})) as address:
        answer = httpx.get(address + "/api/health")
    assert answer.status_code == 503
    assert answer.json() == {"status": "fail", "reason": "OSError"}


class Watch:
    at = 1000.0

    def __call__(self) -> float:
        return self.at


VIEWER = Viewer(person="ama", name="Ama", roles=frozenset({"operator"}))


@pytest.mark.parametrize(("pause_s", "stands"), [(1800, True), (1801, False)])
def test_an_idle_session_ends(pause_s: int, stands: bool) -> None:
    watch, causes = Watch(), []
    sessions = Sessions(clock=watch, ended=lambda viewer, cause: causes.append(cause))
    token = sessions.open(VIEWER)
    watch.at += pause_s
    assert (sessions.get(token) is not None) is stands
    assert causes == ([] if stands else ["time"])


@pytest.mark.parametrize(("age_s", "stands"), [(12 * 3600, True), (12 * 3600 + 1, False)])
def test_a_session_ends_after_twelve_hours_of_use(age_s: int, stands: bool) -> None:
    watch = Watch()
    sessions = Sessions(clock=watch)
    token = sessions.open(VIEWER)
    for _ in range(age_s // 1200):
        watch.at += 1200
        assert sessions.get(token) is not None
    watch.at = 1000.0 + age_s
    assert (sessions.get(token) is not None) is stands


def test_looking_without_touching_does_not_keep_a_session_awake() -> None:
    watch = Watch()
    sessions = Sessions(clock=watch)
    token = sessions.open(VIEWER)
    watch.at += 1000
    assert sessions.get(token, touch=False) is not None
    watch.at += 1000
    assert sessions.get(token, touch=False) is None


@pytest.mark.requirement("H7")
def test_a_page_that_stays_open_does_not_keep_its_session_awake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(headers, "RECHECK_S", 0.1)
    watch = Watch()
    gate = Gate(Sessions(clock=watch))
    with running(create_app(PLANT, pages=PAGES, gate=gate)) as address:
        ama = signed_in(address, "ama")
        token = token_of(ama, "/kiosk")

        def half_an_hour() -> None:
            for _ in range(3):
                watch.at += 600
                time.sleep(0.4)
            watch.at += 1

        assert stay(address, "/kiosk", token, cookie=cookie_of(ama), then=half_an_hour) == 4401


def test_all_logins_of_a_person_end_together() -> None:
    sessions = Sessions()
    tokens = [sessions.open(VIEWER) for _ in range(3)]
    assert sessions.end_person("ama") == 3
    assert [sessions.get(token) for token in tokens] == [None] * 3


def test_closed_pages_are_forgotten(url: str) -> None:
    ama = signed_in(url, "ama")
    before = len(GATE.owners)
    subscribed = len(PLANT.hub)
    assert knock(url, "/kiosk", token_of(ama, "/kiosk"), cookie=cookie_of(ama)) == 101
    eventually(lambda: len(GATE.owners) <= before)
    eventually(lambda: len(PLANT.hub) <= subscribed)
