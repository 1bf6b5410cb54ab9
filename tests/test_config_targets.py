"""Which addresses the server takes from its settings, and what it says of the others."""

import ast
from pathlib import Path

import pytest

from config.settings import Settings
from config.targets import SettingFaulty, database_url, web_address

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.requirement("K3")
@pytest.mark.parametrize(
    "address",
    [
        "https://erp.example",
        "https://erp.example:8443/api/",
        "http://127.0.0.1:9",
        "http://[::1]:9",
    ],
)
def test_an_address_is_https_or_on_this_host(address: str) -> None:
    assert web_address("X", address) == address.rstrip("/")


@pytest.mark.requirement("K3")
@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("http://erp.example", "would cross the network in plain text"),
        ("http://127.0.0.1.erp.example", "would cross the network in plain text"),
        ("https://user:hunter2@erp.example", "has a user or password in it"),
        ("https://hunter2@erp.example", "has a user or password in it"),
        ("file:///etc/passwd", "is no web address"),
        ("gopher://127.0.0.1:70", "is no web address"),
        ("ftp://erp.example", "is no web address"),
        ("//erp.example", "is no web address"),
        ("https://", "is no web address"),
        ("https://erp.example/?next=http://evil.example", "has a query or a fragment"),
        ("https://erp.example#x", "has a query or a fragment"),
        ("https://erp.example\\@evil.example", "has a character that no address has"),
        ("https://erp.example/\r\nX: y", "has a character that no address has"),
        ("https://erp.example:port", "is no address"),
        ("https://[::1", "is no address"),
    ],
)
def test_other_addresses_are_refused_without_being_repeated(address: str, what: str) -> None:
    with pytest.raises(SettingFaulty, match=f"BATCHWRIGHT_ERP_ADDRESS: {what}, ") as refusal:
        Settings(erp_address=address)
    assert "hunter2" not in str(refusal.value)
    assert "evil" not in str(refusal.value)


@pytest.mark.requirement("H7")
def test_further_host_names_are_names_alone() -> None:
    assert Settings(hosts="mes.plant.example, Kiosk-Server").names == {
        "127.0.0.1", "mes.plant.example", "kiosk-server",
    }  # fmt: skip
    for given in ("http://mes", "mes:8000", "*.example", "mes,,two", "a b", "mes/x"):
        with pytest.raises(SettingFaulty, match="BATCHWRIGHT_HOSTS: holds no host name"):
            Settings(hosts=given)


@pytest.mark.requirement("H7")
@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////var/plant/ledger.db",
        "postgresql+psycopg://bw:hunter2@127.0.0.1/plant",
        "postgresql+psycopg://bw@localhost/plant?sslmode=disable",
        "postgresql+psycopg://bw@/plant?host=/run/postgresql",
        "postgresql+psycopg://bw:hunter2@db.example/plant?sslmode=verify-ca",
        "postgresql+psycopg://bw:hunter2@db.example/plant?sslmode=verify-full",
        "postgresql://bw@/plant?host=db1.example,db2.example&sslmode=verify-full",
    ],
)
def test_a_database_is_on_this_host_or_reached_over_tls(url: str) -> None:
    assert Settings(store=url).ledger == database_url("X", url) == url


@pytest.mark.requirement("H7")
@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://bw:hunter2@db.example/plant",
        "postgresql+psycopg://bw:hunter2@db.example/plant?sslmode=disable",
        "postgresql+psycopg://bw:hunter2@db.example/plant?sslmode=allow",
        "postgresql+psycopg://bw:hunter2@db.example/plant?sslmode=prefer",
        "postgresql+psycopg://bw:hunter2@db.example/plant?sslmode=require",
        "postgresql+psycopg://bw:hunter2@db.example/plant?sslmode=require&sslmode=disable",
        "postgresql+psycopg://bw:hunter2@/plant?host=127.0.0.1,db.example",
        "postgresql+psycopg://bw:hunter2@localhost/plant?host=db.example",
        "postgresql+psycopg://bw:hunter2@localhost/plant?hostaddr=10.0.0.9",
        "mysql://bw:hunter2@127.0.0.1/plant",
    ],
)
def test_a_database_that_may_be_reached_in_plain_text_or_is_not_known_is_refused(url: str) -> None:
    with pytest.raises(SettingFaulty, match=r"^BATCHWRIGHT_STORE: ") as refusal:
        Settings(store=url)
    assert "hunter2" not in str(refusal.value)


def test_the_refusal_says_what_to_set() -> None:
    with pytest.raises(SettingFaulty) as refusal:
        Settings(store="postgresql+psycopg://bw@db.example/plant")
    assert str(refusal.value) == (
        "BATCHWRIGHT_STORE: reaches another host with sslmode prefer, which asks nobody for a"
        " certificate, expected sslmode=verify-ca or verify-full and sslrootcert. Set it, then"
        " start again."
    )


def test_settings_show_no_password() -> None:
    told = Settings(store="postgresql://bw:hunter2@127.0.0.1/plant", erp_secret="hunter2")
    assert "hunter2" not in repr(told)


@pytest.mark.parametrize("named", [{"tls_cert"}, {"tls_key"}, {"tls_cert", "tls_key"}])
def test_tls_needs_both_its_files(named: set[str], tmp_path: Path) -> None:
    there = tmp_path / "plant.pem"
    there.write_text("")
    with pytest.raises(SettingFaulty, match=r"^BATCHWRIGHT_TLS_(CERT|KEY): names no file, "):
        _ = Settings(**dict.fromkeys(named, there if len(named) == 1 else tmp_path / "none")).tls
    assert Settings(tls_cert=there, tls_key=there).tls == (there, there)
    assert Settings().tls is None


@pytest.mark.requirement("H7")
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "mes.plant.example", "10.1.2.3"])
def test_plain_http_to_the_network_is_refused_unless_it_is_meant(host: str) -> None:
    with pytest.raises(SettingFaulty) as refusal:
        _ = Settings(host=host).tls
    assert str(refusal.value) == (
        "BATCHWRIGHT_HOST: would send secrets over the network in plain HTTP, expected"
        " BATCHWRIGHT_TLS_CERT and BATCHWRIGHT_TLS_KEY, or BATCHWRIGHT_PLAIN_HTTP=yes where nobody"
        " else is on that network. Set it, then start again."
    )
    assert Settings(host=host, plain_http=True).tls is None
    for here in ("127.0.0.1", "::1", "localhost"):
        assert Settings(host=here).tls is None


@pytest.mark.requirement("H7")
def test_a_stream_that_would_cross_the_network_in_plain_text_is_refused() -> None:
    for address in ("nats://127.0.0.1:4222", "tls://u:hunter2@nats.example", "tls://a,tls://b"):
        assert Settings(nats_url=address).nats_url is not None
    for address in ("nats://u:hunter2@nats.example", "tls://a,nats://b", "http://a", "hunter2"):
        with pytest.raises(SettingFaulty, match=r"^BATCHWRIGHT_NATS_URL: ") as refusal:
            Settings(nats_url=address)
        assert "hunter2" not in str(refusal.value)


@pytest.mark.requirement("H7")
def test_no_client_of_the_server_skips_the_certificate_of_the_other_side() -> None:
    skipped = []
    for folder in ("core", "config", "capture", "erp", "analytics", "dashboards"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text("utf-8")
            for word in ("verify=False", "CERT_NONE", "check_hostname = False", "_unverified_"):
                if word in text:
                    skipped.append(f"{path.relative_to(ROOT)}: {word}")
    assert skipped == []


@pytest.mark.requirement("K3")
def test_no_client_of_the_server_follows_redirects_or_somebodys_proxy() -> None:
    found = 0
    for path in [*ROOT.glob("erp/**/*.py"), *ROOT.glob("dashboards/**/*.py")]:
        if "demo" in path.parts or "faults" in path.parts or "bench" in path.parts:
            continue  # they call a server of their own
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr not in ("Client", "AsyncClient", "AsyncOAuth2Client", "OAuth2Client"):
                continue
            given = {
                one.arg: one.value.value
                for one in node.keywords
                if isinstance(one.value, ast.Constant)
            }
            where = f"{path.relative_to(ROOT)}:{node.lineno}"
            assert given.get("follow_redirects", False) is False, where
            assert given.get("trust_env") is False, where
            found += 1
    assert found
