"""Draws how a fact is posted anew: what the ERP has against what the floor did, and who signs."""

from collections.abc import Callable

from markupsafe import Markup

from dashboards.finance import words
from dashboards.finance.compare import MatchRow
from dashboards.finance.forms import area, folded, form, need_owner
from dashboards.finance.row_state import Replaced, RowState
from dashboards.palette import State
from dashboards.parts import notice, paragraph

type Name = Callable[[str], str]


def replace(row: MatchRow, state: RowState, name: Name) -> Markup:
    """Return the form that reverses and posts again, or how far that is."""
    it = state.replaces
    if it is None or it.is_ordered:  # the reversal itself says how far it is
        return Markup("")
    if it.document is not None and not state.reversible:
        text = (
            "This ERP takes no reversal from here. Ask its keeper to reverse it there; as soon as"
            " its books say so, the fact is posted again from this row."
        )
        return notice(State.INFO, f"Document {it.document} says other than the floor.", text)
    says = paragraph(_says(row, it))
    hidden = Markup('<input type="hidden" name="document" value="{}">').format(it.document or "")
    title = "Post again …" if it.document is None else "Reverse and post again …"
    if it.proposed_by is None:
        why = area(state, "replace", "Why the floor is right and the ERP is not")
        made = form("replace", "Sign the proposal …", says, hidden, why, need_owner(state))
        return folded("replace", title, made)
    told = paragraph(
        f"{name(it.proposed_by)} has proposed it. Another person of finance, QA or the floor's"
        " supervisors agrees here."
    )
    why = area(state, "replace", "What the second person checked")
    made = form("replace", "Second person: sign …", says, told, hidden, why)
    return folded("replace", f"Agree: {title[0].lower()}{title[1:]}", made, unfolded=True)


def _says(row: MatchRow, it: Replaced) -> str:
    assert row.fact is not None, row
    fact = row.fact
    told = f"{words.quantity(fact.quantity, fact.unit)} of {fact.item}, lot {fact.lot}"
    anew = (
        f"what the floor did by entry {words.number(fact.entry_seq)}, {told}, is posted anew on"
        f" order {fact.erp_order}, with its own posting date, under a key made of the first one"
    )
    if it.document is None:
        return f"The ERP has taken its posting back. {anew[0].upper()}{anew[1:]}. Stock moves"\
               " there: two people sign."  # fmt: skip
    return (
        f"The ERP reverses its document {it.document} line by line; only when that is receipted,"
        f" {anew}. Stock moves there: two people sign."
    )
