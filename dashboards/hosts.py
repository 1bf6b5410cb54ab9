"""The names by which people may call this server.

Whoever owns a domain can lead its name to the plant's address, and a browser would then take a page
of it for a page of ours (DNS rebinding). So a name must be the plant's own. An address by number
leads nowhere else, and is taken.
"""

import socket
from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from dashboards.problem import Problem

KIND = "unknown-host"


class Hosts:
    """Names of one server: `localhost`, the computer's own, and those that its settings name."""

    def __init__(self, names: Iterable[str] = (), *, origin: str | None = None) -> None:
        """`origin` is the address that people open, None where there is no other."""
        opened = () if origin is None else (name_in(urlsplit(origin).netloc),)
        self._names = {"localhost", socket.gethostname().lower(), *names, *opened} - {""}

    def know(self, header: str) -> bool:
        """Tell whether a Host header names this server."""
        name = name_in(header)
        return name in self._names or _is_number(name)


def name_in(header: str) -> str:
    """Return the name in a Host header, without port and closing dot; empty where there is none.

    >>> name_in("MES.plant.example.:8443"), name_in("[::1]:8000"), name_in("evil@127.0.0.1")
    ('mes.plant.example', '::1', '')
    """
    try:
        parts = urlsplit(f"//{header}")
        port, name = parts.port, parts.hostname or ""
    except ValueError:
        return ""
    plain = f"[{name}]" if ":" in name else name
    told = plain if port is None else f"{plain}:{port}"
    return name.rstrip(".") if header.lower().removesuffix(":") == told else ""


def _is_number(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def refused() -> Problem:
    """Return the answer to whoever calls the server by another name."""
    return Problem(
        421, KIND, "Host: this server does not go by that name. Open the plant's own address; an"
        " engineer adds a name in BATCHWRIGHT_HOSTS.",
    )  # fmt: skip
