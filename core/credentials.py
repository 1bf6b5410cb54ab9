"""Secrets of people, outside the ledger: argon2id hashes that can change and be lost.

What happens to a secret (set, failed, locked) is in the ledger; the secret never is.
"""

from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Column, Engine, MetaData, String, Table, create_engine, select
from sqlalchemy.pool import NullPool

from core.errors import Refused
from core.migrations.schema import prepare

SHORTEST = 6
HASHER = PasswordHasher(time_cost=1, memory_cost=46 * 1024, parallelism=1)
AT_ONCE = 2  # hashing is memory-hard on purpose; a shift change must not exhaust the machine

METADATA = MetaData()
_credential = Table(
    "credential",
    METADATA,
    Column("person", String, primary_key=True),
    Column("hash", String, nullable=False),
    Column("set_at", String, nullable=False),
)


class SecretTooShort(Refused):
    """A secret needs a least length."""

    def __init__(self) -> None:
        super().__init__(f"Secret: needs at least {SHORTEST} characters. Choose a longer one.")


class Secrets:
    """The table of hashes; safe from any thread."""

    def __init__(self, url: str) -> None:
        self._engine: Engine = create_engine(url, poolclass=NullPool)
        self._gate = BoundedSemaphore(AT_ONCE)
        self._nobody = HASHER.hash("nobody has this secret")
        prepare(self._engine, "credentials")

    def put(self, person: str, secret: str, *, set_at: str) -> None:
        """Replace a person's secret.

        Raises:
            SecretTooShort: it has fewer characters than the least length.
        """
        if len(secret) < SHORTEST:
            raise SecretTooShort
        with self._gate:
            hashed = HASHER.hash(secret)
        with self._engine.begin() as connection:
            connection.execute(_credential.delete().where(_credential.c.person == person))
            connection.execute(
                _credential.insert().values(person=person, hash=hashed, set_at=set_at)
            )

    def fits(self, person: str | None, secret: str) -> bool:
        """Return whether the secret is the person's; an unknown person costs the same time."""
        with self._engine.connect() as connection:
            query = select(_credential.c.hash).where(_credential.c.person == (person or ""))
            hashed = connection.execute(query).scalar()
        with self._gate:
            try:
                HASHER.verify(hashed or self._nobody, secret)
            except (VerificationError, InvalidHashError):
                return False
        return hashed is not None

    def close(self) -> None:
        """Let the database go."""
        self._engine.dispose()
