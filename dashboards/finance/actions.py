"""Draws what may be done about a row: who clears it, the fixes that are safe, what was decided."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from markupsafe import Markup

from core.difference import MATCHED
from core.quantity import plain
from dashboards import parts
from dashboards.finance import words
from dashboards.finance.asked import ask
from dashboards.finance.compare import MatchRow
from dashboards.finance.forms import area, field_key, folded, form, hint, need_owner, select
from dashboards.finance.replace_form import replace
from dashboards.finance.report import CODES
from dashboards.finance.row_state import RowState, Surplus
from dashboards.palette import State
from dashboards.parts import heading, join, local_time, notice, paragraph
from erp.rows import Row
from erp.rows import State as Sent

RESENDABLE = (Sent.PENDING, Sent.UNKNOWN, Sent.DEAD)
LOST = "missing_in_erp"
DECIDED = {
    "message.resend-ordered": "Sent again",
    "message.skipped": "Skipped",
    "message.superseded": "Superseded",
    "posting.reversal-proposed": "Reversal proposed",
    "posting.reversal-ordered": "Reversal ordered",
    "posting.replacement-proposed": "Posting anew proposed",
    "posting.replacement-ordered": "Posting anew ordered",
}
type Opens = Callable[[str, str], Markup]
type Name = Callable[[str], str]


def actions(
    row: MatchRow, state: RowState, *, zone: ZoneInfo, name: Name, opens: Opens, resend: bool
) -> Markup:
    """Return owner, fixes and decisions of a row; `resend` unfolds that form."""
    owner = Markup("") if row.match_class == MATCHED else _owner(state, zone, name)
    fixes = [
        _resend(row, state, unfolded=resend),
        _skip(state),
        _supersede(state),
        *(_reverse(one, state, name) for one in state.surplus),
        replace(row, state, name),
        _link(state),
        ask(row, state, zone=zone, name=name),
    ]
    given = [one for one in fixes if one]
    if not given and row.match_class not in words.AGREEING + words.WAITING:
        given = [paragraph(f"Nothing can be mended from here. {words.of(row.match_class).step}")]
    head = heading("Fixes", 3) if given else Markup("")
    return join(owner, head, *given, _history(state, zone, name))


def _owner(state: RowState, zone: ZoneInfo, name: Name) -> Markup:
    known = state.difference
    form = _assign(state)
    if known is None or known.owner is None or known.code is None:
        says = "Its period is signed only when it has an owner and a reason."
        intro = notice(State.NEAR, "Nobody clears it yet.", says)
        return join(heading("Who clears it", 3), intro, form)
    told = [
        ("Owner", name(known.owner)),
        ("Reason", CODES[known.code]),
        ("Note", known.note),
        *([("Deviation", known.deviation)] if known.deviation else []),
        ("Assigned", f"by {name(known.assigned_by or '')}, {local_time(known.assigned_at, zone)}"),
    ]
    changing = folded("assign", "Change owner, reason or note …", form)
    return join(
        heading("Who clears it", 3),
        Markup('<div data-testid="owner">{}</div>').format(parts.facts(told)),
        changing,
    )


def _assign(state: RowState) -> Markup:
    known = state.difference
    owner = select(
        state, "owner", state.people, label="Owner", chosen=known.owner if known else "",
        none="Choose a person",
    )  # fmt: skip
    codes = ((str(code), text) for code, text in CODES.items())
    chosen = str(known.code) if known and known.code else ""
    code = select(state, "code", codes, label="Reason", chosen=chosen, none="Choose a root cause")
    deviation = Markup(
        '<label>Deviation, if any<input name="deviation" data-key="{}" '
        'maxlength="64" autocomplete="off" value="{}"></label>'
    ).format(field_key(state, "deviation"), (known.deviation if known else None) or "")
    note = area(state, "note", "Note: what is known, what is done", field="note")
    return form("assign", "Assign", owner, code, deviation, note)


def _resend(row: MatchRow, state: RowState, *, unfolded: bool) -> Markup:
    message = state.message
    if message is None:
        return Markup("")
    is_lost = message.state is Sent.DONE and row.match_class == LOST
    if message.state not in RESENDABLE and not is_lost:
        return Markup("")
    step = words.step_for(message.last_code) if message.state is Sent.DEAD else ""
    says = (
        f"Message {message.lane} number {message.lane_seq}: the same"
        f" {words.count(len(message.body), 'byte')} under the same key {message.event_id}. What the"
        " ERP has already, it does not book twice."
    )
    why = area(state, "resend", "Why it is sent again")
    made = form("resend", "Resend now", paragraph(says), hint(step), why, busy="Sending …")
    return folded("resend", "Resend, same key …", made, unfolded=unfolded)


def _skip(state: RowState) -> Markup:
    if state.message is None or state.message.state is not Sent.DEAD:
        return Markup("")
    says = (
        "The ERP refused this message, and it is not to be booked there. The next message of its"
        " order goes on; this row keeps its class and your signature."
    )
    why = area(state, "skip", "Why it is not sent")
    made = form("skip", "Sign: skip it …", paragraph(says), why, need_owner(state))
    return folded("skip", "Skip this message …", made)


def _supersede(state: RowState) -> Markup:
    if state.message is None or state.message.state is not Sent.DEAD or not state.later:
        return Markup("")
    says = (
        "A later message of the same order tells what this one could not, such as a weighing that"
        " was taken back and done again."
    )
    choices = ((one.event_id, _named(one)) for one in state.later)
    instead = select(
        state, "instead", choices, label="Message that stands for it", none="Choose one"
    )
    why = area(state, "supersede", "Why it stands for this one")
    made = form(
        "supersede", "Sign: supersede it …", paragraph(says), instead, why, need_owner(state)
    )
    return folded("supersede", "Supersede this message …", made)


def _named(it: Row) -> str:
    return f"number {it.lane_seq}: {words.type_words(it.type)}, {words.SENT[it.state][1].lower()}"


def _reverse(it: Surplus, state: RowState, name: Name) -> Markup:
    title = f"Reverse document {it.name} in the ERP …"
    if it.ordered is not None:
        return _ordered(it, state, name)
    if not state.reversible:
        text = "This ERP takes no reversal from here. Ask its keeper to reverse it there."
        return notice(State.INFO, f"Document {it.name}.", text)
    says = (
        "No fact of the floor stands behind this document, so the ERP reverses it line by line."
        " Stock moves there: two people sign."
    )
    hidden = Markup('<input type="hidden" name="document" value="{}">').format(it.name)
    key = f"reverse-{it.name}"
    if it.proposed_by is None:
        why = area(state, key, "Why it is one too many", field="why")
        label = "Sign the proposal …"
        made = form("reverse", label, paragraph(says), hidden, why, need_owner(state))
        return folded(key, title, made)
    told = f"{name(it.proposed_by)} has proposed it. Another person of finance, QA or the floor's"
    why = area(state, key, "What the second person checked", field="why")
    made = form(
        "reverse", "Second person: sign …", paragraph(f"{told} supervisors agrees here."), hidden,
        why,
    )  # fmt: skip
    return folded(key, f"Agree to reverse document {it.name} …", made, unfolded=True)


def _ordered(it: Surplus, state: RowState, name: Name) -> Markup:
    assert it.ordered is not None
    by = f"Signed by {name(it.ordered.by)}, entry {words.number(it.ordered.seq)}."
    if it.message is None:
        return notice(State.INFO, f"Document {it.name} is to be reversed.", f"{by} Its message is "
                      "about to be made.")  # fmt: skip
    tone, word = words.SENT[it.message.state]
    if it.message.state is not Sent.DEAD:
        return notice(tone, f"Reversal of document {it.name}: {word.lower()}.", by)
    hidden = Markup('<input type="hidden" name="message" value="{}">').format(it.message.event_id)
    why = area(state, f"again-{it.name}", "Why it is sent again")
    step = words.step_for(it.message.last_code)
    made = form("resend", "Resend now", hidden, hint(step), why, busy="Sending …")
    says = f"{it.message.last_error or it.message.last_code or ''} {by}"
    head = notice(State.BAD, f"The ERP refused to reverse document {it.name}.", says)
    drop = area(state, f"drop-{it.name}", "Why it is not sent")
    told = paragraph("It stands in its order's way. Given up, the document stays as it is there.")
    give_up = form("skip", "Sign: skip it …", told, hidden, drop)
    return join(
        head,
        folded(f"again-{it.name}", "Resend the reversal …", made),
        folded(f"drop-{it.name}", "Skip the reversal …", give_up),
    )


def _link(state: RowState) -> Markup:
    if state.mes_order is None:
        return Markup("")
    says = (
        f"Order {state.mes_order} was opened here. Linked to the ERP's order for the same work, it"
        " is told to the ERP from its first fact on."
    )
    if not state.orders:
        none = "The ERP has sent no waiting order for the same product and quantity yet."
        return notice(State.INFO, f"Order {state.mes_order} is not linked.", f"{says} {none}")
    choices = (
        (one.order, f"{one.order}: {plain(one.quantity)} {one.unit} of {one.product}")
        for one in state.orders
    )
    order = select(state, "erp_order", choices, label="ERP order", none="Choose one")
    why = area(state, "link", "Why these two are the same work")
    made = form("link", "Link the orders", paragraph(says), order, why)
    return folded("link", f"Link order {state.mes_order} to an ERP order …", made)


def _history(state: RowState, zone: ZoneInfo, name: Name) -> Markup:
    known = state.difference
    if known is None or not (known.decided or known.signatures):
        return Markup("")
    decided = [
        (
            join(DECIDED.get(one.type, one.type), _sub(one.document or one.instead)),
            name(one.by),
            local_time(one.at, zone),
            one.why,
            words.number(one.seq),
        )
        for one in known.decided
    ]
    signed = [
        (f"{one.name} ({one.person})", one.meaning, local_time(one.at, zone), one.words)
        for one in known.signatures
    ]
    table = parts.table(
        "What was decided", ("Decision", "By", "At", "Why", "Entry"), decided, numbers=("Entry",),
        testid="decided",
    )  # fmt: skip
    if not signed:
        return table
    head = ("Signed by", "Meaning", "At", "Words")
    return join(table, parts.table("Signatures", head, signed, testid="signatures"))


def _sub(text: str | None) -> Markup:
    return Markup("") if not text else Markup('<span class="sub">{}</span>').format(text)
