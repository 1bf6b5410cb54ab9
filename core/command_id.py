"""The id of a command, made where the command is made."""

import os
import time
from hashlib import blake2b
from itertools import count
from secrets import token_bytes

_numbers = count()
_key = token_bytes(32)


def new_command_id() -> str:
    """Return an id that nobody else makes or guesses: the moment in ms, then 80 bits, in hex.

    Ids made one after another lie side by side in the index of receipts, so that a group of
    commands changes a page of it or two, and not a page for each. The moment is no evidence and
    is read by nobody.

    The bits are a keyed hash of this process's own count. To ask the system for random bytes is
    to let every other thread go first, and with many callers that cost more than to decide,
    link and hash an entry.
    """
    bits = blake2b(next(_numbers).to_bytes(8), key=_key, digest_size=10)
    return f"{time.time_ns() // 1_000_000:012x}{bits.hexdigest()}"


def _forget() -> None:
    """A forked process must not make its parent's ids again."""
    global _key
    _key = token_bytes(32)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
