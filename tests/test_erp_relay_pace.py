"""How often the relay asks and waits: periods, and messages that are under way together."""

import logging
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from erp import evidence
from erp.adapters.webhook import WebhookErp
from erp.outbox import Outbox
from erp.port import Outcome, PeriodState, Posting
from erp.relay import Relay
from erp.rows import State
from erp.signing import Keys
from tests.erp_plant import SITE, Sandbox, Written, sandbox_running

pytestmark = pytest.mark.requirement("K1", "K7")


@pytest.fixture(scope="module")
def erp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox_running(tmp_path_factory.mktemp("erp")) as sandbox:
        yield sandbox


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    kept = Outbox(f"sqlite:///{tmp_path / 'erp_outbox.db'}")
    yield kept
    kept.close()


class Watched(WebhookErp):
    """The adapter, and what the outbox held when it was called."""

    def __init__(self, erp: Sandbox, outbox: Outbox) -> None:
        super().__init__(erp.address, send=Keys.of([erp.events]), receive=Keys.of([erp.receipts]))
        self.asked: list[date] = []
        self.seen: list[list[State]] = []
        self._outbox = outbox

    def period(self, on: date) -> PeriodState:
        self.asked.append(on)
        return super().period(on)

    def post(self, posting: Posting) -> Outcome:
        self.seen.append([row.state for row in evidence.messages(self._outbox)])
        return super().post(posting)


def test_an_open_period_is_asked_once_for_many_messages_and_the_erp_still_decides(
    erp: Sandbox, outbox: Outbox
) -> None:
    """A period that is closed right after it was found open is refused when it is booked."""
    logging.getLogger("batchwright.erp").setLevel(logging.CRITICAL)
    ledger, port = Written(), Watched(erp, outbox)
    erp.admin("orders", id="PO-301", product="TAB", quantity="100000", unit="C62")
    for _ in range(5):
        ledger.consumed(301)
    relay = Relay(ledger, outbox, port, site=SITE)
    relay.step()
    assert len(port.asked) == 1
    month = port.asked[0].isoformat()[:7]
    erp.admin("periods", period=month, state="closed")
    try:
        ledger.consumed(301)
        relay.step()
    finally:
        erp.admin("periods", period=month, state="open")
        relay.stop()
        port.close()
    rows = evidence.messages(outbox)
    assert [row.state for row in rows] == [*[State.DONE] * 5, State.DEAD]
    assert (len(port.asked), rows[-1].last_code) == (1, "period_closed")


def test_a_message_and_the_mark_of_the_next_one_are_one_transaction(
    erp: Sandbox, outbox: Outbox
) -> None:
    """While the second is at the ERP, the first has its receipt: a kill would find both so."""
    ledger, port = Written(), Watched(erp, outbox)
    erp.admin("orders", id="PO-302", product="TAB", quantity="100000", unit="C62")
    for _ in range(3):
        ledger.consumed(302)
    relay = Relay(ledger, outbox, port, site=SITE)
    relay.step()
    relay.stop()
    port.close()
    assert port.seen == [
        [State.SENDING, State.PENDING, State.PENDING],
        [State.DONE, State.SENDING, State.PENDING],
        [State.DONE, State.DONE, State.SENDING],
    ]
