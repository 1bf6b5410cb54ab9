"""Where a session cookie is good: in the browser of its station, over TLS under its own name."""

import asyncio
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dashboards import cookies
from dashboards.asgi import Message
from dashboards.security import Gate
from dashboards.server import serve
from dashboards.session import COOKIE, Sessions
from tests.patience import eventually
from tests.sockets import knock, token_of
from tests.test_dashboards_security import PAGES
from tests.ui_plant import SECRET, create_app, free_port, plant_of, running, signed_in

GATE = Gate()
PLANT = plant_of(stations={"booth-1": "Booth 1", "booth-2": "Booth 2"})


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    GATE.sessions = Sessions(ended=PLANT.accounts.signed_out)
    with running(create_app(PLANT, pages=PAGES, gate=GATE)) as address:
        yield address


def session_alone(client: httpx.Client) -> dict[str, str]:
    return {COOKIE: client.cookies[COOKIE]}


@pytest.mark.requirement("H7", "N7")
def test_a_stolen_cookie_is_good_at_no_other_station_and_ends_its_login(url: str) -> None:
    ama = signed_in(url, "ama", station="booth-1")
    thief = signed_in(url, "evil", station="booth-2")
    assert ama.get("/help").status_code == 200
    stolen = {**thief.cookies, **session_alone(ama)}
    assert httpx.get(url + "/help", cookies=stolen).status_code == 401
    assert ama.get("/help").status_code == 401  # the theft is seen: its owner signs in again
    assert ("ama", "station") in PLANT.accounts.ended
    assert thief.get("/help").status_code == 200


@pytest.mark.requirement("H7", "N7")
def test_a_stolen_cookie_is_good_at_no_desk(url: str) -> None:
    ama = signed_in(url, "ama", station="booth-1")
    assert httpx.get(url + "/api/v1/batch", cookies=session_alone(ama)).status_code == 401
    assert ama.get("/help").status_code == 401


def test_a_guessed_mark_of_the_right_station_does_not_help(url: str) -> None:
    ama = signed_in(url, "ama", station="booth-1")
    guess = {cookies.STATION_COOKIE: cookies.station_cookie("booth-1"), **session_alone(ama)}
    assert httpx.get(url + "/help", cookies=guess).status_code == 401


def test_the_socket_of_a_station_needs_its_mark(url: str) -> None:
    ama = signed_in(url, "ama", station="booth-1")
    token = token_of(ama, "/kiosk")
    both = "; ".join(f"{name}={value}" for name, value in ama.cookies.items())
    assert knock(url, "/kiosk", token, cookie=None, cookies=both) == 101
    assert knock(url, "/kiosk", token, cookie=ama.cookies[COOKIE]) == 403


def test_at_a_desk_the_session_cookie_stands_alone(url: str) -> None:
    ama = signed_in(url, "ama")
    assert httpx.get(url + "/help", cookies=session_alone(ama)).status_code == 200


@pytest.mark.requirement("H7")
def test_signing_in_makes_a_new_session_and_ends_the_one_before(url: str) -> None:
    ama = signed_in(url, "ama")
    before = ama.cookies[COOKIE]
    ama.post("/login", data={"user": "ama", "password": SECRET})
    assert ama.cookies[COOKIE] != before
    assert httpx.get(url + "/help", cookies={COOKIE: before}).status_code == 401


@pytest.mark.requirement("H7")
def test_a_session_that_was_planted_before_sign_in_is_not_taken_up(url: str) -> None:
    with httpx.Client(base_url=url, cookies={COOKIE: "planted-by-somebody"}) as client:
        client.post("/login", data={"user": "ama", "password": SECRET})
    assert httpx.get(url + "/help", cookies={COOKIE: "planted-by-somebody"}).status_code == 401


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "plant")])
    at = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - timedelta(days=1))
        .not_valid_after(at + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "plant.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "plant.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder / "plant.pem", folder / "plant.key"


@pytest.fixture(scope="module")
def secure(certificate: tuple[Path, Path]) -> Iterator[tuple[str, ssl.SSLContext]]:
    port = free_port()
    server = serve(create_app(plant_of(), pages=PAGES), port=port, tls=certificate)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    eventually(lambda: server.started or not thread.is_alive())
    yield f"https://127.0.0.1:{port}", ssl.create_default_context(cafile=certificate[0])
    server.should_exit = True
    thread.join(15)


@pytest.mark.requirement("H7")
def test_over_tls_every_cookie_is_secure_and_the_session_is_this_hosts(
    secure: tuple[str, ssl.SSLContext],
) -> None:
    url, trust = secure
    form = {"user": "ama", "password": SECRET, "station": "booth-1"}
    answer = httpx.post(url + "/login", data=form, verify=trust)
    given = answer.headers.get_list("set-cookie")
    assert len(given) == 2
    for one in given:
        assert {"HttpOnly", "Secure", "SameSite=strict", "Path=/"} <= set(one.split("; ")), one
        assert "Domain" not in one
    assert all(one.startswith("__Host-mes_") for one in given)
    assert any(one.startswith(f"{cookies.HOST_COOKIE}=") for one in given)
    policy = "max-age=31536000; includeSubDomains"
    assert answer.headers["strict-transport-security"] == policy


@pytest.mark.requirement("H7")
def test_over_tls_only_the_hosts_own_cookie_signs_anybody_in(
    secure: tuple[str, ssl.SSLContext],
) -> None:
    url, trust = secure
    with httpx.Client(base_url=url, verify=trust) as client:
        client.post("/login", data={"user": "ama", "password": SECRET})
        value = client.cookies[cookies.HOST_COOKIE]
        assert client.get("/help").status_code == 200
        token = token_of(client, "/kiosk")
    for name, status in ((cookies.HOST_COOKIE, 101), (COOKIE, 403)):
        line = f"{name}={value}"
        assert knock(url, "/kiosk", token, cookie=None, cookies=line, tls=trust) == status
    plain = httpx.get(url + "/help", cookies={COOKIE: value}, verify=trust)
    assert plain.status_code == 401


@pytest.mark.requirement("H7")
def test_over_tls_a_station_is_known_by_the_hosts_own_cookie_alone(
    secure: tuple[str, ssl.SSLContext],
) -> None:
    url, trust = secure
    with httpx.Client(base_url=url, verify=trust) as client:
        client.post("/login", data={"user": "ama", "password": SECRET, "station": "booth-1"})
        assert client.get("/help").status_code == 200
        given = dict(client.cookies)
    mark = given.pop(f"__Host-{cookies.STATION_COOKIE}")
    planted = given | {cookies.STATION_COOKIE: mark}
    assert httpx.get(url + "/help", cookies=planted, verify=trust).status_code == 401


def test_over_tls_the_cookie_of_a_sign_in_under_way_is_secure_by_its_name() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "scheme": "https", "headers": []}
    given = b"mes_provider=x; HttpOnly; Path=/login/provider/back; SameSite=lax"
    start = {"type": "http.response.start", "status": 303, "headers": [(b"set-cookie", given)]}
    asyncio.run(cookies.sending(scope, send)(start))
    [name_and_value, *flags] = dict(sent[0]["headers"])[b"set-cookie"].decode().split("; ")
    assert name_and_value == "__Secure-mes_provider=x"
    assert "Secure" in flags
    for line, read in ((b"__Secure-mes_provider=x", "x"), (b"mes_provider=planted", None)):
        came = cookies.received({**scope, "headers": [(b"cookie", line)]})
        assert cookies.cookies_of(came).get(cookies.PROVIDER_COOKIE) == read


@pytest.mark.parametrize(
    ("scheme", "line", "read"),
    [
        ("https", "__Host-mes_theme=dark", "dark"),
        ("https", "mes_theme=dark", None),
        ("http", "mes_theme=dark", "dark"),
        ("http", "__Host-mes_theme=dark", "dark"),  # a proxy that does not tell of its TLS
    ],
)
def test_colours_are_read_by_the_name_that_the_browser_knows(
    scheme: str, line: str, read: str | None
) -> None:
    came = cookies.received(
        {"type": "http", "scheme": scheme, "headers": [(b"cookie", line.encode())]}
    )
    assert cookies.cookies_of(came).get("mes_theme") == read


@pytest.mark.parametrize("path", ["/login", "/kiosk", "/nowhere", "/assets/icon.svg", "/api/v1/x"])
def test_every_answer_over_tls_asks_for_tls_from_then_on(
    secure: tuple[str, ssl.SSLContext], path: str
) -> None:
    url, trust = secure
    answer = httpx.get(url + path, verify=trust)
    assert answer.headers["strict-transport-security"].endswith("; includeSubDomains")
    assert "ws://" not in answer.headers["content-security-policy"].replace("wss://", "")


@pytest.mark.requirement("H7")
def test_a_port_that_speaks_tls_answers_nothing_in_plain_text(
    secure: tuple[str, ssl.SSLContext],
) -> None:
    url, _ = secure
    with pytest.raises(httpx.TransportError):
        httpx.get(url.replace("https://", "http://") + "/login")


@pytest.mark.requirement("H7")
@pytest.mark.parametrize(
    ("version", "ciphers", "is_spoken"),
    [
        (ssl.TLSVersion.TLSv1_3, "DEFAULT", True),
        (ssl.TLSVersion.TLSv1_2, "ECDHE+AESGCM", True),
        (ssl.TLSVersion.TLSv1_2, "ECDHE+CHACHA20", True),
        (ssl.TLSVersion.TLSv1_2, "ECDHE+AES:!AESGCM:!AESCCM", False),
        (ssl.TLSVersion.TLSv1_2, "kRSA+AES", False),
        (ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0", False),
        (ssl.TLSVersion.TLSv1, "ALL:@SECLEVEL=0", False),
    ],
)
def test_only_tls_of_today_is_spoken_with_good_suites(
    secure: tuple[str, ssl.SSLContext], version: ssl.TLSVersion, ciphers: str, is_spoken: bool
) -> None:
    address = httpx.URL(secure[0])
    asked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    asked.check_hostname, asked.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():  # old versions are outdated, which is the point
        warnings.simplefilter("ignore", DeprecationWarning)
        asked.minimum_version, asked.maximum_version = version, version
    asked.set_ciphers(ciphers)
    with socket.create_connection((address.host, address.port or 0), timeout=20) as line:
        try:
            with asked.wrap_socket(line) as spoken:
                assert is_spoken, spoken.cipher()
        except ssl.SSLError:
            assert not is_spoken


@pytest.mark.parametrize(
    ("origin", "fetch_site", "is_ours"),
    [
        ("", "", True),
        ("http://plant:8000", "same-origin", True),
        ("http://plant:8000", "none", True),
        ("", "cross-site", False),
        ("", "same-site", False),
        ("http://plant:8000", "cross-site", False),
        ("http://plant:8001", "", False),
        ("http://plant:8000.evil.example", "", False),
        ("null", "", False),
    ],
)
def test_a_request_is_ours_by_its_origin_and_by_what_the_browser_says(
    origin: str, fetch_site: str, is_ours: bool
) -> None:
    told = {
        b"host": b"plant:8000",
        b"origin": origin.encode(),
        b"sec-fetch-site": fetch_site.encode(),
    }
    scope = {"type": "http", "headers": [pair for pair in told.items() if pair[1]]}
    assert cookies.same_origin(scope) is is_ours
