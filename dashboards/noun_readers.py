"""Who may read which noun over the interface: default deny, as with pages.

A role reads a noun if one of its pages shows it, or if it acts on it and must name the version that
it saw. QA reads what the audit trail shows it anyway. People read what is kept of themselves.
"""

from collections.abc import Iterable

_FLOOR = ("operator", "supervisor", "qa")
_WORKS = ("operator", "supervisor", "qa", "engineer")
_ACCESS = ("admin", "qa")

READERS = {
    noun: frozenset(roles)
    for noun, roles in {
        "amendment": ("supervisor", "qa"),
        "batch": _FLOOR,
        "bom": ("engineer", "qa"),
        "capa-link": ("qa", "director"),
        "client": _ACCESS,
        "clock": ("qa",),
        "correction-request": (*_FLOOR, "finance"),
        "customer": ("engineer", "qa", "finance"),
        "deviation": (*_FLOOR, "director"),
        "difference": ("supervisor", "qa", "finance"),
        "equipment": _WORKS,
        "erp-door": ("engineer", "qa", "admin"),
        "erp-key": ("engineer", "qa", "admin"),
        "erp-material": ("engineer", "qa", "finance"),
        "keyring": _ACCESS,
        "line": (*_WORKS, "director"),
        "log-key": ("engineer", "qa", "admin"),
        "lot": (*_WORKS, "finance"),
        "material": (*_WORKS, "finance"),
        "order": (*_WORKS, "director", "finance"),
        "passkey": _ACCESS,
        "person": ("supervisor", "qa", "admin"),
        "plant": ("engineer", "qa", "admin"),
        "product": _WORKS,
        "recipe": _WORKS,
        "reconciliation": ("qa", "finance"),
        "record": ("qa",),
        "refusal": ("qa",),
        "replay": ("engineer", "qa", "finance"),
        "sequence": ("qa",),
        "severity": ("engineer", "qa"),
        "signing-gates": ("engineer", "qa", "admin"),
        "station": (*_WORKS, "admin"),
        "telemetry": ("engineer", "qa", "director"),
    }.items()
}
OWN = frozenset({"keyring", "person"})  # named by the person; what is kept of oneself


def may_read(noun: str, roles: Iterable[str]) -> bool:
    """Tell whether one of the roles may read a noun; what is not in the table, nobody may."""
    return not READERS.get(noun, frozenset()).isdisjoint(roles)


def readers_of(noun: str) -> str:
    """Return who may read a noun, as refusals and the manual say it.

    >>> readers_of("record"), readers_of("person")
    ('QA', 'QA, admin, supervisor; everyone their own')
    """
    named = sorted("QA" if role == "qa" else role for role in READERS.get(noun, ()))
    return ", ".join(named) + ("; everyone their own" if noun in OWN else "")
