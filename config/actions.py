"""Actions that a plant's matrix does not name: those of a newer server, with their defaults.

What a matrix does not name, nobody may do. An update brings new commands; a person adopts them.
"""

from config.plant import PlantPack
from core.authority import AdoptAuthority, PlantRules
from core.catalogue import COMMANDS


def missing_actions(rules: PlantRules, pack: PlantPack) -> dict[str, tuple[str, ...]]:
    """Return the commands that a matrix does not name, with the roles that the pack gives them."""
    defaults = pack.authority.matrix
    return {name: defaults[name] for name in sorted(COMMANDS) if name not in rules.matrix}


def with_missing(rules: PlantRules, pack: PlantPack) -> AdoptAuthority:
    """Return the matrix in force with the missing actions added; what it names stays as it is."""
    matrix = {**rules.matrix, **missing_actions(rules, pack)}
    return AdoptAuthority(plant=rules.plant, zone=rules.zone, matrix=matrix)


def missing_text(rules: PlantRules, pack: PlantPack) -> str:
    """Return what a server says at its start about missing actions; empty where none is."""
    missing = missing_actions(rules, pack)
    if not missing:
        return ""
    return (
        f"Authority: the matrix does not name {', '.join(missing)}, so nobody may do them."
        " Stop the server, then run: batchwright adopt-actions --user ID."
    )
