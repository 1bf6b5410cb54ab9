"""What one client may ask: how large, how often, how slowly; and what it is told."""

import asyncio
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import httpx
import pytest

from dashboards import limits
from dashboards.asgi import Message, Receive, Scope, Send
from dashboards.limits import Guard, Limits, Rate
from dashboards.session import COOKIE, Viewer
from tests.patience import PATIENCE_S, eventually
from tests.ui_plant import SECRET, Crowd, create_app, plant_of, running, signed_in

SMALL = Limits(
    body=2000,
    body_s=1.0,
    sign_ins=(12, 0.05),
    commands=(5, 2.0),
    reads=(5, 2.0),
    papers=(3, 0.1),
    at_once=4,
)
COMMAND = "/api/v1/commands/order.open"


@pytest.fixture
def url() -> Iterator[str]:
    with running(create_app(plant_of(), pages={}, limits=SMALL)) as address:
        yield address


def raw(url: str, *pieces: bytes, pause_s: float = 0) -> bytes:
    """Send bytes as they are and return all that comes back until the server closes."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as line:
        for piece in pieces:
            line.sendall(piece)
            time.sleep(pause_s)
        answer = b""
        try:
            while more := line.recv(65536):
                answer += more
        except ConnectionResetError:
            pass
        return answer


@pytest.mark.requirement("H7")
@pytest.mark.parametrize(("size", "status"), [(2000, 401), (2001, 413)])
def test_a_body_has_a_largest_size(url: str, size: int, status: int) -> None:
    answer = httpx.post(url + COMMAND, content=b"x" * size)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.requirement("H7")
def test_a_body_without_a_length_is_counted_as_it_comes(url: str) -> None:
    def chunks() -> Iterator[bytes]:
        yield from [b"hunter2" * 100] * 4

    for path in (COMMAND, "/login", "/logout", "/help"):
        answer = httpx.post(url + path, content=chunks())
        assert answer.status_code == 413, path
        assert "hunter2" not in answer.text
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert httpx.post(url + COMMAND, content=iter([b"x"] * 100)).status_code == 401


def test_a_length_that_lies_or_is_no_number_opens_nothing(url: str) -> None:
    head = b"POST /login HTTP/1.1\r\nHost: localhost\r\n"
    huge = head + b"Content-Length: " + b"9" * 18 + b"\r\n\r\n"
    assert raw(url, huge).startswith(b"HTTP/1.1 413 ")
    for told in (b"-1", b"1e3", b"0x10", b"5, 6"):
        assert raw(url, head + b"Content-Length: " + told + b"\r\n\r\nabcde").startswith(
            b"HTTP/1.1 400 "
        )
    both = head + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    both += b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = raw(url, both)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1  # nothing is smuggled past the first


@pytest.mark.requirement("H7")
def test_a_body_that_drips_is_given_up(url: str) -> None:
    head = b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n"
    answer = raw(url, head, b"user=ama")  # which gives up where the server does not
    assert answer.startswith(b"HTTP/1.1 408 ")


@pytest.mark.requirement("H7")
@pytest.mark.parametrize("sent", [b"", b"GET /login HTTP/1.1\r\nHost: localhost\r\n"])
def test_headers_that_do_not_come_hold_no_connection(
    url: str, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HEADERS_S", 0.5)
    raw(url, sent)  # which gives up where the server does not
    half = b"GET /login HTTP/1.1\r\nHost: localhost\r\n\r\n"  # a whole one, then half of the next
    assert raw(url, half, b"GET /login HTT").startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(("size", "status"), [(20_000, 200), (40_000, 431)])
def test_headers_have_a_largest_size(url: str, size: int, status: int) -> None:
    answer = httpx.get(url + "/login", headers={"x-filler": "x" * size})
    assert answer.status_code == status


@pytest.mark.requirement("H7")
def test_one_address_signs_in_only_so_often(url: str) -> None:
    answers = [
        httpx.post(url + "/login", data={"user": f"nobody-{n}", "password": "hunter2"})
        for n in range(14)
    ]
    codes = [one.status_code for one in answers]
    assert codes[:12] == [401] * 12
    assert codes[-1] == 429
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 20
    assert answers[-1].text.startswith("Sign-in: more than 12 tries from this address.")


@pytest.mark.requirement("H7")
def test_one_address_leaves_for_the_provider_only_so_often(url: str) -> None:
    """Else one stranger makes the server forget the sign-ins of everybody that are under way."""
    answers = [httpx.get(url + "/login/provider") for _ in range(14)]
    assert {one.status_code for one in answers[:12]} == {404}, "this plant has no provider"
    assert answers[-1].status_code == 429
    assert answers[-1].text.startswith("Sign-in: more than 12 tries from this address.")
    assert httpx.get(url + "/login").status_code == 200


@pytest.mark.requirement("H7")
def test_one_login_sends_only_so_many_commands_and_holds_up_no_other(url: str) -> None:
    ama, quinn = signed_in(url, "ama"), signed_in(url, "quinn")
    assert ama.post(COMMAND, json={}).status_code == 400  # no key: it was let through
    with ThreadPoolExecutor(8) as hands:
        answers = list(hands.map(lambda _: ama.post(COMMAND, json={}), range(24)))
    last = next(one for one in answers if one.status_code == 429)
    assert last.headers["content-type"] == "application/problem+json"
    assert last.json()["detail"] == (
        "Commands: more than 5 at once or 2 a second. Send it again in 1 s."
    )
    assert last.headers["retry-after"] == "1"
    assert quinn.post(COMMAND, json={}).status_code == 400
    eventually(lambda: ama.post(COMMAND, json={}).status_code == 400)


@pytest.mark.requirement("H7")
def test_one_login_reads_only_so_much_and_holds_up_no_other(url: str) -> None:
    ama, quinn = signed_in(url, "ama"), signed_in(url, "quinn")
    with ThreadPoolExecutor(8) as hands:
        answers = list(hands.map(lambda _: ama.get("/api/v1/nothing"), range(24)))
    assert {one.status_code for one in answers} == {404, 429}
    last = next(one for one in answers if one.status_code == 429)
    assert last.json()["detail"] == (
        "Reading: more than 5 at once or 2 a second. Send it again in 1 s."
    )
    assert quinn.get("/api/v1/nothing").status_code == 404
    assert ama.get("/help").status_code == 200
    eventually(lambda: ama.get("/api/v1/nothing").status_code == 404)


@pytest.mark.requirement("H7")
@pytest.mark.parametrize("path", ["/record/B26-1.pdf", "/reconcile/x.xlsx", "/reconcile/y.zip"])
def test_one_login_asks_for_only_so_many_files(url: str, path: str) -> None:
    ama, quinn = signed_in(url, "ama"), signed_in(url, "quinn")
    answers = [ama.get(path) for _ in range(4)]
    assert [one.status_code == 429 for one in answers] == [False, False, False, True]
    assert answers[-1].text == "Files: more than 3 at once or 0.1 a second. Send it again in 10 s."
    assert quinn.get(path).status_code != 429
    assert ama.get("/help").status_code == 200


@pytest.mark.requirement("H7")
def test_the_wait_for_a_name_is_told_to_programs_too(url: str) -> None:
    wrong = {"user": "nobody", "password": "hunter2"}
    answer = [httpx.post(url + "/login", data=wrong) for _ in range(11)][-1]
    assert answer.status_code == 429
    assert 290 <= int(answer.headers["retry-after"]) <= 300
    assert "hunter2" not in answer.text


class Watch:
    at = 0.0

    def __call__(self) -> float:
        return self.at


def test_a_bucket_fills_again_but_never_beyond_its_size() -> None:
    watch = Watch()
    rate = Rate(3, 0.5, clock=watch)
    assert [rate.wait_s("a") for _ in range(4)] == [0, 0, 0, 2]
    watch.at = 1.9
    assert rate.wait_s("a") == 1
    watch.at = 2.0
    assert [rate.wait_s("a"), rate.wait_s("a")] == [0, 2]
    watch.at = 1000.0
    assert [rate.wait_s("a") for _ in range(4)] == [0, 0, 0, 2]


def test_many_clients_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_CLIENTS", 3)
    rate = Rate(1, 0.001)
    assert [rate.wait_s(client) for client in "abcd"] == [0] * 4
    assert rate.wait_s("d") > 0
    assert rate.wait_s("a") == 0  # the one seen longest ago was forgotten


@pytest.mark.requirement("H7")
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "text/json"])
def test_a_command_is_no_form(url: str, kind: str) -> None:
    ama = signed_in(url, "ama")
    headers = {"content-type": kind, "idempotency-key": "12345678"}
    answer = ama.post(COMMAND, content=b'{"order": "hunter2"}', headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (415, "/help/api#not-json")
    assert "hunter2" not in answer.text


@pytest.mark.requirement("H7")
@pytest.mark.parametrize(
    "sent",
    [{"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"},
     {"sec-fetch-site": "same-site"}],
)  # fmt: skip
@pytest.mark.parametrize("path", [COMMAND, "/login", "/logout"])
def test_nothing_is_changed_from_another_site(url: str, path: str, sent: dict[str, str]) -> None:
    ama = signed_in(url, "ama")
    answer = ama.post(path, headers=sent, data={"user": "ama", "password": SECRET})
    assert answer.status_code == 403
    assert answer.text == "This request comes from another site. Use the plant's page."
    assert COOKIE not in answer.cookies
    assert ama.get("/help").status_code == 200


@pytest.mark.requirement("H7")
def test_one_login_builds_only_so_many_pages_and_holds_up_no_other() -> None:
    """A page costs the one process a third of a second."""
    with running(create_app(plant_of(), pages={}, limits=Limits(pages=(4, 0.05)))) as address:
        ama, quinn = signed_in(address, "ama"), signed_in(address, "quinn")
        answers = [ama.get("/kiosk") for _ in range(5)]
        assert [one.status_code for one in answers] == [404] * 4 + [429]
        assert answers[-1].text.startswith("Pages: more than 4 at once or 0.05 a second.")
        assert quinn.get("/review").status_code == 404
        assert ama.get("/help").status_code == 200


@pytest.mark.requirement("H7")
def test_a_socket_that_floods_is_slowed_down_and_loses_nothing() -> None:
    heard: list[float] = []

    async def page(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(7):
            assert (await receive())["type"] == "websocket.receive"
            heard.append(time.monotonic())

    async def flood() -> Message:
        return {"type": "websocket.receive", "text": "x"}

    async def nowhere(message: Message) -> None:
        raise AssertionError(message)

    def socket_of(token: str) -> Scope:
        cookie = (b"cookie", f"{COOKIE}={token}".encode())
        return {"type": "websocket", "path": "/kiosk/ws", "headers": [cookie]}

    guard = Guard(page, Limits(messages=(5, 10.0)))
    asyncio.run(guard(socket_of("one"), flood, nowhere))
    assert heard[4] - heard[0] < 0.5
    assert 0.9 < heard[5] - heard[4] < 3
    again = Guard(page, Limits(messages=(7, 0.001)))
    for token in ("one", "two"):  # another login waits for nothing
        began = time.monotonic()
        asyncio.run(again(socket_of(token), flood, nowhere))
        assert time.monotonic() - began < 0.5


@pytest.mark.requirement("H7")
def test_sign_ins_that_wait_for_their_hash_are_bounded() -> None:
    refused = Event()

    class Slow(Crowd):
        def authenticate(
            self, user: str, secret: str, station: str | None, *, address: str | None = None
        ) -> Viewer:
            assert refused.wait(PATIENCE_S)
            return super().authenticate(user, secret, station, address=address)

    form = {"user": "ama", "password": SECRET}
    app = create_app(plant_of(accounts=Slow()), pages={}, limits=Limits(at_once=2))
    with running(app) as address, ThreadPoolExecutor(6) as crowd:
        asked = [
            crowd.submit(httpx.post, address + "/login", data=form, timeout=PATIENCE_S)
            for _ in range(6)
        ]
        eventually(lambda: sum(one.done() for one in asked) == 4)
        refused.set()
        answers = [one.result() for one in asked]
        codes = sorted(one.status_code for one in answers)
        assert codes == [303, 303, 429, 429, 429, 429]
        assert all(one.headers["retry-after"] == "2" for one in answers if one.status_code == 429)
        assert httpx.post(address + "/login", data=form, timeout=20).status_code == 303
