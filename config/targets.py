"""The addresses that the server is told to reach: which of them it takes, and what it says.

An address comes from the settings of the host, never from a request. Still it is checked: a
scheme nobody meant, a password in it that would stand in the logs, or a plain connection across
the network is refused at the start, not noticed in an audit.
"""

import re
from ipaddress import ip_address
from urllib.parse import parse_qs, urlsplit

from core.errors import MesError
from core.fact import Site

HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
CHECKED = ("verify-ca", "verify-full")  # `require` encrypts for whoever answers


class SettingFaulty(MesError):
    """A setting cannot be used. Its value is not repeated: it may hold a password."""

    def __init__(self, setting: str, what: str, expected: str) -> None:
        super().__init__(f"{setting}: {what}, expected {expected}. Set it, then start again.")
        self.setting, self.what, self.expected = setting, what, expected


def is_this_host(host: str | None) -> bool:
    """Tell whether a host is this machine; no host and a socket's folder are.

    >>> [is_this_host(one) for one in ("localhost", "127.0.0.9", "::1", None, "/run/pg", "erp")]
    [True, True, True, True, True, False]
    """
    if not host or host.startswith("/") or host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def web_address(setting: str, address: str) -> str:
    """Return the address of another server, without a closing slash.

    Args:
        setting: the variable that names it, for the sentence.
        address: `https://host[:port][/path]`; `http` only on this host.

    Raises:
        SettingFaulty: another scheme, a user or password in it, a query, or no host.
    """
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError as fault:
        raise SettingFaulty(setting, "is no address", "https://host:port") from fault
    if any(sign.isspace() or ord(sign) < 32 for sign in address) or "\\" in address:
        raise SettingFaulty(setting, "has a character that no address has", "https://host:port")
    if parts.scheme not in ("http", "https") or not host:
        raise SettingFaulty(setting, "is no web address", "https://host:port")
    if parts.username is not None or parts.password is not None:
        raise SettingFaulty(setting, "has a user or password in it", "the address alone")
    if parts.query or parts.fragment:
        raise SettingFaulty(setting, "has a query or a fragment", "the address alone")
    if parts.scheme == "http" and not is_this_host(host):
        raise SettingFaulty(setting, "would cross the network in plain text", "https://")
    return address.rstrip("/")


def host_name(setting: str, name: str) -> None:
    """Refuse what is no host name alone.

    Raises:
        SettingFaulty: it has a scheme, a port, a path or a star.
    """
    if not HOST_NAME.fullmatch(name.strip()):
        raise SettingFaulty(setting, "holds no host name", "names alone, separated by commas")


def stream_address(setting: str, addresses: str) -> str:
    """Return the addresses of a NATS server or its cluster, by commas.

    Raises:
        SettingFaulty: one is none, or crosses the network without TLS.
    """
    for one in addresses.split(","):
        try:
            parts = urlsplit(one.strip())
            host, _ = parts.hostname, parts.port
        except ValueError as fault:
            raise SettingFaulty(setting, "is no address", "tls://host:port") from fault
        if parts.scheme not in ("nats", "tls") or not host:
            raise SettingFaulty(setting, "is no address of NATS", "tls://host:port")
        if parts.scheme == "nats" and not is_this_host(host):
            raise SettingFaulty(setting, "would cross the network in plain text", "tls://")
    return addresses


def database_url(setting: str, url: str) -> str:
    """Return a database URL that crosses the network over TLS only, to a known other side.

    Raises:
        SettingFaulty: another host without `sslmode` verify-ca or verify-full, or a
            scheme that is neither PostgreSQL nor SQLite.
    """
    try:
        parts = urlsplit(url)
        host, query = parts.hostname, parse_qs(parts.query)
    except ValueError as fault:
        raise SettingFaulty(setting, "is no database URL", "postgresql+psycopg://") from fault
    kind = parts.scheme.partition("+")[0]
    if kind == "sqlite":
        return url
    if kind != "postgresql":
        raise SettingFaulty(setting, "is no known database", "postgresql+psycopg:// or sqlite://")
    hosts = [*query.get("host", [host or ""]), *query.get("hostaddr", [])]
    names = [name for one in hosts for name in one.split(",")]
    mode = query.get("sslmode", ["prefer"])[-1]
    if mode not in CHECKED and not all(is_this_host(name) for name in names):
        what = f"reaches another host with sslmode {mode}, which asks nobody for a certificate"
        raise SettingFaulty(setting, what, f"sslmode={' or '.join(CHECKED)} and sslrootcert")
    return url


def passkey_site(address: str) -> Site | None:
    """Return what passkeys are bound to at the address that people open, None where nothing is.

    A passkey is bound to a host name. This host has one, `localhost`, which browsers trust
    without encryption; any other address by number has none.

    >>> passkey_site("http://127.0.0.1:8000")
    Site(rp_id='localhost', origins=('http://localhost:8000',))
    >>> passkey_site("https://mes.plant.example")
    Site(rp_id='mes.plant.example', origins=('https://mes.plant.example',))
    >>> passkey_site("https://10.1.2.3") is None
    True
    """
    parts = urlsplit(address)
    port = "" if parts.port is None else f":{parts.port}"
    if is_this_host(parts.hostname):
        return Site("localhost", (f"{parts.scheme}://localhost{port}",))
    try:
        ip_address(parts.hostname or "")
    except ValueError:
        return Site(str(parts.hostname), (f"{parts.scheme}://{parts.hostname}{port}",))
    return None
