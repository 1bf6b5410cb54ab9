"""Rows of a signed period, kept outside the ledger under the digest that its entry holds.

A row is one line of JSON: what each side says, the row's class, and who clears it and why; nothing
that moves by itself such as its age. Files are made whole and never changed; their name is their
SHA-256.
"""

import json
import os
import secrets
from collections.abc import Collection, Iterable
from contextlib import suppress
from decimal import Decimal
from hashlib import sha256
from itertools import batched
from pathlib import Path
from typing import Any

from core.difference import NO_DIFFERENCE
from core.errors import LedgerBroken
from core.quantity import plain
from dashboards.finance.compare import MatchRow

type Record = dict[str, Any]
BATCH = 2000
NO_DIFFERENCE_SAID = tuple(f'"class":"{one}"'.encode() for one in NO_DIFFERENCE)


class RowsMissing(LedgerBroken):
    """What was signed cannot be read any more."""

    def __init__(self, digest: str, why: str) -> None:
        super().__init__(
            f"Rows {digest[:16]}…: {why}. The figures stand in the ledger; put the file back from"
            " a backup of DATA/reconciliations."
        )


def record(row: MatchRow) -> Record:
    """Return what is kept of a row, without who clears it: the same as `match_rows.sql` spells."""
    fact, message = row.fact, row.message
    first = fact or message or row.postings[0]
    return {
        "key": row.key,
        "class": row.match_class,
        "what": row.title,
        "posting_date": row.posting_date.isoformat(),
        "order": fact.order if fact else message.order if message else None,
        "erp_order": first.erp_order,
        "batch": row.batch,
        "item": first.item,
        "lot": first.lot,
        "movement": first.movement,
        "unit": first.unit,
        "floor": spelled(fact.quantity) if fact else None,
        "sent": spelled(message.quantity) if message else None,
        "booked": [
            {
                "document": one.document,
                "erp_order": one.erp_order,
                "item": one.item,
                "lot": one.lot,
                "quantity": spelled(one.quantity),
                "unit": one.unit,
                "posting_date": one.posting_date.isoformat(),
                "period": one.period,
                "gl_document": one.gl_document,
                "gl_period": one.gl_period,
            }
            for one in row.postings
        ],
        "differs": list(row.differs),
        "entry": row.entry_seq,
        "message": row.event_id,
        "state": str(message.state) if message else None,
    }


def spelled(value: Decimal | None) -> str | None:
    """Return a quantity in one spelling, however many zeros it was read with.

    >>> spelled(Decimal("2.4000")), spelled(Decimal("-0.0")), spelled(Decimal("1E+3"))
    ('2.4', '0', '1000')
    """
    if value is None:
        return None
    text = plain(value)
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _bytes(it: Record) -> bytes:
    return json.dumps(it, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def is_open(line: bytes) -> bool:
    """Return whether a kept row is a difference, by a look at its text.

    >>> is_open(b'{"class":"late","key":"x"}'), is_open(b'{"class":"matched","key":"x"}')
    (True, False)
    """
    return not any(said in line for said in NO_DIFFERENCE_SAID)


def row_sha256(row: MatchRow) -> str:
    """Return the digest of one row as it would be kept."""
    return sha256(_bytes(record(row))).hexdigest()


class KeptRows:
    """The folder of signed rows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, rows: Iterable[bytes]) -> str:
        """Write rows, one JSON text each, durably; return their digest, by which they are found."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        digest, draft = sha256(), self._folder / f".{secrets.token_hex(8)}"
        try:
            with draft.open("xb") as file:
                for some in batched(rows, BATCH):
                    lines = b"\n".join(some) + b"\n"
                    digest.update(lines)
                    file.write(lines)
                file.flush()
                os.fsync(file.fileno())
            name = digest.hexdigest()
            draft.replace(self._path(name))
        finally:
            draft.unlink(missing_ok=True)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return name

    def body(self, digest: str) -> bytes:
        """Return the rows that were kept, one a line, after checking every byte of them.

        Raises:
            RowsMissing: they are not there, or not what was signed.
        """
        try:
            found = self._path(digest).read_bytes()
        except OSError as fault:
            raise RowsMissing(digest, "cannot be read") from fault
        if sha256(found).hexdigest() != digest:
            raise RowsMissing(digest, "are not what was signed")
        return found

    def forget(self, signed: Collection[str], *, before: float) -> None:
        """Remove what was kept before an instant, in seconds since 1970, and is not signed."""
        for path in self._folder.glob("*.jsonl"):
            with suppress(FileNotFoundError):  # another process may have removed it
                if path.stem not in signed and path.stat().st_mtime < before:
                    path.unlink()

    def _path(self, digest: str) -> Path:
        return self._folder / f"{digest}.jsonl"
