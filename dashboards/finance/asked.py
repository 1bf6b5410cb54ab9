"""Draws what finance asked the floor or QA to correct: the form, and how the request stands."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from markupsafe import Markup

from core.correction_request import CorrectionRequest, RequestState
from dashboards.finance import words
from dashboards.finance.compare import MatchRow
from dashboards.finance.forms import area, field_key, folded, form, select
from dashboards.finance.row_state import RowState
from dashboards.palette import State
from dashboards.parts import join, local_time, notice, paragraph

STATES = {
    RequestState.OPEN: (State.NEAR, "Correction asked for."),
    RequestState.MADE: (State.OK, "Corrected as asked."),
    RequestState.DECLINED: (State.BAD, "Not corrected."),
}

type Name = Callable[[str], str]


def ask(row: MatchRow, state: RowState, *, zone: ZoneInfo, name: Name) -> Markup:
    """Return how a row's request stands, and the form for one where none is open."""
    if row.fact is None or row.fact.quantity is None:
        return Markup("")
    before = state.asked
    told = Markup("") if before is None else stands(before, zone=zone, name=name)
    if (before is not None and before.is_open) or row.match_class in words.AGREEING:
        return told
    says = paragraph(
        "If the ledger is wrong and the ERP is right, the floor corrects its own entry"
        f" {words.number(row.fact.entry_seq)}: a weighing is taken back at the kiosk and done"
        " again, after release QA reopens the batch. Its reversal goes to the ERP by itself. Nobody"
        " of finance changes what the floor recorded."
    )
    to = select(state, "to", state.correctors, label="Who corrects it", none="Choose a person")
    due = Markup(
        '<label>Until<input name="due_on" size="11" maxlength="10" placeholder="YYYY-MM-DD" '
        'pattern="[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}" title="A date as 2026-11-23" '
        'autocomplete="off" data-key="{}" required></label>'
    ).format(field_key(state, "due_on"))
    what = area(state, "ask", "What is to be corrected, and why", field="what")
    made = form("ask", "Ask for the correction", says, to, due, what)
    return join(told, folded("ask", "Ask the floor or QA to correct its entry …", made))


def stands(it: CorrectionRequest, *, zone: ZoneInfo, name: Name) -> Markup:
    """Return how a request stands, as a notice."""
    tone, word = STATES[it.state]
    asked = (
        f"{name(it.asked_by)} asked {name(it.to)} to correct entry {words.number(it.entry)} until"
        f" {it.due_on.isoformat()}: {it.what}"
    )
    if it.answered_at is None:
        return notice(tone, word, asked)
    by = f"{name(it.answered_by or '')}, {local_time(it.answered_at, zone)}"
    return notice(tone, word, f"{asked} Answer of {by}: {it.answer}")
