"""A ledger written anew with other content, by somebody who has the log's key and hides nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from core.clock import parse_iso
from core.ledger.entry import Entry
from core.ledger.job import Job
from core.ledger.writer import Decision, Draft
from tests.ledgers import writing

type Change = Callable[[Entry], dict[str, Any] | None]


def relogged(entries: Iterable[Entry], path: Path, change: Change) -> Path:
    """Append entries to a new ledger; `change` returns another body, or None to leave one out.

    What is not changed, nor follows something changed in its stream, keeps its bytes.
    """
    with writing(path) as writer:
        for idem, some in groupby(entries, key=lambda one: one.idem):
            of_one = list(some)
            drafts = tuple(
                Draft(one.stream, one.type, one.v, data, one.reason)
                for one in of_one
                if (data := change(one)) is not None
            )

            def decide(_view: object, drafts: tuple[Draft, ...] = drafts) -> Decision:
                return Decision(drafts)

            first, digest = of_one[0], hashlib.sha256(str(idem).encode()).hexdigest()
            at = partial(parse_iso, first.at)
            job = Job(str(idem), digest, first.actor, first.station, at, decide)
            writer.submit(job).result(20)
    return path
