"""The frame of the simulators: whoever the maker is, its door says no and ends tokens alike."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn

from erp.adapters.spoken import SpokenErp
from erp.port import Duplicate, Posted, Retry, Unknown
from erp.simulated.__main__ import SIMULATORS
from erp.simulated.records import Records
from erp.simulated.serving import build
from tests.erp_peers import ORDERS, PEER_SEED, Port, Story, posting, put
from tests.erp_simulated import GIVEN, MAKERS, SECRET, USER, SimulatedPeer

pytestmark = pytest.mark.requirement("K1", "K5")
DOORS = [kind for kind in MAKERS if kind not in ("sap-plain", "netsuite-at-once", "infor-ln")]


@contextmanager
def served(kind: str, folder: Path) -> Iterator[SimulatedPeer]:
    """Serve a simulator in this process: its switches are the same, and it starts at once."""
    peer = SimulatedPeer(kind, folder)
    records = Records(folder / "erp.db")
    simulator = SIMULATORS[kind](USER, GIVEN.get(kind, lambda: SECRET)())
    with records.work() as work:
        simulator.seed(work, PEER_SEED)
    app = build(records, simulator)
    config = uvicorn.Config(app, host="127.0.0.1", port=peer.number, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        until = time.monotonic() + 30
        while not server.started:
            assert time.monotonic() < until, "the simulator did not start"
            time.sleep(0.01)
        yield peer
    finally:
        server.should_exit = True
        thread.join()
        records.close()


@pytest.fixture(scope="module", params=DOORS)
def peer(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SimulatedPeer]:
    with served(request.param, tmp_path_factory.mktemp(request.param)) as found:
        yield found


@pytest.fixture
def port(peer: SimulatedPeer) -> Iterator[Port]:
    made = peer.port()
    yield made
    made.close()


NUMBERS = iter(ORDERS * 9)


@pytest.fixture
def story() -> Story:
    return Story(next(NUMBERS))


def test_a_door_that_is_too_busy_names_its_wish_and_is_still_up(
    peer: SimulatedPeer, port: Port, story: Story
) -> None:
    assert isinstance(port, SpokenErp)
    made = posting(story.consumed())
    peer.admin("throttle", times=1, after_s=7)
    told = port.post(made)
    assert isinstance(told, Retry)
    assert (told.after_s, told.paused) == (7, False)
    peer.admin("throttle", times=1, after_s=7)
    assert port.health().up
    assert isinstance(port.post(made), Posted)


def test_a_token_that_has_ended_is_renewed_and_the_same_bytes_are_booked_once(
    peer: SimulatedPeer, port: Port, story: Story
) -> None:
    assert isinstance(put(port, story.consumed()), Posted)
    peer.admin("end_tokens")
    made = posting(story.consumed("7"))
    assert isinstance(port.post(made), Posted)
    assert isinstance(port.post(made), Duplicate)
    assert len(port.find_posting(made.ref)) == 1


def test_a_stranger_is_refused_and_nothing_of_his_is_taken(
    peer: SimulatedPeer, port: Port, story: Story
) -> None:
    made = posting(story.consumed())
    stranger = peer.port(secret="somebody else's")
    told = stranger.post(made)
    stranger.close()
    assert isinstance(told, Retry)
    assert told.paused
    assert port.find_posting(made.ref) == []


def test_a_reply_dropped_after_the_commit_is_booked_once_by_the_next_try(
    peer: SimulatedPeer, port: Port, story: Story
) -> None:
    made = story.consumed()
    peer.admin("drop_reply")
    assert isinstance(port.post(posting(made)), Unknown | Retry)
    assert isinstance(put(port, made), Posted | Duplicate)
    assert len(port.find_posting(made.data.erp_ref)) == 1
