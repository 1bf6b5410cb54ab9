"""What the tests of single makers share: a simulator for the file, a port to it, a fresh order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from erp.port import LedgerLine, Outcome, Posted, Posting, Rejected, Scope
from tests.canned_http import Answer, canned
from tests.erp_peers import ORDERS, Port, Story, posting
from tests.erp_simulated import SimulatedPeer, simulated


def fixtures(*kinds: str) -> tuple[Any, Any, Any]:
    """Return the fixtures `peer`, `port` and `story` of a test file.

    One simulator of each kind is started once for the file, and one port to it; a story is an
    order that no other test of the file has touched.
    """
    numbers = iter(ORDERS)

    @pytest.fixture(scope="module", params=kinds)
    def peer(
        request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[SimulatedPeer]:
        with simulated(request.param, tmp_path_factory.mktemp(request.param)) as found:
            yield found

    @pytest.fixture(scope="module")
    def port(peer: SimulatedPeer) -> Iterator[Port]:
        made = peer.port()
        yield made
        made.close()

    @pytest.fixture
    def story() -> Story:
        return Story(next(numbers))

    return peer, port, story


def booked(outcome: Outcome) -> Posted:
    assert isinstance(outcome, Posted), outcome
    return outcome


def refused(outcome: Outcome) -> str:
    assert isinstance(outcome, Rejected), outcome
    return outcome.code


def told(make: Callable[[str], Port], answer: Callable[[str, str], Answer]) -> Outcome:
    """Return what becomes of a posting where a server answers like this."""
    with canned(answer) as address:
        port = make(address)
        try:
            made: Posting = posting(Story("9001").consumed())
            return port.post(made)
        finally:
            port.close()


def read_back(port: Port, story: Story) -> list[LedgerLine]:
    """Book every movement and its reversal; return the books' lines, which say what was told."""
    told = [story.consumed(), story.returned(), story.scrapped(), story.produced()]
    told += [story.reversed(made) for made in told]
    for made in told:
        booked(port.post(posting(made)))
    lines = list(port.ledger(Scope(order=story.order)))
    assert [(one.reference, one.ref) for one in lines] == [
        (made.id, made.data.erp_ref) for made in told
    ]
    amounts = [("issue", "0.12"), ("return", "0.003"), ("scrap", "0.002"), ("receipt", "1000")]
    assert [(one.movement, one.quantity) for one in lines] == [
        *((movement, Decimal(value)) for movement, value in amounts),
        *((movement, -Decimal(value)) for movement, value in amounts),
    ]
    return lines
