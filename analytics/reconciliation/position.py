"""Up to where the three sides of the match were read."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Up to where the sides were read, and whether the ERP's books could be read at last.

    `outside` lines of the ERP are no business of ours. The stock of both systems was compared as of
    entry `stock_seq`.
    """

    upto_seq: int = 0
    read_at: datetime | None = None
    books_at: datetime | None = None
    read: bool = False
    stock_at: datetime | None = None
    stock_seq: int = 0
    outside: int = 0
    judged: int = 0
    number: int = 0
