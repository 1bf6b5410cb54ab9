"""A company account is linked to a person, by two others."""

from __future__ import annotations

from collections.abc import Mapping

from core.access import ConfirmIdentity, LinkIdentity
from core.execution import Actor, Credentials, Execution
from core.fact import Command


def link_account(
    execution: Execution, person: str, *, issuer: str, subject: str, secrets: Mapping[str, str]
) -> None:
    """Link an account to a person: the first of two users with their secrets proposes it."""
    first, second = secrets
    seen = execution.seen(f"person/{person}")
    link = LinkIdentity(
        person=person, issuer=issuer, subject=subject, why="Called back.", seen=seen
    )
    _signed(execution, link, user=first, secret=secrets[first])
    confirm = ConfirmIdentity(person=person, seen=execution.seen(f"person/{person}"))
    _signed(execution, confirm, user=second, secret=secrets[second])


def _signed(execution: Execution, command: Command, *, user: str, secret: str) -> None:
    idem = f"test:{command!r}"
    given = Credentials(user=user, secret=secret)
    execution.submit(command, actor=Actor(user), idem=idem, credentials=given)
