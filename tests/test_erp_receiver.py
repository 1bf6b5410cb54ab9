"""How a posting leaves: what it carries, one connection for many, and what silence means."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from core.clock import now
from erp.adapters.webhook import WebhookErp
from erp.contract import to_bytes
from erp.judging import posting_of
from erp.outbox import row_of
from erp.port import Posted, Posting, Rejected, Retry, Unknown
from erp.rows import Row
from erp.signing import Keys, new_secret, sign, verify
from tests.erp_plant import Written, message_of

pytestmark = pytest.mark.requirement("K1", "K3")
SEND, RECEIVE = Keys.of([new_secret()]), Keys.of([new_secret()])


class Peer(ThreadingHTTPServer):
    """An ERP that does as it is told: books, redirects, breaks off, or says nothing."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.does = "books"
        self.callers: set[int] = set()
        self.seen: list[dict[str, str]] = []
        self.quiet = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/erp"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: it breaks off on purpose."""


class Handler(BaseHTTPRequestHandler):
    server: Peer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        key = verify(SEND, headers, at=now(), body=body)
        self.server.seen.append({**headers, "path": self.path})
        self.server.callers.add(self.client_address[1])
        document = {"type": "material_document", "id": "49", "year": "2026", "line": "1"}
        receipt = json.dumps({"status": "posted", "documents": [document]}).encode()
        match self.server.does:
            case "redirects":
                self.send_response(307)
                self.send_header("location", f"{self.server.address}/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()
            case "breaks off":
                self.send_response(200)
                self.send_header("content-length", str(len(receipt)))
                self.end_headers()
                self.wfile.write(receipt[:10])
                self.close_connection = True
            case "says nothing":
                self.server.quiet.wait(10)
                self.close_connection = True
            case _:
                self.send_response(200)
                for name, value in sign(RECEIVE, key, at=now(), body=receipt).items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(receipt)))
                self.end_headers()
                self.wfile.write(receipt)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer()
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.quiet.set()
    made.shutdown()
    made.server_close()


def adapter(address: str, *, timeout_s: float = 10) -> WebhookErp:
    return WebhookErp(
        address, send=SEND, receive=RECEIVE, token="tok-1", timeout_s=timeout_s
    )  # fmt: skip


@pytest.fixture
def port(peer: Peer) -> Iterator[WebhookErp]:
    made = adapter(peer.address)
    yield made
    made.close()


def posting() -> Posting:
    made = message_of(Written().consumed())
    given = dict.fromkeys(Row.__slots__) | {
        "event_id": made.id, "body": to_bytes(made), "state": "sending",
    }  # fmt: skip
    return posting_of(row_of(given))


def test_a_posting_carries_its_signature_its_digest_and_the_token(
    peer: Peer, port: WebhookErp
) -> None:
    sent = posting()
    outcome = port.post(sent)
    assert isinstance(outcome, Posted), outcome
    (found,) = peer.seen
    assert found["path"] == "/erp/events"
    assert found["authorization"] == "Bearer tok-1"
    assert found["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert found["idempotency-key"] == f'"{sent.key}"'
    assert found["content-digest"].startswith("sha-256=:")
    assert found["host"] == peer.address.split("/")[2]
    kept = outcome.exchange.sent_headers if outcome.exchange else {}
    assert "authorization" not in kept, "a token is not kept as evidence"
    assert kept["webhook-signature"] == found["webhook-signature"]


def test_many_postings_of_one_thread_share_a_connection(peer: Peer, port: WebhookErp) -> None:
    assert all(isinstance(port.post(posting()), Posted) for _ in range(5))
    assert (len(peer.seen), len(peer.callers)) == (5, 1)


def test_a_redirect_is_not_followed(peer: Peer, port: WebhookErp) -> None:
    peer.does = "redirects"
    outcome = port.post(posting())
    assert isinstance(outcome, Rejected)
    assert (outcome.code, len(peer.seen)) == ("redirected", 1)


@pytest.mark.parametrize("does", ["breaks off", "says nothing"])
def test_without_a_whole_answer_nobody_knows_and_the_next_posting_goes_on(
    peer: Peer, does: str
) -> None:
    peer.does = does
    port = adapter(peer.address, timeout_s=0.5)
    outcome = port.post(posting())
    assert isinstance(outcome, Unknown), outcome
    assert outcome.reason.startswith("no answer: ")
    peer.does = "books"
    peer.quiet.set()
    port.close()
    again = adapter(peer.address)
    assert isinstance(again.post(posting()), Posted)
    again.close()


def test_where_nobody_listens_nothing_was_sent() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    port = adapter(f"http://127.0.0.1:{free}")
    outcome = port.post(posting())
    port.close()
    assert isinstance(outcome, Retry)
    assert outcome.reason == "not sent: ConnectError"
