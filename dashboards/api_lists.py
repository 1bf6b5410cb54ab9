"""Lists of states over REST: a page at a time, the one that changed last first."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi.responses import Response

from core.projections.nouns import Nouns, Row
from dashboards.problem import Problem

MOST = 1000
PATTERNS = {"limit": "1000|[1-9][0-9]{0,2}", "before": "[1-9][0-9]{0,15}", "open": "true"}
SAYS = {
    "limit": "a count from 1 to 1000",
    "before": "an entry's number, as the Link header of the page before names it",
    "open": "true leaves out what is over: ended, decided, answered",
}


@dataclass(frozen=True, slots=True)
class Ask:
    """Which states of a noun are asked for."""

    limit: int = MOST
    before: int | None = None
    is_open: bool = False

    def rows(self, nouns: Nouns, noun: str) -> list[Row]:
        """Return the page that is asked for, and one row more where there is one."""
        return nouns.rows(noun, self.limit + 1, before=self.before, is_open=self.is_open)

    def name_rest(self, answer: Response, noun: str, rows: Sequence[Row]) -> None:
        """Name the next page in the answer's header; `rows` are as `rows` returned them."""
        if len(rows) > self.limit:
            query = f"limit={self.limit}&before={rows[self.limit - 1].seq}"
            query += "&open=true" if self.is_open else ""
            answer.headers["link"] = f'</api/v1/{noun}?{query}>; rel="next"'


def asked(query: Sequence[tuple[str, str]]) -> Ask:
    """Return what a query asks for.

    Raises:
        Problem: it names something else, or a value that does not fit.
    """
    given = dict(query)
    if len(given) < len(query) or not given.keys() <= PATTERNS.keys():
        raise Problem(422, "malformed", f"The query: takes {', '.join(PATTERNS)}, each once.")
    for name, value in given.items():
        if not re.fullmatch(PATTERNS[name], value):
            raise Problem(422, "malformed", f"{name}: {SAYS[name]}.", field=name)
    before = given.get("before")
    return Ask(
        limit=int(given.get("limit", MOST)),
        before=None if before is None else int(before),
        is_open="open" in given,
    )
