"""What was sent and what came back of one message, as files: the bytes as they are kept.

An auditor computes every digest and checks every signature without our pages.
"""

import hashlib
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from io import BytesIO

from core.ledger.entry import Entry, encode
from erp.rows import AttemptRow, ReceiptRow, Row

EXCHANGE = "/reconcile/message/{event_id}.zip"
MANIFEST = "manifest-sha256.txt"
SIGNATURE = "webhook-signature"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the same files give the same archive, whenever it is made
HEAD = """\
Message {id}, order {lane}, number {n}.

entry.json          the ledger's entry behind it, as its digest was made of it
message.json        the message: its bytes were made once, at {made}
attempts.json       every try, its outcome, and the headers that went out with it
receipt-N.json      the ERP's Nth answer, its bytes as they came; receipt-N-headers.json beside it
{manifest}  the SHA-256 of each file
"""
SIGNED = """
A signature is HMAC-SHA256 over <webhook-id>.<webhook-timestamp>.<bytes of the file>, the three
joined by full stops; the key is the decoded part of the secret's text whsec_..., which is not here.
Headers of message.json stand in attempts.json, those of an answer beside it.
"""
TRANSLATED = """
This ERP takes no message of ours as it is: the request was made from message.json, and is not kept.
The answers are the ERP's own, and carry no signature.
"""


def exchange_href(event_id: str) -> str:
    """Return the address of what was sent and what came back of one message.

    >>> exchange_href("evt_01M83E9BQ0XT3C87QYQ2N71TK8")
    '/reconcile/message/evt_01M83E9BQ0XT3C87QYQ2N71TK8.zip'
    """
    return EXCHANGE.format(event_id=event_id)


def is_signed(attempts: Sequence[AttemptRow]) -> bool:
    """Return whether the message's own bytes went out, under a signature."""
    return any(SIGNATURE in one.sent_headers for one in attempts)


def exchange(
    message: Row,
    entry: Entry | None,
    attempts: Sequence[AttemptRow],
    *,
    receipts: Sequence[ReceiptRow],
) -> bytes:
    """Return the archive of one message."""
    files = dict(_files(message, entry, attempts, receipts=receipts))
    lines = (f"{hashlib.sha256(body).hexdigest()}  {name}\n" for name, body in files.items())
    files[MANIFEST] = "".join(lines).encode("utf-8")
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), body)
    return packed.getvalue()


def _files(
    message: Row,
    entry: Entry | None,
    attempts: Sequence[AttemptRow],
    *,
    receipts: Sequence[ReceiptRow],
) -> Iterator[tuple[str, bytes]]:
    head = HEAD.format(
        id=message.event_id, lane=message.lane, n=message.lane_seq, made=message.made_at,
        manifest=MANIFEST,
    )  # fmt: skip
    yield "README.txt", (head + (SIGNED if is_signed(attempts) else TRANSLATED)).encode("utf-8")
    if entry is not None:
        yield "entry.json", encode(entry)
    yield "message.json", message.body
    yield "attempts.json", _json([asdict(one) for one in attempts])
    for n, it in enumerate(receipts, 1):
        yield f"receipt-{n}.json", it.body
        yield f"receipt-{n}-headers.json", _json(it.headers)


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode("utf-8")
