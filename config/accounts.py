"""Accounts of a fresh plant: random secrets, kept beside the data for its owner only."""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from config.plant import PersonItem, PlantPack
from core.ledger.store import Ledger

PIN_DIGITS = 8
SECRET_LENGTH = 14
# without characters that people mistake for each other
ALPHABET = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


@dataclass(frozen=True, slots=True)
class Account:
    """A person's way in."""

    person: str
    name: str
    roles: tuple[str, ...]
    badge: str
    secret: str

    def __repr__(self) -> str:
        return f"Account(person={self.person!r}, roles={self.roles!r}, secret=***)"


type Accounts = dict[str, Account]


def new_accounts(pack: PlantPack) -> Accounts:
    """Return an account with a new secret for each person: a PIN for who signs on a keypad."""
    return {one.id: _account(one) for one in pack.people.people}


def _account(person: PersonItem) -> Account:
    if "operator" in person.roles:
        secret = "".join(secrets.choice("0123456789") for _ in range(PIN_DIGITS))
    else:
        secret = "".join(secrets.choice(ALPHABET) for _ in range(SECRET_LENGTH))
    return Account(person.id, person.name, person.roles, person.badge, secret)


def write_accounts(path: Path, accounts: Accounts) -> None:
    """Write the accounts where only the owner of the files can read them."""
    body = {
        one.person: {
            "name": one.name,
            "roles": list(one.roles),
            "user": one.person,
            "badge": one.badge,
            "secret": one.secret,
        }
        for one in accounts.values()
    }
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_suffix(".part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(body, file, indent=2, ensure_ascii=False)
        file.write("\n")
    part.replace(path)


def read_accounts(path: Path) -> Accounts:
    """Return the accounts of a data folder."""
    body = json.loads(path.read_text("utf-8"))
    return {
        person: Account(person, one["name"], tuple(one["roles"]), one["badge"], one["secret"])
        for person, one in body.items()
    }


class HandedOut:
    """Whose secret is still the one that the installer wrote into the file of accounts."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._chosen: set[str] = set()  # who has chosen one never has a handed out one again

    def __call__(self, person: str) -> bool:
        """Tell whether a person still has the installer's secret; read once from the ledger."""
        if person in self._chosen:
            return False
        changes = [
            entry.data["origin"]
            for entry in self._ledger.stream(f"person/{person}")
            if entry.type == "person.secret-changed"
        ]
        if changes[-1:] == ["installer"]:
            return True
        self._chosen.add(person)
        return False


def accounts_of(pack: PlantPack, path: Path) -> Accounts:
    """Return the accounts of a data folder; the first time, make and write them."""
    if path.is_file():
        return read_accounts(path)
    accounts = new_accounts(pack)
    write_accounts(path, accounts)
    return accounts
