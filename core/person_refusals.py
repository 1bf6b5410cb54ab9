"""Why a command about a person is refused, one class per rule."""

from typing import Protocol

from core.errors import Refused


class Whom(Protocol):
    """What a refusal says of a person: `core.people.Person` has it."""

    @property
    def person(self) -> str:
        """The user id."""
        ...

    @property
    def name(self) -> str:
        """The full name."""
        ...

    @property
    def state(self) -> str:
        """Whether access is active, locked or retired."""
        ...

    @property
    def failures(self) -> int:
        """Failed attempts in a row."""
        ...


class UnknownRole(Refused):
    """A role that this plant does not have."""

    def __init__(self, role: str, roles: tuple[str, ...]) -> None:
        super().__init__(
            f"Role {role}: not one of {', '.join(roles)}. Choose from these.", role=role
        )


class MixedAdministrator(Refused):
    """An administrator keeps no GxP role beside it."""

    def __init__(self, person: str) -> None:
        super().__init__(
            f"{person}: an administrator holds no other role, so that nobody can both grant and"
            " use a right. Register a second identity for the other work.",
            person=person,
        )


class OwnRoles(Refused):
    """Nobody grants a right to himself."""

    is_evidence = True

    def __init__(self, person: Whom) -> None:
        super().__init__(
            f"{person.name}: nobody changes his own roles. Ask another administrator.",
            person=person.person,
        )


class LastAdministrator(Refused):
    """A plant without an administrator could never unlock or register anybody again."""

    is_evidence = True

    def __init__(self, person: Whom) -> None:
        super().__init__(
            f"{person.name}: is the last active administrator, at least one must stay."
            " Register or unlock another one first.",
            person=person.person,
        )


class AnotherPersonsSession(Refused):
    """Only the person, or the plant's own sign-in, says that a session began or ended."""

    is_evidence = True

    def __init__(self, person: Whom, actor: str) -> None:
        super().__init__(
            f"{person.name}: {actor} cannot record another person's session."
            " Each person signs in and out alone.",
            person=person.person,
            actor=actor,
        )


class Locked(Refused):
    """The person may not act now."""

    is_evidence = True

    def __init__(self, person: Whom) -> None:
        if person.state == "retired":
            says = "access has ended. Ask a person who is active."
        else:
            says = (
                f"access is locked after {person.failures} failed attempts."
                " Ask an administrator to unlock it."
            )
        super().__init__(
            f"{person.name}: {says}",
            person=person.person,
            state=person.state,
        )


class BadgeIsDead(Refused):
    """A badge that was lost or given back opens nothing."""

    is_evidence = True

    def __init__(self, badge: str, cause: str) -> None:
        super().__init__(
            f"Badge {badge}: ended, {cause}. Use your user id, and hand the badge to an"
            " administrator.",
            badge=badge,
            cause=cause,
        )
