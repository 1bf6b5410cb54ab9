"""Messages on a real JetStream: the same bytes in the order of the facts, through a crash of it."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from erp import evidence
from erp.derive import Deriver
from erp.outbox import Outbox
from erp.stream import Publisher, subject_of
from tests.erp_plant import AT, SITE, Written, free_port
from tests.patience import eventually

SERVER = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or shutil.which(
    "nats-server"
)
pytestmark = pytest.mark.skipif(SERVER is None, reason="no nats-server on this machine")


class Stream:
    """A NATS server with a store on disk, to be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.port, self.folder = free_port(), folder
        self.process: subprocess.Popen[bytes] | None = None
        conf = folder / "nats.conf"
        conf.write_text(
            f"listen: 127.0.0.1:{self.port}\n"
            f'jetstream {{ store_dir: "{folder}/store", sync_interval: always }}\n',
            "utf-8",
        )

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        assert SERVER is not None
        self.process = subprocess.Popen(
            [SERVER, "-c", str(self.folder / "nats.conf")],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        end = time.monotonic() + 30
        while time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError("nats-server did not answer")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def received(self) -> list[tuple[str, str, bytes]]:
        """Return subject, message id and bytes of everything on the stream, in its order."""

        async def read() -> list[tuple[str, str, bytes]]:
            import nats

            connection = await nats.connect(self.url)
            found = []
            try:
                jetstream = connection.jetstream()
                info = await jetstream.stream_info("MES")
                for seq in range(info.state.first_seq, info.state.last_seq + 1):
                    one = await jetstream.get_msg("MES", seq)
                    assert one.headers is not None
                    found.append((one.subject, one.headers["Nats-Msg-Id"], one.data))
            finally:
                await connection.close()
            return found

        return asyncio.run(read())


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[Stream]:
    made = Stream(tmp_path)
    made.start()
    yield made
    made.kill()


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    kept = Outbox(f"sqlite:///{tmp_path / 'outbox.db'}")
    yield kept
    kept.close()


def derive(ledger: Written, outbox: Outbox) -> None:
    Deriver(ledger, outbox, SITE, erp_order=lambda _: None, checkpoint=lambda: None).derive(AT)


def publishing(outbox: Outbox, stream: Stream) -> Publisher:
    return Publisher(outbox, stream.url, plant="P1", poll_s=0.05)


@pytest.mark.requirement("K1", "O1")
def test_the_same_bytes_are_published_once_in_the_order_of_the_facts(
    stream: Stream, outbox: Outbox
) -> None:
    ledger = Written()
    ledger.batch(1)
    ledger.batch(2)
    derive(ledger, outbox)
    publisher = publishing(outbox, stream)
    publisher.start()
    eventually(lambda: publisher.status().upto_seq == 12)
    publisher.stop()
    again = publishing(outbox, stream)  # a new process finds nothing left to do
    again.start()
    ledger.batch(3)
    derive(ledger, outbox)
    eventually(lambda: again.status().upto_seq == 18)
    again.stop()
    rows = evidence.messages(outbox)
    assert stream.received() == [
        (subject_of("P1", row.lane), row.event_id, row.body)
        for row in sorted(rows, key=lambda row: row.entry_seq)
    ]


@pytest.mark.requirement("K7")
def test_a_stream_that_is_away_loses_nothing_and_counts_no_receipt(
    stream: Stream, outbox: Outbox
) -> None:
    ledger = Written()
    ledger.batch(1)
    derive(ledger, outbox)
    publisher = publishing(outbox, stream)
    publisher.start()
    eventually(lambda: publisher.status().upto_seq == 6)
    stream.kill()
    ledger.batch(2)
    derive(ledger, outbox)
    eventually(lambda: publisher.status().fault is not None)
    assert publisher.status().waiting == 6
    stream.start()
    eventually(lambda: publisher.status().upto_seq == 12)
    publisher.stop()
    assert len(stream.received()) == 12
    assert {row.state for row in evidence.messages(outbox)} == {"pending"}
    assert evidence.receipts(outbox) == []


def test_an_acknowledgement_that_was_lost_makes_no_second_message(
    stream: Stream, outbox: Outbox
) -> None:
    ledger = Written()
    ledger.batch(1)
    derive(ledger, outbox)
    publisher = publishing(outbox, stream)
    publisher.start()
    eventually(lambda: publisher.status().upto_seq == 6)
    publisher.stop()
    with outbox.engine.begin() as connection:
        connection.exec_driver_sql("update erp_relay_cursor set upto_seq = 3 where target = 'nats'")
    again = publishing(outbox, stream)
    again.start()
    eventually(lambda: again.status().upto_seq == 6)
    again.stop()
    assert len(stream.received()) == 6


@pytest.mark.requirement("A2", "K1")
def test_facts_of_an_order_that_was_linked_late_are_published_too(
    stream: Stream, outbox: Outbox
) -> None:
    ledger, links = Written(), dict[str, str]()
    deriver = Deriver(ledger, outbox, SITE, erp_order=links.get, checkpoint=lambda: None)
    ledger.batch(1)
    born = {"order": "W7", "erp_order": None, "batch": "B7", "material": "LAC", "lot": "L-1"}
    for n in (1, 2):
        held = f"batch/B7-{n}"
        ledger.write("material.consumed", held, step="s", container="1", net_g="5", **born)
    ledger.batch(2)
    deriver.derive(AT)
    publisher = publishing(outbox, stream)
    publisher.start()
    eventually(lambda: publisher.status().upto_seq == len(ledger.kept))
    assert len(stream.received()) == 12
    ledger.write("work-order.linked", "order/W7", order="W7", erp_ref="PO-7")
    links["W7"] = "PO-7"
    ledger.consumed(7)
    deriver.derive(AT)
    eventually(lambda: publisher.status().waiting == 0)
    publisher.stop()
    published = [name for _, name, _ in stream.received()]
    assert sorted(published) == sorted(row.event_id for row in evidence.messages(outbox))
    ours = [row.event_id for row in evidence.messages(outbox) if row.lane == "W7"]
    assert len(ours) == 3
    assert [name for name in published if name in ours] == ours
    again = publishing(outbox, stream)
    again.start()
    eventually(lambda: again.status().waiting == 0)
    again.stop()
    assert len(stream.received()) == len(published)


def test_what_waits_is_counted_beyond_one_page(outbox: Outbox) -> None:
    ledger = Written()
    for n in range(1, 45):
        ledger.batch(n)
    derive(ledger, outbox)
    assert Publisher(outbox, "nats://127.0.0.1:9", plant="P1").status().waiting == 264
