"""The Merkle tree over a log's entries (RFC 6962, RFC 9162)."""

from __future__ import annotations

import hashlib

from core.verify.log_keys import Checkpoint


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def push(nodes: list[bytes], leaf: bytes, index: int) -> None:
    """Append a leaf to the complete subtrees of a log; there are as many as the log has bits."""
    while index & 1:
        leaf, index = node(nodes.pop(), leaf), index >> 1
    nodes.append(leaf)


def root_of(nodes: list[bytes]) -> bytes:
    root = nodes[-1] if nodes else hashlib.sha256(b"").digest()
    for left in nodes[-2::-1]:
        root = node(left, root)
    return root


def climb(start: bytes, here: int, last: int, *, proof: list[bytes]) -> tuple[bytes, bytes]:
    """The roots of the log up to this node, and of the whole log (RFC 9162, 2.1.3.2, 2.1.4.2)."""
    first = second = start
    for other in proof:
        if last == 0:
            return b"", b""
        if here & 1 or here == last:
            first, second = node(other, first), node(other, second)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            second = node(second, other)
        here, last = here >> 1, last >> 1
    return (b"", b"") if last else (first, second)


def is_prefix(old: Checkpoint, new: Checkpoint, proof: list[bytes]) -> bool:
    path = proof if old.size & (old.size - 1) else [old.root, *proof]
    here, last = old.size - 1, new.size - 1
    if not path or not 0 <= here < last:
        return False
    while here & 1:
        here, last = here >> 1, last >> 1
    return climb(path[0], here, last, proof=path[1:]) == (old.root, new.root)
