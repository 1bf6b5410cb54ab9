"""How soon a PostgreSQL that does not answer any more is given up.

A line can die without a word: a cable, a firewall that forgot, a host without power. TCP by itself
waits for hours. The client's side and the server's side of every line ask for a sign of life, and
what was sent must be confirmed:

    a new connection       CONNECT_S for each host that is named
    nothing was sent       IDLE_S + PROBES * PROBE_S
    something was sent     SENT_S, confirmed by the other side's network
    the writer asked       ANSWER_S, also where something between the two confirms and is silent

The last one is longer than a writer waits for another one's lock. A line to a socket of the same
host knows the first and the last alone. What the URL itself says of these goes before.
"""

from typing import Any, Final

from sqlalchemy import URL

CONNECT_S = 10
IDLE_S, PROBE_S, PROBES = 10, 5, 3
SENT_S = 20
ANSWER_S = 60
DEAD_S = max(CONNECT_S, IDLE_S + PROBE_S * PROBES, SENT_S)  # from here on the network knows it
SERVERS: Final = {
    "tcp_keepalives_idle": str(IDLE_S),
    "tcp_keepalives_interval": str(PROBE_S),
    "tcp_keepalives_count": str(PROBES),
    "tcp_user_timeout": f"{SENT_S}s",
}


def arguments(url: URL, **more: Any) -> dict[str, Any]:
    """Return what the driver is told about a connection to this database; SQLite has no line."""
    if url.get_backend_name() != "postgresql":
        return more
    known = {
        "connect_timeout": CONNECT_S,
        "keepalives": 1,
        "keepalives_idle": IDLE_S,
        "keepalives_interval": PROBE_S,
        "keepalives_count": PROBES,
        "tcp_user_timeout": SENT_S * 1000,
    }
    return {name: value for name, value in known.items() if name not in url.query} | more
