"""The id of a command, made where the command is made."""

import time
from secrets import token_hex


def new_command_id() -> str:
    """Return an id that nobody else makes: the moment in milliseconds, then 80 random bits, in hex.

    Ids made one after another lie side by side in the index of receipts, so that a group of
    commands changes a page of it or two, and not a page for each. The moment is no evidence and
    is read by nobody.
    """
    return f"{time.time_ns() // 1_000_000:012x}{token_hex(10)}"
