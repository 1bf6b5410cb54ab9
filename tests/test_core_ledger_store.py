"""One contract for every home of the ledger: what the writer promises and readers see."""

import hashlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from core.errors import Conflict, IdemReused
from core.ledger.audit import audit
from core.ledger.checkpoint import verify
from core.ledger.entry import NotCanonical, decode
from core.ledger.merkle import leaf_hash, verify_consistency, verify_inclusion
from core.ledger.store import StoreFailed, open_store
from core.ledger.tables import APPEND_ONLY
from core.ledger.writer import Decision, Head, View, Writer
from tests.ledgers import AT, KEY, Hold, Recorder, deciding, draft, fill, job, reading, writing


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
def hooks() -> Recorder:
    return Recorder()


@pytest.fixture
def writer(where: str, hooks: Recorder) -> Iterator[Writer]:
    with writing(where, hooks) as running:
        yield running


def test_an_empty_ledger_has_no_checkpoint(writer: Writer, where: str) -> None:
    with reading(where) as ledger:
        assert (ledger.size(), ledger.checkpoint(), ledger.entries()) == (0, None, [])
        assert ledger.stream("batch/B1") == []
        assert ledger.head("batch/B1") is None
        assert ledger.entry(1) is None


def test_one_command_appends_to_several_streams_in_order(writer: Writer, where: str) -> None:
    drafts = (draft("batch/B1"), draft("lot/L1"), draft("batch/B1", n=2))
    receipt = writer.submit(job("k1:1", *drafts)).result(20)
    assert (receipt.first_seq, receipt.last_seq, receipt.count) == (1, 3, 3)
    assert (receipt.replayed, receipt.checkpoint_size) == (False, 3)
    with reading(where) as ledger:
        first, second, third = ledger.entries()
        assert [(e.seq, e.stream, e.ver) for e in (first, second, third)] == [
            (1, "batch/B1", 1), (2, "lot/L1", 1), (3, "batch/B1", 2),
        ]  # fmt: skip
        raw = dict(ledger.raw())
        assert (first.prev, second.prev) == (None, None)
        assert third.prev == leaf_hash(raw[1]).hex()
        assert {e.idem for e in (first, second, third)} == {"k1:1"}
        assert (first.at, first.actor, first.station) == (
            "2026-03-02T08:15:00.000000Z",
            "ama",
            "K1",
        )
        assert ledger.stream("batch/B1") == [first, third]
        assert ledger.head("batch/B1") == Head(2, leaf_hash(raw[3]).hex())
        assert ledger.entry(2) == second
        assert ledger.entries(after=1, limit=1) == [second]
        assert [decode(body) for body in raw.values()] == [first, second, third]


@pytest.mark.requirement("K1")
def test_every_group_is_sealed_by_a_signed_checkpoint(writer: Writer, where: str) -> None:
    fill(writer, 600)
    with reading(where) as ledger:
        newest = ledger.checkpoint()
        assert newest is not None
        assert newest.size == ledger.size() == 600
        assert verify(newest.note, KEY.verifier) == newest == audit(ledger, KEY.verifier)
        assert ledger.root(600) == newest.root
        leaves = [leaf_hash(body) for _, body in ledger.raw(limit=600)]
        for seq in (1, 255, 256, 257, 512, 600):
            proof = ledger.inclusion_proof(seq, 600)
            root = verify_inclusion(leaves[seq - 1], index=seq - 1, size=600, proof=proof)
            assert root == newest.root
        for old in (0, 1, 256, 300, 600):
            proof = ledger.consistency_proof(old, 600)
            verify_consistency(ledger.root(old), newest.root, old=old, new=600, proof=proof)
        covering = ledger.checkpoint_for(300)
        assert covering is not None
        assert ledger.root(covering.size) == covering.root


def test_a_ledger_opened_again_goes_on_where_it_was(where: str, tmp_path: Path) -> None:
    for count in (1, 255, 1, 300):
        with writing(where, anchors=tmp_path / "anchors") as writer:
            futures = [writer.submit(job(f"k:{count}:{n}", draft())) for n in range(count - 1)]
            futures.append(writer.submit(job(f"last:{time.monotonic_ns()}", draft())))
            for future in futures:
                future.result(20)
    with reading(where) as ledger:
        checkpoint = audit(ledger, KEY.verifier)
        assert checkpoint is not None
        assert checkpoint.size == 557
        assert [e.ver for e in ledger.stream("batch/B1")] == list(range(1, 558))


def test_the_same_command_again_gets_its_first_receipt(writer: Writer, where: str) -> None:
    first = writer.submit(job("k1:1", draft(), answer={"lot": "L7"})).result(20)
    writer.submit(job("k1:2", draft())).result(20)
    again = writer.submit(job("k1:1", draft(), answer={"lot": "other"})).result(20)
    assert again == replace(first, replayed=True)
    assert again.answer == {"lot": "L7"}
    with reading(where) as ledger:
        assert ledger.size() == 2


def test_the_same_id_with_another_request_is_refused(writer: Writer) -> None:
    writer.submit(job("k1:1", draft(), request="a")).result(20)
    with pytest.raises(IdemReused) as refusal:
        writer.submit(job("k1:1", draft(), request="b")).result(20)
    assert isinstance(refusal.value, Conflict)
    assert str(refusal.value) == (
        "Command id k1:1: was used for another request. Send the new request under a new id."
    )


def test_the_same_command_twice_in_one_group_is_written_once(writer: Writer, where: str) -> None:
    hold = Hold(writer)
    futures = [writer.submit(job("k1:1", draft(), request="a")) for _ in range(3)]
    other = writer.submit(job("k1:1", draft(), request="b"))
    hold.release()
    receipts = [future.result(20) for future in futures]
    assert sorted(receipt.replayed for receipt in receipts) == [False, True, True]
    assert {(receipt.first_seq, receipt.checkpoint_size) for receipt in receipts} == {(1, 1)}
    with pytest.raises(IdemReused):
        other.result(20)


def test_an_answer_without_entries_is_kept_too(writer: Writer, where: str) -> None:
    first = writer.submit(job("k1:1", answer={"refused": "lot L7 is expired"})).result(20)
    assert (first.first_seq, first.last_seq, first.count) == (None, None, 0)
    again = writer.submit(job("k1:1")).result(20)
    assert again == replace(first, replayed=True)
    with reading(where) as ledger:
        row = ledger.receipt("k1:1")
        assert row is not None
        assert row.answer == '{"refused":"lot L7 is expired"}'


def test_a_command_that_is_refused_fails_alone_and_can_be_sent_again(
    writer: Writer, where: str
) -> None:
    def refuse(view: View) -> Decision:
        raise Conflict("B1: someone was first.")

    hold = Hold(writer)
    good = [writer.submit(job(f"k1:{n}", draft(n=n))) for n in range(4)]
    bad = writer.submit(deciding("k1:bad", refuse))
    floats = writer.submit(job("k1:float", draft("lot/L1"), draft(net_g=0.5)))
    after = writer.submit(job("k1:5", draft(n=5)))
    hold.release()
    assert [future.result(20).first_seq for future in (*good, after)] == [1, 2, 3, 4, 5]
    with pytest.raises(Conflict, match="someone was first"):
        bad.result(20)
    with pytest.raises(NotCanonical, match=r"data\.net_g: float"):
        floats.result(20)
    with reading(where) as ledger:
        assert ledger.receipt("k1:bad") is None
        assert ledger.stream("lot/L1") == []
        assert audit(ledger, KEY.verifier) is not None
    assert writer.submit(job("k1:bad", draft())).result(20).first_seq == 6


def test_a_projection_that_refuses_undoes_its_job_alone(
    writer: Writer, hooks: Recorder, where: str
) -> None:
    hooks.refuse.add("lot/L1")
    hold = Hold(writer)
    futures = [
        writer.submit(job("k1:1", draft("batch/B1"))),
        writer.submit(job("k1:2", draft("batch/B1"), draft("lot/L1"))),
        writer.submit(job("k1:3", draft("batch/B1"))),
    ]
    hold.release()
    assert futures[0].result(20).last_seq == 1
    with pytest.raises(ValueError, match="the projection refuses"):
        futures[1].result(20)
    assert futures[2].result(20).last_seq == 2
    assert ("dropped", ["batch/B1", "lot/L1"]) in hooks.calls
    with reading(where) as ledger:
        assert [e.ver for e in ledger.stream("batch/B1")] == [1, 2]
        assert audit(ledger, KEY.verifier) is not None


def test_what_a_failed_job_wrote_through_the_connection_is_undone(
    writer: Writer, where: str
) -> None:
    def make(view: View) -> Decision:
        view.connection.execute(text("create table lot(id text primary key)"))
        return Decision()

    def insert(name: str, *, fail: bool) -> Decision:
        def decide(view: View) -> Decision:
            view.connection.execute(text("insert into lot values (:id)"), {"id": name})
            if fail:
                raise ValueError(name)
            return Decision((draft(f"lot/{name}"),))

        return decide

    writer.submit(deciding("k1:0", make)).result(20)
    hold = Hold(writer)
    futures = [
        writer.submit(deciding("k1:1", insert("L1", fail=False))),
        writer.submit(job("k1:2", draft("batch/B1"))),
        writer.submit(deciding("k1:3", insert("L3", fail=True))),
        writer.submit(deciding("k1:4", insert("L1", fail=False))),
        writer.submit(deciding("k1:5", insert("L5", fail=False))),
    ]
    hold.release()
    assert [futures[n].result(20).last_seq for n in (0, 1, 4)] == [1, 2, 3]
    with pytest.raises(ValueError, match="L3"):
        futures[2].result(20)
    with pytest.raises(StoreFailed, match=r"(?i)unique"):
        futures[3].result(20)
    with reading(where) as ledger, ledger.store.reading() as connection:
        found = connection.exec_driver_sql("select id from lot order by id").scalars().all()
        assert list(found) == ["L1", "L5"]
        assert audit(ledger, KEY.verifier) is not None


def test_a_job_sees_the_entries_of_its_group(writer: Writer) -> None:
    seen: list[object] = []

    def look(view: View) -> Decision:
        entries = view.stream("batch/B1")
        seen.append([(entry.seq, entry.ver) for entry in entries])
        seen.append(view.head("batch/B1").ver)
        seen.append(view.connection.exec_driver_sql("select count(*) from entry").scalar())
        seen.append([(entry.seq, entry.ver) for entry in view.stream("batch/B1")])
        seen.append((view.size, view.at))
        return Decision((draft("batch/B1"),))

    writer.submit(job("k1:0", draft("batch/B1"))).result(20)
    hold = Hold(writer)
    writer.submit(job("k1:1", draft("batch/B1")))
    future = writer.submit(deciding("k1:2", look))
    hold.release()
    assert future.result(20).first_seq == 3
    assert seen == [[(1, 1), (2, 2)], 2, 2, [(1, 1), (2, 2)], (2, AT)]


def test_listeners_hear_the_last_committed_number(writer: Writer) -> None:
    heard: list[int] = []

    def refuse(seq: int) -> None:
        raise ValueError(seq)

    writer.listeners += [refuse, heard.append]
    writer.submit(job("k1:1", draft(), draft())).result(20)
    writer.submit(job("k1:1", draft(), draft())).result(20)
    writer.submit(job("k1:2", draft())).result(20)
    writer.submit(job("k1:3")).result(20)
    assert heard == [2, 3]


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("deed", ["update {0} set {1} = {1}", "delete from {0}", "truncate {0}"])
def test_stored_rows_refuse_change(writer: Writer, where: str, table: str, deed: str) -> None:
    writer.submit(job("k1:1", draft())).result(20)
    writer.record_anchor(1, "erp", "receipt 7", at=AT).result(20)
    column = {"entry": "body", "receipt": "answer", "checkpoint": "note", "anchor": "place"}[table]
    if deed.startswith("truncate") and where.startswith("sqlite"):
        deed = f"insert or replace into {table} select * from {table}"

    def attack(view: View) -> Decision:
        view.connection.exec_driver_sql(deed.format(table, column))
        return Decision()

    with pytest.raises(StoreFailed, match=f"{table} is append-only"):
        writer.submit(deciding("k1:attack", attack)).result(20)
    assert writer.submit(job("k1:2", draft())).result(20).first_seq == 2


def test_readers_cannot_write(writer: Writer, where: str) -> None:
    writer.submit(job("k1:1", draft())).result(20)
    with (
        reading(where) as ledger,
        pytest.raises(StoreFailed, match=r"(?i)read-?only"),
        ledger.store.reading() as connection,
    ):
        connection.exec_driver_sql("insert into tile select 9, leaf from entry")


def test_an_anchor_outside_is_kept_with_its_proof(writer: Writer, where: str) -> None:
    writer.submit(job("k1:1", draft())).result(20)
    writer.record_anchor(1, "erp", "receipt 7", at=AT).result(20)
    with reading(where) as ledger:
        assert [tuple(row) for row in ledger.anchors()] == [
            (1, "erp", "receipt 7", "2026-03-02T08:15:00.000000Z")
        ]


@pytest.mark.requirement("K2")
def test_many_callers_get_gap_free_numbers_and_each_key_is_written_once(
    writer: Writer, where: str
) -> None:
    keys, threads = 60, 8
    barrier = threading.Barrier(threads)

    def client(number: int) -> int:
        barrier.wait(20)
        first = 0
        for key in range(keys):
            receipt = writer.submit(job(f"key:{key}", draft(f"batch/B{key % 5}"))).result(20)
            first += not receipt.replayed
        return first

    with ThreadPoolExecutor(threads) as pool:
        firsts = sum(pool.map(client, range(threads)))
    assert firsts == keys
    with reading(where) as ledger:
        assert [seq for seq, _ in ledger.raw()] == list(range(1, keys + 1))
        assert audit(ledger, KEY.verifier) is not None


def test_a_stopped_writer_answers_what_waits_and_refuses_more(where: str) -> None:
    with writing(where) as writer:
        futures = [writer.submit(job(f"k1:{n}", draft())) for n in range(20)]
        writer.close()
        assert [future.result(0).last_seq for future in futures] == list(range(1, 21))
        with pytest.raises(StoreFailed, match=r"the writer is stopped\. Wait for"):
            writer.submit(job("k1:99", draft()))


def test_a_command_id_with_control_characters_is_refused_at_once(writer: Writer) -> None:
    with pytest.raises(NotCanonical, match="idem: must be text"):
        writer.submit(replace(job("k1:1"), idem="k1\x00"))


def test_a_url_of_another_database_is_refused() -> None:
    with pytest.raises(ValueError, match=r"mysql: the ledger lives in sqlite or postgresql\."):
        open_store("mysql://root@localhost/x")


def test_request_hashes_are_compared_not_only_ids(writer: Writer) -> None:
    given = job("k1:1", draft())
    writer.submit(given).result(20)
    other = replace(given, request_sha256=hashlib.sha256(b"other").hexdigest())
    with pytest.raises(IdemReused):
        writer.submit(other).result(20)
