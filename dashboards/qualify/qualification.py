"""One qualification: IQ of machine and plant data, OQ on a scratch plant, and what came out.

A part that cannot begin is not run, with the reason; nothing of it is counted as passed.
"""

import getpass
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from core.clock import iso, now
from core.errors import MesError
from core.ledger.checkpoint import LogKey, load_key
from core.ledger.rotation import read_verifier
from core.ledger.store import open_ledger
from dashboards.qualify import machine, operation, own_files, plant_data
from dashboards.qualify.machine import Install
from dashboards.qualify.requirements import FOR_PEOPLE, TITLES
from dashboards.qualify.scratch import PACK, Scratch, scratch_plant
from dashboards.qualify.script import Outcome, Result, Script, not_run, run

FORMAT = 1


class Part(StrEnum):
    """What to run."""

    IQ = "IQ"
    OQ = "OQ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked for.

    `data` with its `store` is the plant that IQ reads; without one it reads the scratch plant.
    `database` is an empty PostgreSQL database for the scratch plant's ledger.
    """

    plant: str = PACK
    data: Path | None = None
    store: str | None = None
    database: str | None = None
    only: Part | None = None
    by: str = ""


class NotEmpty(MesError):
    """The database named for the scratch plant holds something."""

    def __init__(self, entries: int) -> None:
        super().__init__(
            f"--postgres: that database holds {entries} entries already. Name an empty one; the"
            " scratch plant never shares a database with a plant."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Qualified:
    """What came out. `key` signs the evidence; `scratch` is the scratch plant's export, if any."""

    asked: Asked
    results: tuple[Result, ...]
    key: LogKey
    whose_key: str
    scratch: Path | None
    started_at: datetime
    ended_at: datetime

    @property
    def counts(self) -> dict[str, int]:
        """How many tests ended how."""
        found = Counter(one.outcome for one in self.results)
        return {one.value: found[one] for one in Outcome}

    @property
    def holds(self) -> bool:
        """Whether every test was run and passed."""
        return all(one.outcome is Outcome.PASSED for one in self.results)


def plant_key(data: Path) -> LogKey:
    """Return the key of a plant's log, which signs the evidence.

    Raises:
        OSError, ValueError, MesError: it is not there, or not to be read by who runs this.
    """
    verifier = read_verifier(data / "keys")
    return load_key(data / "keys" / "log.key", verifier.name)


def qualify(asked: Asked, folder: Path, say: Callable[[str], None]) -> Qualified:
    """Run what was asked for; `folder` is empty, for the scratch plant and what it exports.

    Raises:
        MesError, OSError, ValueError: it cannot begin; the sentence says why.
    """
    started_at, results = now(), list[Result]()
    key = plant_key(asked.data) if asked.data is not None else None
    whose = "the plant's log key"
    _check_empty(asked.database)
    with ExitStack() as stack:
        scratch: Scratch | None = None
        why = ""
        if asked.data is None or asked.only is not Part.IQ:
            say("making a scratch plant: ledger, people, scale, server")
            try:
                scratch = stack.enter_context(
                    scratch_plant(folder / "plant", database=asked.database)
                )
            except Exception as fault:  # then nothing on it is run, and the report says why
                why = f"The scratch plant did not start: {type(fault).__name__}: {fault}"
                say(why)
        if key is None:
            key = plant_key(folder / "plant")
            whose = "the scratch plant's log key, made for this run"
        if asked.only is not Part.OQ:
            results += _installed(asked, folder / "plant", say)
        if asked.only is not Part.IQ:
            results += _each(operation.SCRIPTS, scratch, say, why=why)
        exported = folder / "out" / "ledger"
        return Qualified(
            asked=asked, results=tuple(sorted(results, key=lambda one: one.script.id)), key=key,
            whose_key=whose, scratch=exported if exported.is_dir() else None,
            started_at=started_at, ended_at=now(),
        )  # fmt: skip


def _check_empty(database: str | None) -> None:
    if database is None:
        return
    ledger, size = open_ledger(database), 0
    try:
        with suppress(MesError):  # no tables yet
            size = ledger.size()
    finally:
        ledger.close()
    if size:
        raise NotEmpty(size)


def _installed(asked: Asked, scratch: Path, say: Callable[[str], None]) -> Iterator[Result]:
    data = asked.data or scratch
    it = Install(
        plant=asked.plant,
        data=data,
        store=asked.database if asked.data is None else asked.store,
    )
    yield from _each(machine.SCRIPTS, it, say)
    yield from _each(plant_data.SCRIPTS, it, say)


def _each[Where](
    scripts: Sequence[Script[Where]],
    where: Where | None,
    say: Callable[[str], None],
    *,
    why: str = "",
) -> Iterator[Result]:
    for one in scripts:
        began = time.monotonic()
        result = not_run(one, why) if where is None else run(one, where)
        after = f": {result.why}" if result.why else ""
        say(
            f"{one.id} {result.outcome.value.upper() if after else 'passed'}"
            f" {time.monotonic() - began:5.1f} s  {one.title}{after}"
        )
        yield result


def as_json(it: Qualified) -> dict[str, Any]:
    """Return all that is in the evidence as plain values."""
    asked = it.asked
    return {
        "format": FORMAT,
        "made_at": iso(it.ended_at),
        "started_at": iso(it.started_at),
        "seconds": round((it.ended_at - it.started_at).total_seconds(), 1),
        "version": own_files.version(),
        "by": asked.by or getpass.getuser(),
        "host": platform.node(),
        "plant": asked.plant,
        "data": None if asked.data is None else str(asked.data.resolve()),
        "oq_on": "PostgreSQL" if asked.database else "SQLite",
        "only": asked.only.value if asked.only else None,
        "holds": it.holds,
        "counts": it.counts,
        "signed_with": {"whose": it.whose_key, "vkey": it.key.vkey},
        "requirements": [
            {
                "id": name,
                "title": title,
                "clauses": sorted({c for one in shown for c in one.script.clauses}),
                "tests": [
                    {"name": f"{one.script.id} {one.script.title}", "outcome": one.outcome.value}
                    for one in shown
                ],
            }
            for name, title in TITLES.items()
            if (shown := [one for one in it.results if name in one.script.shows])
        ],
        "tests": [one.as_json() for one in it.results],
        "for_people": list(FOR_PEOPLE),
    }
