"""What the person looking may do with what is shown; the core decides again when it is done."""

from dataclasses import dataclass

from markupsafe import Markup

from core.authority import PlantRules
from dashboards import menu, parts
from dashboards.operations import words
from dashboards.plant import PlantServices
from dashboards.session import Viewer

LABEL = "stop.label"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """Whether a stop may be named here, and which other pages may be opened."""

    roles: frozenset[str] = frozenset()
    label: bool = False

    def may_open(self, path: str) -> bool:
        """Tell whether a page of ours may be opened."""
        return menu.may_open(path, self.roles)


def rights_of(plant: PlantServices, viewer: Viewer) -> Rights:
    """Return a person's rights, from the plant's authority matrix and the menu."""
    allowed: tuple[str, ...] = ()
    if plant.execution is not None:
        rules = next(iter(plant.execution.nouns.all(PlantRules)), None)
        allowed = rules.matrix.get(LABEL, ()) if rules is not None else ()
    return Rights(roles=viewer.roles, label=not viewer.roles.isdisjoint(allowed))


def entry(seq: int | None, rights: Rights) -> object:
    """Return a ledger entry's number, as a link for those who may open it."""
    if not seq:
        return words.NONE
    return opened(words.count(seq), f"/audit?entry={seq}", rights)


def opened(text: str, href: str, rights: Rights) -> Markup:
    """Return a link where the page may be opened, else its text alone."""
    if rights.may_open(href.partition("?")[0]):
        return parts.link(text, href)
    return parts.safe(text)
