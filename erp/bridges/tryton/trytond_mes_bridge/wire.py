# SPDX-License-Identifier: GPL-3.0-or-later
"""Signatures, refusals and units of the contract; knows nothing of Tryton's models.

A message is signed by HMAC-SHA256 over `<id>.<unix seconds>.<body>`; so is the receipt, with the
secret of the other direction.
"""

import base64
import binascii
import hashlib
import hmac
import json
import time
from decimal import Decimal, InvalidOperation

TOLERANCE_S = 300
LARGEST = 1_048_576
CODES = {"KGM": "kg", "GRM": "g", "LTR": "l", "C62": "u"}
SYMBOLS = {symbol: code for code, symbol in CODES.items()}


class Refusal(Exception):
    """The ERP's own rules say no; `code` is for the caller's program, `detail` for a person."""

    def __init__(self, code, detail, status=422):
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.status = status


def secret_keys(text):
    """Return the keys of one or more secrets, one a line."""
    found = []
    for secret in (text or "").split():
        if not secret.startswith("whsec_"):
            raise ValueError("a secret of mes_bridge must begin with whsec_")
        found.append(base64.b64decode(secret[6:], validate=True))
    if not found:
        raise ValueError("mes_bridge needs event_secrets and receipt_secret in trytond.conf")
    return found


def _mark(key, name, stamp, body):
    base = f"{name}.{stamp}.".encode("ascii") + body
    return base64.b64encode(hmac.new(key, base, hashlib.sha256).digest()).decode("ascii")


def verified(headers, body, keys):
    """Return the id of a signed message, or refuse it before anything is parsed."""
    name = headers.get("webhook-id", "")
    stamp = headers.get("webhook-timestamp", "")
    marks = headers.get("webhook-signature", "").split(" ")
    if not name or not name.isascii() or not stamp.isascii() or not stamp.isdigit():
        raise Refusal("signature_refused", "A signature header is missing or malformed.", 401)
    if abs(time.time() - int(stamp[:18])) > TOLERANCE_S:
        raise Refusal("signature_refused", "Signed too long ago, or by another clock.", 401)
    expected = [f"v1,{_mark(key, name, stamp, body)}" for key in keys]
    # Every pair is compared: the time taken must not tell which one came close.
    matches = [hmac.compare_digest(one, mark) for one in expected for mark in marks]
    if not any(matches):
        raise Refusal("signature_refused", "No signature matches a live secret.", 401)
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode("ascii")
    if headers.get("content-digest") != f"sha-256=:{digest}:":
        raise Refusal("digest_mismatch", "Content-Digest does not match the body.", 400)
    if headers.get("idempotency-key") != f'"{name}"':
        raise Refusal("key_mismatch", "Idempotency-Key and webhook-id differ.", 400)
    return name


def signed(name, body, key):
    """Return the headers that sign a receipt."""
    stamp = str(int(time.time()))
    return {
        "webhook-id": name,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{_mark(key, name, stamp, body)}",
    }


def parsed(body, name):
    """Return the message in a body whose signature holds."""
    try:
        message = json.loads(body)
        data = message["data"]
        lines = data["lines"]
        known = all(isinstance(line, dict) for line in lines)
    except (ValueError, KeyError, TypeError, binascii.Error) as fault:
        raise Refusal("contract_broken", f"The body is no message: {fault}.", 400) from fault
    if message.get("id") != name:
        raise Refusal("key_mismatch", "The event's id and webhook-id differ.", 400)
    if not known or not isinstance(data.get("order"), dict):
        raise Refusal("contract_broken", "The body is no message of the contract.", 400)
    return message


def own(posting):
    """Return how a posting is named as a document: its number is no stock move's."""
    return f"MES{posting.id}"


def entry_name(entry):
    """Return how an entry of the general ledger is named as a document."""
    return f"GL{entry.number or entry.id}"


def exact(line):
    """Return a line's quantity, digit by digit as it was sent."""
    try:
        return Decimal(line["quantity"])
    except (KeyError, TypeError, InvalidOperation) as fault:
        raise Refusal("contract_broken", "quantity is no decimal text.", 400) from fault


def plain(value, digits):
    """Return a quantity that Tryton keeps as a float, as the exact text of its unit's digits."""
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
