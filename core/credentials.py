"""Secrets of people and programs, outside the ledger: digests that can change and be lost.

What happens to a secret (set, failed, locked) is in the ledger; the secret never is. People's
secrets and enrolment codes are argon2id hashes; a program's key has 256 random bits, for which
a SHA-256 is enough.
"""

import hmac
import secrets
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    make_url,
    select,
)
from sqlalchemy.pool import NullPool

from core.clock import iso
from core.errors import Refused
from core.ledger import reach
from core.migrations.schema import prepare

SHORTEST = 6
HASHER = PasswordHasher(time_cost=1, memory_cost=46 * 1024, parallelism=1)
AT_ONCE = 2  # hashing is memory-hard on purpose; a shift change must not exhaust the machine
# without characters that people mistake for each other
CODE_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
CODE_GROUPS, CODE_GROUP = 4, 4
KEY_PREFIX = "bw"

METADATA = MetaData()
_credential = Table(
    "credential",
    METADATA,
    Column("person", String, primary_key=True),
    Column("hash", String, nullable=False),
    Column("set_at", String, nullable=False),
)
_enrolment = Table(
    "enrolment",
    METADATA,
    Column("person", String, primary_key=True),
    Column("hash", String, nullable=False),
)
_former = Table(
    "former_credential",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("person", String, nullable=False, index=True),
    Column("hash", String, nullable=False),
    Column("set_at", String, nullable=False),
)
_api_key = Table(
    "api_key",
    METADATA,
    Column("key", String, primary_key=True),
    Column("client", String, nullable=False),
    Column("sha256", String, nullable=False),
    Column("used_at", String, nullable=True),
)


class SecretTooShort(Refused):
    """A secret needs a least length."""

    def __init__(self) -> None:
        super().__init__(f"Secret: needs at least {SHORTEST} characters. Choose a longer one.")


class SecretUsedBefore(Refused):
    """A former secret is not taken again."""

    def __init__(self, remembered: int) -> None:
        super().__init__(
            f"Secret: is the present one or one of your last {remembered}. Choose another.",
            remembered=remembered,
        )


def new_code() -> str:
    """Return a fresh enrolment code: 16 signs in groups, 79 bits."""
    groups = (
        "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_GROUP))
        for _ in range(CODE_GROUPS)
    )
    return "-".join(groups)


class Secrets:
    """The tables of digests; safe from any thread."""

    def __init__(self, url: str) -> None:
        _for_its_owner(url)
        self._engine: Engine = create_engine(
            url, poolclass=NullPool, connect_args=reach.arguments(make_url(url))
        )
        self._gate = BoundedSemaphore(AT_ONCE)
        self._nobody = HASHER.hash("nobody has this secret")
        prepare(self._engine, "credentials")

    def hashed(self, secret: str) -> str:
        """Return the slow hash of a secret.

        Raises:
            SecretTooShort: it has fewer characters than the least length.
        """
        if len(secret) < SHORTEST:
            raise SecretTooShort
        with self._gate:
            return HASHER.hash(secret)

    def put(self, person: str, secret: str, *, set_at: str) -> None:
        """Replace a person's secret; the one before is remembered as a former one.

        Raises:
            SecretTooShort: it has fewer characters than the least length.
        """
        self.put_hash(person, self.hashed(secret), set_at=set_at)

    def put_hash(self, person: str, hashed: str, *, set_at: str) -> None:
        """Replace a person's secret by its hash, and end an enrolment code."""
        with self._engine.begin() as connection:
            self._remember(connection, person)
            connection.execute(
                _credential.insert().values(person=person, hash=hashed, set_at=set_at)
            )

    def enrol(self, person: str, code: str) -> None:
        """End a person's secret, and let a code stand in its place."""
        hashed = self.hashed(code)
        with self._engine.begin() as connection:
            self._remember(connection, person)
            connection.execute(_enrolment.insert().values(person=person, hash=hashed))

    def _remember(self, connection: Connection, person: str) -> None:
        """Move what a person has now to the former secrets."""
        query = select(_credential.c.hash, _credential.c.set_at)
        for hashed, set_at in connection.execute(query.where(_credential.c.person == person)):
            connection.execute(_former.insert().values(person=person, hash=hashed, set_at=set_at))
        connection.execute(_credential.delete().where(_credential.c.person == person))
        connection.execute(_enrolment.delete().where(_enrolment.c.person == person))

    def fits(self, person: str | None, secret: str, *, enrolling: bool = False) -> bool:
        """Return whether the secret is the person's; an unknown person costs the same time.

        With `enrolling` it is the enrolment code that must fit. A hash of older cost is renewed.
        """
        table = _enrolment if enrolling else _credential
        with self._engine.connect() as connection:
            query = select(table.c.hash).where(table.c.person == (person or ""))
            hashed = connection.execute(query).scalar()
        if not self._verifies(hashed or self._nobody, secret) or hashed is None:
            return False
        if not enrolling and HASHER.check_needs_rehash(hashed):
            self._renew(str(person), secret, hashed)
        return True

    def _verifies(self, hashed: str, secret: str) -> bool:
        with self._gate:
            try:
                return HASHER.verify(hashed, secret)
            except (VerificationError, InvalidHashError):
                return False

    def _renew(self, person: str, secret: str, old: str) -> None:
        with self._gate:
            hashed = HASHER.hash(secret)
        same = (_credential.c.person == person) & (_credential.c.hash == old)
        with self._engine.begin() as connection:
            connection.execute(_credential.update().where(same).values(hash=hashed))

    def was_used(self, person: str, secret: str, *, remembered: int) -> bool:
        """Return whether a secret is the present one, or one of the last `remembered`."""
        with self._engine.connect() as connection:
            now = select(_credential.c.hash).where(_credential.c.person == person)
            before = (
                select(_former.c.hash)
                .where(_former.c.person == person)
                .order_by(_former.c.id.desc())
                .limit(remembered)
            )
            hashes = [*connection.execute(now).scalars(), *connection.execute(before).scalars()]
        return any(self._verifies(one, secret) for one in hashes)

    def put_key(self, client: str, key: str) -> str:
        """Make the text of a client's key, keep its digest, and return the text: only now."""
        text = f"{KEY_PREFIX}_{key}_{secrets.token_urlsafe(32)}"
        row = {"key": key, "client": client, "sha256": _digest(text), "used_at": None}
        with self._engine.begin() as connection:
            connection.execute(_api_key.insert().values(**row))
        return text

    def key_of(self, text: str) -> tuple[str, str] | None:
        """Return the client and the id of a key, None where the text is no key of ours."""
        prefix, _, rest = text.partition("_")
        key = rest.partition("_")[0]
        if prefix != KEY_PREFIX or not key:
            return None
        with self._engine.connect() as connection:
            query = select(_api_key.c.client, _api_key.c.sha256).where(_api_key.c.key == key)
            found = connection.execute(query).first()
        if found is None or not hmac.compare_digest(found.sha256, _digest(text)):
            return None
        return str(found.client), key

    def key_used(self, key: str, at: datetime) -> None:
        """Remember when a key was last used."""
        with self._engine.begin() as connection:
            used = _api_key.update().where(_api_key.c.key == key).values(used_at=iso(at))
            connection.execute(used)

    def keys_used(self) -> dict[str, str]:
        """Return when each key was last used, by its id; keys never used are left out."""
        with self._engine.connect() as connection:
            query = select(_api_key.c.key, _api_key.c.used_at)
            return {row.key: row.used_at for row in connection.execute(query) if row.used_at}

    def close(self) -> None:
        """Let the database go."""
        self._engine.dispose()


def _for_its_owner(url: str) -> None:
    """Keep others of this host from the digests: a PIN has so few digits that it can be guessed."""
    where = make_url(url)
    if where.get_backend_name() == "sqlite" and where.database:
        path = Path(where.database)
        path.touch(mode=0o600)
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "replace")).hexdigest()
