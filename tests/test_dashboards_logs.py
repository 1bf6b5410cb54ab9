"""What the log says: one line for each event, nothing that was typed, nothing that is secret."""

import logging
import re
from collections.abc import Iterator
from io import StringIO

import httpx
import pytest

from dashboards import logs
from dashboards.session import COOKIE
from tests.sockets import knock, token_of
from tests.test_dashboards_security import PAGES
from tests.ui_plant import SECRET, create_app, plant_of, running, signed_in

LINE = re.compile(r'event=[a-z-]+( [a-z]+=("(\\.|[^"\\])*"|[^\s"=]+))*')


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(create_app(plant_of(), pages=PAGES)) as address:
        yield address


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "batchwright.security")
    return caplog


def events(heard: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in heard.records if one.name == "batchwright.security"]


@pytest.mark.requirement("H7")
def test_events_of_security_are_one_line_each(url: str, heard: pytest.LogCaptureFixture) -> None:
    ama, quinn = signed_in(url, "ama", station="booth-1"), signed_in(url, "quinn")
    httpx.post(url + "/login", data={"user": "ama", "password": "wrong-one"})
    httpx.post(url + "/login", headers={"origin": "http://evil.example"})
    ama.get("/review")
    knock(url, "/kiosk", "x", cookie=None)
    evil = signed_in(url, "evil")
    knock(url, "/review", token_of(quinn, "/review"), cookie=None)
    knock(url, "/kiosk", token_of(ama, "/kiosk"), cookie=evil.cookies[COOKIE])
    httpx.get(url + "/help", cookies={COOKIE: ama.cookies[COOKIE]})
    httpx.post(url + "/login", content=b"x" * 300_000)
    quinn.post("/api/v1/commands/order.open", json={}, headers={"idempotency-key": "short"})
    httpx.get(url + "/api/v1/batch", headers={"authorization": "Bearer bw_none"})
    httpx.post(url + "/login", data={"user": "ama"})
    quinn.post("/logout", data={"csrf": "foreign"})
    found = events(heard)
    assert all(LINE.fullmatch(one) for one in found), found
    kinds = {one.split()[0].removeprefix("event=") for one in found}
    assert kinds == {
        "signed-in", "sign-in-refused", "foreign-origin", "page-refused", "socket-refused",
        "foreign-page", "session-moved", "too-large", "signed-out", "input-refused", "key-refused",
        "foreign-form",
    }  # fmt: skip
    assert "means=secret" in next(one for one in found if "signed-in" in one)
    evil.get("/api/v1/erp-key")
    [refused] = [one for one in events(heard) if "noun-refused" in one]
    assert refused.startswith("event=noun-refused noun=erp-key login=")
    refused = next(one for one in found if "sign-in-refused" in one)
    assert refused == "event=sign-in-refused rule=Refused client=127.0.0.1 station=-"


@pytest.mark.requirement("H7")
def test_nothing_typed_and_nothing_secret_is_in_any_log(
    url: str, heard: pytest.LogCaptureFixture
) -> None:
    ama = signed_in(url, "ama", station="booth-1")
    token = token_of(ama, "/kiosk")
    knock(url, "/kiosk", token, cookie=ama.cookies[COOKIE])
    httpx.post(url + "/login", data={"user": "typed-as-user", "password": "typed-as-secret"})
    body = {"order": "O1", "signature": {"user": "ama", "secret": "typed-as-secret"}}
    ama.post("/api/v1/commands/order.open", json=body, headers={"idempotency-key": "k" * 20})
    ama.get("/api/v1/batch", headers={"authorization": "Bearer typed-as-key"})
    everything = "\n".join(
        f"{one.getMessage()} {one.exc_text or ''}"
        for one in heard.records
        if not one.name.startswith(("httpx", "httpcore", "websockets.client", "asyncio"))
    )
    assert "event=signed-in" in everything
    for secret in (SECRET, "typed-as", *ama.cookies.values(), token[:40]):
        assert secret not in everything, secret


@pytest.mark.requirement("H7")
@pytest.mark.parametrize(
    ("comes_from", "said"), [("127.0.0.1", "198.51.100.7"), ("127.0.0.2", "127.0.0.2")]
)
def test_a_forwarded_address_is_the_proxys_word_on_this_host_and_nobody_elses(
    url: str, heard: pytest.LogCaptureFixture, comes_from: str, said: str
) -> None:
    forwarded = {"x-forwarded-for": "203.0.113.9, 198.51.100.7", "x-forwarded-proto": "https"}
    wire = httpx.HTTPTransport(local_address=comes_from)
    with httpx.Client(transport=wire, base_url=url, headers=forwarded) as client:
        client.post("/login", data={"user": "ama", "password": "wrong-one"})
        answer = client.post("/login", data={"user": "ama", "password": SECRET})
    assert {one.partition("client=")[2].split()[0] for one in events(heard)} == {said}
    is_secure = "Secure" in answer.headers["set-cookie"]
    assert is_secure is (said != comes_from)


@pytest.mark.requirement("H7")
def test_no_request_writes_a_line_of_its_own(url: str, heard: pytest.LogCaptureFixture) -> None:
    ama = signed_in(url, "ama")
    ama.get("/review/batch/x%0Aevent=signed-in%20login=forged%1b[31m%e2%80%a8")
    found = next(one for one in events(heard) if "page-refused" in one)
    assert LINE.fullmatch(found)
    assert len(found.splitlines()) == 1
    assert "\x1b" not in found
    assert '"/review/batch/x\\nevent=signed-in login=forged' in found


def test_a_line_is_dated_in_utc_and_says_so() -> None:
    record = logging.LogRecord("any", logging.WARNING, __file__, 1, "said", None, None)
    record.created = 1_795_733_130.25
    line = logs.OneLine("%(asctime)s %(message)s").format(record)
    assert line == "2026-11-26T22:45:30.250Z said"


def test_a_long_value_is_cut() -> None:
    assert logs.pair("path", "/" + "x" * 500) == "path=/" + "x" * 199 + "..."


@pytest.mark.parametrize("typed", ["a\nERROR forged", "a\rb", "a\x1b[31mb", "a\x85b", "a\u2028b"])
def test_the_log_of_any_module_keeps_to_one_line(typed: str) -> None:
    written = StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logs.OneLine("%(levelname)s %(message)s"))
    try:
        raise ValueError(typed)
    except ValueError:
        record = logging.LogRecord(
            "any", logging.WARNING, __file__, 1, "said: %s", (typed,), __import__("sys").exc_info()
        )
    handler.handle(record)
    first, *rest = written.getvalue().removesuffix("\n").split("\n")
    assert first.startswith("WARNING said: a")
    assert all(line.startswith("  | ") for line in rest)
    assert not set("\r\x1b\x85\u2028") & set(written.getvalue())
