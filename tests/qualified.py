"""A plant's data folder for tests of qualification, made without the slow hashing of secrets."""

from __future__ import annotations

from pathlib import Path

from core.authority import AdoptAuthority
from core.execution import Actor
from core.people import INSTALLER, RegisterPerson
from dashboards.compose import open_execution
from tests.hands import PACK


def installed_plant(data: Path, *, database: str | None = None) -> Path:
    """Make a plant with its keys, a matrix in force and its people, and stop it."""
    execution = open_execution(data, PACK.id, database=database)
    execution.start()
    matrix = AdoptAuthority(plant=PACK.id, zone="Europe/Berlin", matrix=PACK.authority.matrix)
    people = [
        RegisterPerson(person=one.id, name=one.name, badge=one.badge, roles=one.roles)
        for one in sorted(PACK.people.people, key=lambda one: "admin" not in one.roles)
    ]
    for number, command in enumerate((*people, matrix)):
        execution.submit(command, actor=Actor(INSTALLER), idem=f"test:{number}")
    execution.close()
    return data
