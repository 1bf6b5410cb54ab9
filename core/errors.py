"""What can go wrong, said as one sentence with its facts.

    MesError
    ├── Refused          a rule says no; nothing was changed
    │   └── ...          one class per rule, next to the noun it guards
    ├── Conflict         someone was first; look again and decide anew
    │   └── IdemReused   a command id came back with another request
    └── LedgerBroken     the evidence does not hold; stop and call QA

A sentence has the form *subject: value with unit, rule with limits. What to do next.*
"""

from typing import ClassVar


class MesError(Exception):
    """Root of everything Batchwright raises on purpose."""


class Refused(MesError):
    """A rule says no. The sentence is for the person, the facts are for the record.

    `is_evidence` refusals are themselves recorded (a wrong scan, an over-weigh, a foreign
    signature): the attempt is what an inspector asks for. `subject` names the stream the
    attempt concerns.
    """

    is_evidence: ClassVar[bool] = False

    def __init__(self, sentence: str, **facts: object) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.facts = {name: str(value) for name, value in facts.items() if value is not None}

    @property
    def rule(self) -> str:
        """The rule's name as records and clients spell it."""
        return type(self).__name__


class Unknown(Refused):
    """The named thing is not in the plant's records."""

    def __init__(self, kind: str, name: str, next_step: str = "Check the name.") -> None:
        super().__init__(f"{kind} {name}: not known here. {next_step}", kind=kind, name=name)


class AlreadyKnown(Refused):
    """The name is taken; identities are never reused."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(
            f"{kind} {name}: already registered; names are never reused. Choose another name.",
            kind=kind,
            name=name,
        )


class WrongState(Refused):
    """The thing is not in a state that allows the action."""

    def __init__(self, subject: str, state: str, *, needed: str, next_step: str) -> None:
        super().__init__(
            f"{subject}: is {state}, must be {needed}. {next_step}",
            subject=subject,
            state=state,
            needed=needed,
        )


class Conflict(MesError):
    """Someone was first: what the sender saw is no longer what is there."""

    def __init__(self, sentence: str, **facts: object) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.facts = {name: str(value) for name, value in facts.items()}

    @property
    def rule(self) -> str:
        """The rule's name as records and clients spell it."""
        return type(self).__name__


class IdemReused(Conflict):
    """The same command id came with another request."""

    def __init__(self, idem: str) -> None:
        super().__init__(
            f"Command id {idem}: was used for another request."
            " Send the new request under a new id.",
            idem=idem,
        )


class LedgerBroken(MesError):
    """The stored evidence does not hold together. No further write is allowed."""


def file_says(fault: OSError) -> str:
    """Return in words what the system says of a file, as the end of a sentence about it.

    >>> file_says(FileNotFoundError(2, "No such file or directory"))
    'is not there'
    """
    known = {
        FileNotFoundError: "is not there",
        NotADirectoryError: "is within a file, not in a folder",
        IsADirectoryError: "is a folder, and must be a file",
        PermissionError: "may not be opened by this account",
        FileExistsError: "is there already",
    }
    return known.get(type(fault)) or f"cannot be used, {fault.strerror or fault}"
