"""The pages, who may open them, and what each role finds in its header.

A path that is not in this table is denied: to pages, websockets and plain HTML alike.
"""

from collections.abc import Iterable
from dataclasses import dataclass

ROLES = ("operator", "supervisor", "qa", "engineer", "director", "finance", "admin")
EVERYONE = frozenset(ROLES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One page: its first path segment, its name in the header, its readers."""

    path: str
    label: str
    note: str
    roles: frozenset[str]


def _entry(path: str, label: str, note: str, *roles: str) -> Entry:
    return Entry(path=path, label=label, note=note, roles=frozenset(roles) or EVERYONE)


MENU = (
    _entry("/", "Home", "What waits for you"),
    _entry("/kiosk", "Kiosk", "Take the next step: scan, weigh, sign", "operator", "supervisor"),
    _entry("/review", "Review", "Exceptions with their evidence, disposition, release", "qa"),
    _entry(
        "/deviations",
        "Deviations",
        "What recurs, how often, how long it stays open",
        "qa",
        "director",
    ),
    _entry("/oee", "OEE", "What the lines lost, and why", "director", "supervisor"),
    _entry("/reconcile", "Reconcile", "Every fact of the floor beside its posting", "finance"),
    _entry("/books", "Books", "Plant notebooks: figures with their proof"),
    _entry("/audit", "Audit", "Who did what, when and why; verify the ledger", "qa"),
    _entry(
        "/office",
        "Office",
        "The boundary policy, the link to the ERP, keys",
        "engineer",
        "qa",
        "admin",
    ),
    _entry("/people", "People", "Who has access, badges, keys", "admin", "qa", "supervisor"),
    _entry("/help", "Help", "The manual"),
)
# Reached by its address alone, and served only where scales are simulated.
BENCH = _entry("/bench", "Bench", "Hands for a simulated scale", "operator", "supervisor")
ACCOUNT = _entry("/account", "Your account", "Who you are here, and your secret")
_READERS = {entry.path: entry.roles for entry in (*MENU, BENCH, ACCOUNT)}


def section(path: str) -> str:
    """Return the menu path a URL path belongs to.

    >>> section("/review/batch/B26-0178/ws")
    '/review'
    """
    first = path.strip("/").split("/")[0]
    return "/" if first in ("", "ws", "metadata", "autoload.js") else "/" + first


def may_open(path: str, roles: Iterable[str]) -> bool:
    """Tell whether one of the roles may open a URL path; unknown paths are denied."""
    return not _READERS.get(section(path), frozenset()).isdisjoint(roles)


def entries_for(roles: Iterable[str]) -> tuple[Entry, ...]:
    """Return what the header offers to somebody with these roles."""
    held = frozenset(roles)
    return tuple(entry for entry in MENU if entry.roles & held)


def next_path(wanted: str | None) -> str:
    """Return where to go after signing in: a path of ours, else home.

    Only the path counts and only if it is in the table, so no text can lead to another host.

    >>> next_path("/review/batch/B26-0178"), next_path("//evil.example/x"), next_path(None)
    ('/review/batch/B26-0178', '/', '/')
    """
    if not wanted or not wanted.startswith("/") or "\\" in wanted or wanted.startswith("//"):
        return "/"
    if any(ord(sign) < 33 or ord(sign) > 126 for sign in wanted):
        return "/"
    path = wanted.partition("?")[0].partition("#")[0]
    if "//" in path or "/." in path:
        return "/"
    return wanted if section(path) in _READERS else "/"
