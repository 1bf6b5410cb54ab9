"""The signatures that entries hold: what each was made over, and by whom."""

from __future__ import annotations

import hashlib
from typing import Any

from core.verify.bundle import ENCODER


def signature_fault(entry: Any, found: dict[str, list[Any]]) -> Any:  # 8.
    """What does not hold of a signature: whose it is, its statement, or what it was made over."""
    signed, seq = entry["data"]["manifest"], entry["seq"]
    digest = hashlib.sha256(ENCODER.encode(signed).encode("utf-8")).hexdigest()
    if digest != entry["data"]["manifest_sha256"] or signed["signer"] != entry["actor"]:
        return seq, "is a signature of another statement or person than it says"
    reopens = entry["stream"].startswith("amendment/") and signed["record"].startswith("batch/")
    seen = found.get(signed["record"], [])[: signed["ver"]]
    head = seen[-1][1].hex() if seen else ""
    if (signed["record"] != entry["stream"] and not reopens) or head != signed["head"]:
        return seq, "is a signature over other content than its record's"
    return None
