"""One exchange worked out, bytes and signatures, so that a receiver can be tested against it."""

from datetime import datetime

import msgspec

from core.clock import iso, parse_iso
from erp.agreement.samples import sample
from erp.contract import MessageType, to_bytes
from erp.events import KINDS
from erp.signing import Keys, secret_text, sign
from erp.webhook import ReceiptBody, ReceiptDocument, headers_of

# Known to everybody who reads this: no plant may use them.
SEND = secret_text(b"batchwright example: messages")
RECEIVE = secret_text(b"batchwright example: receipts")
AT: datetime = parse_iso("2026-11-23T05:33:02.000000Z")
KIND: MessageType = "mes.material_consumed.v1"
TRACE = "traceparent"  # drawn anew on each attempt, and no part of what is signed


def request(plant: str) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of a request, signed at `AT`."""
    made = sample(KINDS[KIND], plant=plant)
    body = to_bytes(made)
    headers = headers_of(Keys.of([SEND]), made.id, at=AT, body=body)
    return {name: value for name, value in headers.items() if name != TRACE}, body


def receipt(plant: str) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of its receipt, signed at `AT`."""
    made = sample(KINDS[KIND], plant=plant)
    document = ReceiptDocument(type="material_document", id="4900000018", year="2026", line="1")
    told = ReceiptBody(
        status="posted",
        documents=(document,),
        posting_period=made.data.posting_date[:7],
        checkpoint=made.data.checkpoint,
    )
    body = msgspec.json.encode(told, order="sorted")
    return sign(Keys.of([RECEIVE]), made.id, at=AT, body=body), body


def example(plant: str) -> str:
    """Return the exchange as text."""
    sent, body = request(plant)
    given, answer = receipt(plant)
    return f"""## One exchange, worked out

With these two secrets, which no plant may use, at {iso(AT)[:19]}Z. A receiver that finds other
signatures than these reads or signs the wrong bytes. The bodies are byte for byte
`samples/material_consumed.json` and `samples/receipt.json`, without a line's end behind them.

```text
secret of messages   {SEND}
secret of receipts   {RECEIVE}
```

```http
POST /events HTTP/1.1
{_lines(sent)}
content-length: {len(body)}

{body.decode()}
```

```http
HTTP/1.1 200 OK
content-type: application/json
{_lines(given)}
content-length: {len(answer)}

{answer.decode()}
```"""


def _lines(headers: dict[str, str]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in headers.items())
