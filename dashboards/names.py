"""People as screens print them."""

from core.execution import Execution
from core.people import SERVICE, BadgeOwner, Person


class Names:
    """Printed names by person id, read once and again for whoever is new."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._known: dict[str, str] = {}

    def name(self, person: str | None) -> str:
        """Return a person's printed name; services keep their own, nobody is a dash."""
        if not person:
            return "–"
        if person.startswith(SERVICE):
            return person
        if person not in self._known:
            for one in self._execution.nouns.all(Person):
                suffix = " (simulated)" if one.simulated else ""
                self._known[one.person] = f"{one.name}{suffix}"
        return self._known.setdefault(person, person)

    def full(self, person: str | None) -> str:
        """Return the printed name with the id that the ledger holds."""
        name = self.name(person)
        return name if not person or name == person else f"{name} ({person})"

    def signer(self, user_or_badge: str) -> str | None:
        """Return the printed name behind a badge that works or a user id, else None."""
        owner = self._execution.nouns.get(BadgeOwner, user_or_badge)
        if owner is not None and owner.dead is not None:
            return None
        person = self._execution.nouns.get(Person, owner.person if owner else user_or_badge)
        return None if person is None else person.name
