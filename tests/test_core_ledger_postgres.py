"""A ledger on PostgreSQL: several writers, a server that goes away, and what it must not be."""

from collections.abc import Sequence
from threading import Event

import psycopg
import pytest
from sqlalchemy import Connection, make_url

from core.errors import IdemReused, LedgerBroken
from core.ledger import postgres
from core.ledger.audit import audit
from core.ledger.postgres import PostgresStore, grants
from core.ledger.store import Store, StoreFailed, StoreUnsafe
from core.ledger.tables import Statement
from core.ledger.wire import Command
from core.ledger.writer import Decision, NoHooks, View, Writer
from tests.ledgers import KEY, Recorder, deciding, draft, job, reading, writing
from tests.patience import PATIENCE_S, eventually

WAITS = "select count(*) from pg_locks where locktype = 'advisory' and not granted"


@pytest.mark.requirement("K2")
def test_two_writers_of_one_database_take_turns(postgres_url: str) -> None:
    one, two = Recorder(), Recorder()
    with writing(postgres_url, one) as first, writing(postgres_url, two) as second:
        futures = []
        for number in range(60):
            futures.append(first.submit(job(f"a:{number}", draft(n=number))))
            futures.append(second.submit(job(f"b:{number}", draft(n=number))))
            futures.append(second.submit(job(f"a:{number}", draft(n=number))))
        receipts = [future.result(30) for future in futures]
        assert sum(not receipt.replayed for receipt in receipts) == 120
        assert first.submit(job("last:1", draft())).result(20).first_seq == 121
        assert second.submit(job("last:2", draft())).result(20).first_seq == 122
        with reading(postgres_url) as ledger:
            newest = audit(ledger, KEY.verifier)
            assert newest is not None
            assert newest.size == 122
            assert [e.ver for e in ledger.stream("batch/B1")] == list(range(1, 123))
    for hooks in (one, two):
        own = [seq for name, seqs in hooks.calls if name == "appended" for seq in seqs]
        foreign = [seq for name, seqs in hooks.calls if name == "foreign" for seq in seqs]
        assert sorted(set(own) | set(foreign)) == list(range(1, max(own) + 1))


class Counting(PostgresStore):
    """A home that counts how often its writer had to connect."""

    connects = 0

    def connect(self) -> Connection:
        self.connects += 1
        return super().connect()


@pytest.mark.requirement("K2")
@pytest.mark.parametrize(
    ("level", "connects"), [("READ COMMITTED", 1), ("REPEATABLE READ", 2)], ids=["real", "control"]
)
def test_who_waited_for_the_lock_sees_what_was_committed_meanwhile(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, level: str, connects: int
) -> None:
    """Under a stricter isolation the snapshot is older than the wait: the number is taken twice."""
    monkeypatch.setattr(postgres, "_BEGIN", Command(f"BEGIN ISOLATION LEVEL {level}"))
    running, go = Event(), Event()

    def decide(view: View) -> Decision:
        running.set()
        assert go.wait(PATIENCE_S)
        return Decision((draft(),))

    store = Counting(postgres_url)
    waiting = Writer(store, KEY, NoHooks())
    waiting.start()
    with writing(postgres_url) as first:
        assert waiting.submit(job("w:1", draft())).result(PATIENCE_S).first_seq == 1
        holding = first.submit(deciding("f:1", decide))
        assert running.wait(PATIENCE_S)
        answer = waiting.submit(job("w:2", draft()))
        with admin(postgres_url) as other:
            eventually(lambda: other.execute(WAITS).fetchone() == (1,))
        go.set()
        assert holding.result(PATIENCE_S).first_seq == 2
        assert answer.result(PATIENCE_S).first_seq == 3
    waiting.close()
    store.close()
    assert store.connects == connects
    with reading(postgres_url) as ledger:
        newest = audit(ledger, KEY.verifier)
        assert newest is not None
        assert newest.size == 3


@pytest.mark.requirement("K2")
def test_one_id_with_two_requests_is_one_commands_whichever_process_it_comes_to(
    postgres_url: str,
) -> None:
    with writing(postgres_url) as one, writing(postgres_url) as two:
        assert one.submit(job("k:1", draft(), request="a")).result(20).first_seq == 1
        with pytest.raises(IdemReused):
            two.submit(job("k:1", draft(), request="b")).result(20)
        assert two.submit(job("k:1", draft(), request="a")).result(20).replayed
        both = [
            writer.submit(job("k:2", draft(), request=n)) for n, writer in enumerate((one, two))
        ]
        faults = [answer.exception(20) for answer in both]
        assert sorted(type(fault).__name__ for fault in faults) == ["IdemReused", "NoneType"]
    with reading(postgres_url) as ledger:
        assert [entry.idem for entry in ledger.entries()] == ["k:1", "k:2"]


def admin(url: str) -> psycopg.Connection:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True)


def test_a_writer_survives_the_loss_of_its_connection(postgres_url: str) -> None:
    with writing(postgres_url) as writer:
        writer.submit(job("k1:1", draft())).result(20)
        with admin(postgres_url) as other:
            other.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
        assert writer.submit(job("k1:2", draft())).result(20).first_seq == 2


def test_a_connection_lost_on_the_way_to_the_commit_leaves_nothing_half_done(
    postgres_url: str,
) -> None:
    class Losing(Recorder):
        is_lost = False

        def flush(self, view: View) -> Sequence[Statement]:
            if self.is_lost:
                self.is_lost = False
                with admin(postgres_url) as other:
                    other.execute(
                        "select pg_terminate_backend(pid, 10000) from pg_stat_activity"
                        " where datname = current_database() and pid <> pg_backend_pid()"
                    )
            return super().flush(view)

    hooks = Losing()
    with writing(postgres_url, hooks) as writer:
        writer.submit(job("k1:1", draft())).result(20)
        hooks.is_lost = True
        with pytest.raises(StoreFailed, match=r"Send the command again, same id\."):
            writer.submit(job("k1:2", draft())).result(20)
        assert ("dropped", None) in hooks.calls
        again = writer.submit(job("k1:2", draft())).result(20)
        assert (again.first_seq, again.replayed) == (2, False)
    with reading(postgres_url) as ledger:
        assert audit(ledger, KEY.verifier) is not None


def test_entries_that_bypassed_the_writer_stop_it(postgres_url: str) -> None:
    with writing(postgres_url) as writer:
        writer.submit(job("k1:1", draft())).result(20)
        with admin(postgres_url) as other:
            other.execute("insert into entry select 2, 'x', 1, 'x', null, 'x'::bytea, 'x'::bytea")
        with pytest.raises(LedgerBroken, match="Entry 2: the stored bytes do not have"):
            writer.submit(job("k1:2", draft())).result(20)
        with pytest.raises(LedgerBroken):  # and it stays stopped
            writer.submit(job("k1:3", draft())).result(20)


@pytest.mark.parametrize(
    "setting", ["synchronous_commit = off", "default_transaction_isolation = 'serializable'"]
)
def test_a_server_that_may_lose_entries_is_refused_or_overruled(
    postgres_url: str, setting: str
) -> None:
    with admin(postgres_url) as other:
        name = make_url(postgres_url).database
        other.execute(f'alter database "{name}" set {setting}'.encode())
    if "isolation" in setting:
        with writing(postgres_url):
            return
    wanted = r"synchronous_commit is off, must be on or remote_apply"
    with pytest.raises(StoreUnsafe, match=wanted), writing(postgres_url):
        pass


def test_a_role_with_our_grants_can_append_and_nothing_else(postgres_url: str) -> None:
    with writing(postgres_url) as writer:
        writer.submit(job("k1:1", draft())).result(20)
    url = make_url(postgres_url)
    role = f"role_{url.database}"
    with admin(postgres_url) as other:
        other.execute(f'create role "{role}" login'.encode())
        for statement in grants(role):
            other.execute(statement.encode())
    try:
        limited: Store = PostgresStore(url.set(username=role))
        writer = Writer(limited, KEY, NoHooks())
        writer.start()
        assert writer.submit(job("k1:2", draft())).result(20).first_seq == 2
        writer.close()
        limited.close()
        with (
            admin(url.set(username=role).render_as_string(hide_password=False)) as other,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            other.execute("alter table entry disable trigger all")
    finally:
        with admin(postgres_url) as other:
            other.execute(f'drop owned by "{role}"'.encode())
            other.execute(f'drop role "{role}"'.encode())
