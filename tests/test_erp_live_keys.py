"""A key changes between a relay that sends and an ERP that books; neither stops."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest

from core.clock import now
from core.erp_key import Direction, ErpKey
from core.vault import ERP_RECEIVE, ERP_SEND, Vault
from erp import evidence
from erp.adapters.webhook import WebhookErp
from erp.live_keys import LiveKeys
from erp.outbox import Outbox
from erp.port import Outcome, Posting
from erp.relay import Endpoint, Relay
from erp.rows import State
from erp.signing import Keys, key_id, new_secret
from tests.erp_plant import SITE, Sandbox, Written, eventually, sandbox_running
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.requirement("K3")


@pytest.fixture(scope="module")
def erp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox_running(tmp_path_factory.mktemp("erp")) as sandbox:
        yield sandbox


def name_of(secret: str) -> str:
    return Keys.of([secret]).ids[0]


@dataclass
class Wire:
    """A relay under way, an ERP, and what a ledger would say of the keys."""

    erp: Sandbox
    port: WebhookErp
    outbox: Outbox
    relay: Relay
    ledger: Written
    vault: Vault
    held: dict[Direction, ErpKey] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.keys = LiveKeys(self.port, lambda: self.vault, self.held.get)

    def begun(self, way: Direction, new: str, old: str) -> None:
        at = now()
        self.held[way] = ErpKey(
            direction=way, newest=name_of(new), begun_at=at, older=name_of(old),
            until=at + timedelta(days=7),
        )  # fmt: skip
        self.keys.look()

    def ended(self, way: Direction) -> None:
        held = self.held[way]
        self.held[way] = ErpKey(direction=way, newest=held.newest, begun_at=held.begun_at)
        self.keys.look()

    def told(self) -> None:
        """Record one more fact, and wait for the ERP's receipt of it."""
        self.ledger.consumed(1, net_g="1")
        self.relay.wake()
        done = len(self.ledger.kept)
        eventually(lambda: evidence.counts(self.outbox)[State.DONE] == done)
        assert all(one.attempts == 1 for one in evidence.messages(self.outbox))


@pytest.fixture
def wire(erp: Sandbox, tmp_path: Path) -> Iterator[Wire]:
    erp.admin("keys", events=[erp.events], receipts=[erp.receipts])
    erp.admin("orders", id="PO-1", state="released")
    port, ledger = erp.port_to(timeout_s=20), Written()
    outbox = Outbox(f"sqlite:///{tmp_path / 'outbox.db'}")
    relay = Relay(ledger, outbox, port, site=SITE, poll_s=0.05)
    relay.start()
    yield Wire(erp, port, outbox, relay, ledger, Vault(tmp_path / "keys"))
    relay.stop()
    port.close()
    outbox.close()


def test_a_key_to_send_with_changes_while_messages_flow(erp: Sandbox, wire: Wire) -> None:
    old, new = erp.events, new_secret()
    wire.told()
    assert wire.keys.keep("send", new) == name_of(new)
    wire.told()  # kept, and not signed for by two people: nothing changes
    assert wire.port.sends.ids == (name_of(old),)
    wire.begun("send", new, old)
    assert wire.port.sends.ids == (name_of(new), name_of(old))
    until = wire.held["send"].until
    assert until is not None
    assert wire.keys.overdue(until - timedelta(microseconds=1)) == 0
    assert wire.keys.overdue(until) == 1
    wire.told()  # the ERP knows the old key alone
    erp.admin("keys", events=[new, old])
    wire.told()
    erp.admin("keys", events=[new])
    wire.told()  # and now the new one alone
    wire.ended("send")
    assert wire.port.sends.ids == (name_of(new),)
    wire.told()
    sent = [evidence.attempts(wire.outbox, one.event_id) for one in evidence.messages(wire.outbox)]
    signatures = [len(one[0].sent_headers["webhook-signature"].split()) for one in sent]
    assert signatures == [1, 1, 2, 2, 2, 1]
    assert wire.vault.get(ERP_SEND) == new
    assert "erp-send-next" not in wire.vault.names()


def test_a_key_of_receipts_changes_and_the_old_one_still_proves_what_it_signed(
    erp: Sandbox, wire: Wire
) -> None:
    old, new = erp.receipts, new_secret()
    wire.told()
    wire.keys.keep("receive", new)
    wire.begun("receive", new, old)
    wire.told()
    erp.admin("keys", receipts=[new])
    wire.told()
    wire.ended("receive")
    wire.told()
    kept = evidence.receipts(wire.outbox)
    assert [evidence.unproven(one, wire.port.receipts) is None for one in kept] == [
        False, False, True, True,
    ]  # fmt: skip
    assert all(evidence.unproven(one, wire.keys.proving("receive")) is None for one in kept)
    assert wire.vault.get("erp-receive-past") == old
    erp.admin("keys", receipts=[old])  # whoever has the dead key makes no receipt with it
    wire.ledger.consumed(1, net_g="1")
    wire.relay.wake()
    eventually(lambda: evidence.counts(wire.outbox)[State.UNKNOWN] == 1)


def test_a_key_that_the_erp_does_not_know_pauses_and_a_known_one_goes_on(
    erp: Sandbox, wire: Wire
) -> None:
    logging.getLogger("batchwright.erp").setLevel(logging.CRITICAL)
    new = new_secret()
    erp.admin("keys", events=[new])
    for order in (1, 2, 3):
        erp.admin("orders", id=f"PO-{order}", state="released")
        wire.ledger.consumed(order, net_g="1")
    wire.relay.wake()
    eventually(lambda: wire.relay.status().endpoint is Endpoint.PAUSED)
    wire.keys.keep("send", new)
    wire.begun("send", new, erp.events)
    wire.relay.resume()
    eventually(lambda: evidence.counts(wire.outbox)[State.DONE] == 3)


def test_an_answer_to_the_old_key_pauses_nothing_once_the_new_one_is_taken_up(
    erp: Sandbox, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    logging.getLogger("batchwright.erp").setLevel(logging.CRITICAL)
    new, post = new_secret(), wire.port.post
    refused, mended = Event(), Event()

    def late(posting: Posting) -> Outcome:
        outcome = post(posting)
        refused.set()
        assert mended.wait(PATIENCE_S)
        return outcome

    monkeypatch.setattr(wire.port, "post", late)
    erp.admin("keys", events=[new])
    wire.ledger.consumed(1, net_g="1")
    wire.relay.wake()
    assert refused.wait(PATIENCE_S)
    wire.keys.keep("send", new)
    wire.begun("send", new, erp.events)
    wire.relay.resume()
    mended.set()
    eventually(lambda: evidence.counts(wire.outbox)[State.DONE] == 1)
    assert wire.relay.status().endpoint is Endpoint.UP


def test_a_pause_ends_by_itself_once_the_erp_takes_one_message(
    erp: Sandbox, tmp_path: Path
) -> None:
    """While it lasts one message is tried at a time, and none is counted against it."""
    logging.getLogger("batchwright.erp").setLevel(logging.CRITICAL)
    erp.admin("keys", events=[new_secret()])
    ledger, port = Written(), erp.port_to(timeout_s=20)
    for order in (1, 2, 3):
        erp.admin("orders", id=f"PO-{order}", state="released")
        ledger.consumed(order, net_g="1")
    outbox = Outbox(f"sqlite:///{tmp_path / 'outbox.db'}")
    relay = Relay(ledger, outbox, port, site=SITE, poll_s=0.05, trial_s=0.1)
    relay.step()
    assert relay.status().endpoint is Endpoint.PAUSED

    def tried() -> list[int]:
        rows = evidence.messages(outbox)
        return [len(evidence.attempts(outbox, one.event_id)) for one in rows]

    before = tried()
    relay.start()
    eventually(lambda: sum(tried()) >= sum(before) + 3)
    assert tried()[1:] == before[1:], "only the first of them is tried"
    assert {row.attempts for row in evidence.messages(outbox)} == {0}
    erp.admin("keys", events=[erp.events])
    eventually(lambda: evidence.counts(outbox)[State.DONE] == 3)
    assert relay.status().endpoint is Endpoint.UP
    relay.stop()
    port.close()
    outbox.close()


def test_a_power_cut_between_agreement_and_taking_up_changes_nothing(
    erp: Sandbox, wire: Wire
) -> None:
    """The next start finds the ledger's word and the secret in the vault."""
    new, at = new_secret(), now()
    wire.keys.keep("send", new)
    wire.held["send"] = ErpKey(
        direction="send", newest=name_of(new), begun_at=at, older=name_of(erp.events), until=at
    )
    again = WebhookErp(
        erp.address, send=Keys.of([erp.events]), receive=Keys.of([erp.receipts])
    )  # fmt: skip
    LiveKeys(again, lambda: wire.vault, wire.held.get).look()
    assert again.sends.ids == (name_of(new), name_of(erp.events))
    assert (wire.vault.get(ERP_SEND) or "").split() == [new, erp.events]
    again.close()


def test_a_key_that_is_not_kept_here_is_named_and_the_old_one_goes_on(wire: Wire) -> None:
    logging.getLogger("batchwright.erp").setLevel(logging.CRITICAL)
    before = wire.port.sends
    wire.begun("send", new_secret(), wire.erp.events)
    assert wire.port.sends == before
    (stand,) = (one for one in wire.keys.stands() if one.direction == "send")
    assert stand.missing == (wire.held["send"].newest,)
    wire.told()


def test_of_keys_that_wait_the_agreed_one_is_taken_and_few_are_kept(wire: Wire) -> None:
    secrets = [new_secret() for _ in range(6)]
    for one in secrets:
        wire.keys.keep("receive", one)
    (stand,) = (one for one in wire.keys.stands() if one.direction == "receive")
    assert stand.waiting == tuple(name_of(one) for one in reversed(secrets[2:]))
    with pytest.raises(ValueError, match="whsec_"):
        wire.keys.keep("receive", "hunter2")
    wire.begun("receive", secrets[3], wire.erp.receipts)
    assert (wire.vault.get(ERP_RECEIVE) or "").split() == [secrets[3], wire.erp.receipts]
    assert wire.port.receipts.ids[0] == key_id(Keys.of([secrets[3]]).keys[0])
    assert all("next" not in name for name in wire.vault.names())
