"""Sealed telemetry segments: one hour of one line as canonical JSON lines, compressed.

The same rows give the same bytes, so the digest in the ledger can be compared at any time.
"""

import gzip
import hashlib
import io
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A segment on disk: where it is, its SHA-256 as hex, and how many rows it holds."""

    path: Path
    sha256: str
    rows: int

    @staticmethod
    def path_of(folder: Path, line: str, hour_us: int, *, revision: int = 1) -> Path:
        """Return where a segment lies: `<line>/<UTC hour>.jsonl.gz`, later ones with `-r2`."""
        hour = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=hour_us)
        # a line's name is data: it must not lead out of the folder
        name = re.sub(r"[^A-Za-z0-9_-]", "_", line)
        suffix = "" if revision == 1 else f"-r{revision}"
        return folder / name / f"{hour:%Y-%m-%dT%H}{suffix}.jsonl.gz"


def canonical(rows: Sequence[tuple[str, dict[str, Any]]]) -> bytes:
    """Return the segment's bytes: one row a line, keys sorted, compressed without a date."""
    lines = "".join(
        json.dumps({"table": table, **row}, sort_keys=True, separators=(",", ":")) + "\n"
        for table, row in rows
    )
    out = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=out, mode="wb", compresslevel=6, mtime=0) as packed:
        packed.write(lines.encode("ascii"))
    return out.getvalue()


def write_segment(
    folder: Path, line: str, hour_us: int, *, rows: Sequence[tuple[str, dict[str, Any]]]
) -> Sealed:
    """Write a segment whole or not at all; a sealed file is never written over."""
    body = canonical(rows)
    revision = 1
    while (path := Sealed.path_of(folder, line, hour_us, revision=revision)).exists():
        if path.read_bytes() == body:
            break
        revision += 1
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        with part.open("wb") as out:
            out.write(body)
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    return Sealed(path=path, sha256=hashlib.sha256(body).hexdigest(), rows=len(rows))
