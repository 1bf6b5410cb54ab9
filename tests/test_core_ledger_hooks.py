"""What is kept in step with the ledger: what its hooks hear, and what is written with the group."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from core.ledger.audit import audit
from core.ledger.entry import NotCanonical
from core.ledger.store import StoreFailed
from core.ledger.tables import Statement, WriterStopped
from core.ledger.writer import View, Writer
from tests.ledgers import KEY, Hold, Recorder, draft, job, reading, writing


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def hooks() -> Recorder:
    return Recorder()


@pytest.fixture
def writer(where: str, hooks: Recorder) -> Iterator[Writer]:
    with writing(where, hooks) as running:
        yield running


def test_hooks_hear_each_job_and_one_flush_per_group(writer: Writer, hooks: Recorder) -> None:
    hold = Hold(writer)
    futures = [
        writer.submit(job("k1:1", draft(), draft("lot/L1"))),
        writer.submit(job("k1:2", answer={"seen": True})),
        writer.submit(job("k1:3", draft())),
    ]
    hooks.calls.clear()
    hold.release()
    for future in futures:
        future.result(20)
    assert hooks.calls == [("flush", 0), ("appended", [1, 2]), ("appended", [3]), ("flush", 3)]


@pytest.mark.requirement("H5")
def test_hooks_drop_nothing_for_a_job_that_they_never_heard_of(
    writer: Writer, hooks: Recorder, where: str
) -> None:
    hold = Hold(writer)
    first = writer.submit(job("k1:1", draft(), draft("lot/L1")))
    floats = writer.submit(job("k1:2", draft(), draft(net_g=0.5)))
    last = writer.submit(job("k1:3", draft(), draft("lot/L1")))
    hold.release()
    assert isinstance(floats.exception(20), NotCanonical)
    assert (first.result(20).last_seq, last.result(20).last_seq) == (2, 4)
    assert [name for name, _ in hooks.calls] == ["flush", "appended", "appended", "flush"]
    with reading(where) as ledger:
        assert audit(ledger, KEY.verifier) is not None
        assert [(e.stream, e.ver) for e in ledger.entries()] == [
            ("batch/B1", 1), ("lot/L1", 1), ("batch/B1", 2), ("lot/L1", 2),
        ]  # fmt: skip


@pytest.mark.requirement("H5")
def test_a_group_that_cannot_be_flushed_is_decided_again_job_by_job(
    writer: Writer, hooks: Recorder, where: str
) -> None:
    hold = Hold(writer)
    futures = [writer.submit(job(f"k1:{n}", draft())) for n in range(3)]
    hooks.fail_flush = [ValueError("the first job alone"), ValueError("the group")]
    hold.release()
    outcomes = [future.exception(20) for future in futures]
    assert [str(fault) for fault in outcomes] == ["the first job alone", "None", "None"]
    assert hooks.calls.count(("dropped", None)) == 2
    with reading(where) as ledger:
        assert audit(ledger, KEY.verifier) is not None
        assert [entry.idem for entry in ledger.entries()] == ["k1:1", "k1:2"]


@pytest.mark.requirement("H5")
def test_what_the_database_refuses_on_the_way_to_the_commit_commits_nothing(
    where: str, tmp_path: Path
) -> None:
    class Refused(Recorder):
        times = 0

        def flush(self, view: View) -> Sequence[Statement]:
            super().flush(view)
            if not self.times or view.size == 1:  # the job that holds the writer adds nothing
                return ()
            self.times -= 1
            twice = "insert into checkpoint select size, root, note from checkpoint where size = ?"
            return [Statement(twice, [(1,)])]

    hooks = Refused()
    with writing(where, hooks, anchors=tmp_path / "anchors") as writer:
        writer.submit(job("k1:0", draft())).result(20)
        hold = Hold(writer)
        futures = [writer.submit(job(f"k1:{n}", draft())) for n in (1, 2)]
        hooks.times = 3  # the group; then the first alone, and once more on a new connection
        hold.release()
        with pytest.raises(StoreFailed, match="checkpoint"):
            futures[0].result(20)
        assert futures[1].result(20).first_seq == 2
        assert hooks.times == 0
        assert writer.submit(job("k1:1", draft())).result(20).first_seq == 3
    with reading(where) as ledger:
        assert audit(ledger, KEY.verifier) is not None
        assert [entry.idem for entry in ledger.entries()] == ["k1:0", "k1:2", "k1:1"]


def test_hooks_that_cannot_forget_stop_the_writer_and_nobody_waits_for_it(
    where: str, tmp_path: Path
) -> None:
    class Stubborn(Recorder):
        def dropped(self, streams: frozenset[str] | None) -> None:
            super().dropped(streams)
            if streams is None:
                raise RuntimeError("the cache is gone")

    hooks = Stubborn()
    with writing(where, hooks) as writer:
        writer.submit(job("k1:0", draft())).result(20)
        hooks.fail_flush = [ValueError("the group")]
        for number in range(1, 4):
            with pytest.raises(WriterStopped, match=r"RuntimeError: the cache is gone\. Start the"):
                writer.submit(job(f"k1:{number}", draft())).result(20)
        with pytest.raises(WriterStopped):
            writer.carry_out(job("k1:4", draft()), 20)
    with reading(where) as ledger:
        assert [entry.idem for entry in ledger.entries()] == ["k1:0"]
    with writing(where) as writer:  # as the sentence says
        assert writer.submit(job("k1:1", draft())).result(20).first_seq == 2
