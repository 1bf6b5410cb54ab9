"""The differences that somebody was asked to clear, for the first page of whoever it is."""

from typing import Any

from core.difference import MATCHED, Difference
from core.execution import Execution
from dashboards.finance import words
from dashboards.finance.report import CODES
from dashboards.finance.view import Ask
from dashboards.waiting import Section, Task

LIMIT = 200  # differences looked at, those that changed last


def owned(execution: Execution, person: str) -> list[Difference]:
    """Return a person's differences among those that changed last."""
    rows = execution.nouns.rows(Difference.KIND, LIMIT)
    return [row.state for row in rows if row.state.owner == person]


def to_clear(execution: Execution, person: str, reader: Any) -> list[Section]:
    """Return what a person still has to clear; nothing where all of it matches by now.

    Without a reading of the match a difference stands as it was when somebody last acted on it.
    """
    mine = owned(execution, person)
    if not mine:
        return []
    now = {one.difference: one.match_class for one in mine}
    if reader is not None and reader.newest is not None:
        with reader.reading() as found:
            rows = {key: found.row(key) for key in now}
        now = {key: MATCHED if row is None else row.match_class for key, row in rows.items()}
    tasks = tuple(_task(one, now[one.difference]) for one in mine if now[one.difference] != MATCHED)
    if not tasks:
        return []
    return [Section(title="Differences you clear", tasks=tasks, empty="")]


def _task(it: Difference, match_class: str) -> Task:
    about = words.of(match_class)
    return Task(
        title=about.label,
        href=Ask(row=it.difference).url(),
        tone=about.state,
        word=CODES[it.code] if it.code else "",
        lines=(it.note, f"Row {it.difference}"),
    )
