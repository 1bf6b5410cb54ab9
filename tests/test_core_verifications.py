"""The database's own guard: performer and verifier are two people."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from core.clock import iso, now
from core.ledger.entry import Entry
from core.ledger.store import Store, open_store
from core.projections import nouns, verifications


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    where = f"sqlite:///{tmp_path / 'ledger.db'}"
    if request.param == "postgresql":
        where = request.getfixturevalue("postgres_url")
    nouns.prepare(open_store(where))
    store = open_store(where)
    yield store
    store.release()
    store.close()


@pytest.fixture
def transaction(store: Store) -> Iterator[Connection]:
    connection = store.connect()
    store.begin(connection)
    yield connection
    connection.rollback()
    connection.close()


def verified(performed_by: str, verified_by: str) -> Entry:
    data = {
        "batch": "B26-0001", "step": "3", "performed_by": performed_by, "verified_by": verified_by,
    }  # fmt: skip
    return Entry(
        seq=1, stream="batch/B26-0001", ver=1, prev=None, type=verifications.VERIFIED, v=1,
        at=iso(now()), actor=verified_by, station=None, idem="t:1", reason=None, data=data,
    )  # fmt: skip


@pytest.mark.requirement("C2")
def test_the_database_takes_two_people(store: Store, transaction: Connection) -> None:
    verifications.write(transaction, store, [verified("olga", "viktor")])


@pytest.mark.requirement("C2")
def test_the_database_refuses_one_person_for_both(store: Store, transaction: Connection) -> None:
    with pytest.raises(IntegrityError):
        verifications.write(transaction, store, [verified("olga", "olga")])
