"""What finance reads: the classes of the match, states of a message, causes and next steps."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from core.quantity import plain
from dashboards.palette import State
from erp.messages import OUR_UNITS
from erp.rows import State as Sent


@dataclass(frozen=True, slots=True)
class ClassWords:
    """One class of the match in words."""

    label: str
    state: State
    means: str
    step: str


# Order of the cards: what agrees, what is under way, what nobody could compare, then differences.
CLASSES: dict[str, ClassWords] = {
    "matched": ClassWords(
        "Matched", State.OK, "Floor, message and ERP say the same.", "Nothing to do."
    ),
    "in_flight": ClassWords(
        "In flight",
        State.INFO,
        "The message is on its way; its time is not over.",
        "Wait. See the link to the ERP where it takes long.",
    ),
    "not_compared": ClassWords(
        "Not compared",
        State.UNKNOWN,
        "One side could not be read. That is no agreement.",
        "See why; it is compared again as soon as that side answers.",
    ),
    "missing_in_erp": ClassWords(
        "Missing in ERP",
        State.BAD,
        "The floor did it, the ERP's books do not have it.",
        "Open the row: resend the message, or mend what the ERP refused.",
    ),
    "missing_in_mes": ClassWords(
        "Missing in MES",
        State.BAD,
        "The ERP has a posting that the floor never made.",
        "Ask who posted it by hand; reverse it in the ERP, or record the fact.",
    ),
    "duplicate": ClassWords(
        "Posted twice",
        State.BAD,
        "The ERP's books have the same movement more than once.",
        "Reverse the second document in the ERP.",
    ),
    "qty_mismatch": ClassWords(
        "Quantity differs",
        State.BAD,
        "The quantities are not equal.",
        "Compare the three sides; reverse the wrong posting and post again.",
    ),
    "rounding": ClassWords(
        "Rounded",
        State.NEAR,
        "The ERP keeps fewer digits of the unit; less than one of its smallest steps is between.",
        "Widen the unit's digits in the ERP; see the sum of what was rounded.",
    ),
    "uom_mismatch": ClassWords(
        "Unit differs",
        State.BAD,
        "The units are not the same.",
        "Correct the item's base unit in the ERP, then reverse and post again.",
    ),
    "lot_mismatch": ClassWords(
        "Lot differs",
        State.BAD,
        "The ERP booked another lot.",
        "Reverse the posting and post again; the floor's lot was scanned.",
    ),
    "item_mismatch": ClassWords(
        "Item differs",
        State.BAD,
        "The ERP booked another item.",
        "Check the item numbers of both sides, then reverse and post again.",
    ),
    "wrong_order": ClassWords(
        "Wrong order",
        State.BAD,
        "The ERP booked it on another order.",
        "Reverse the posting and post again.",
    ),
    "wrong_period": ClassWords(
        "Wrong period",
        State.BAD,
        "Stock and general ledger, or the posting date, are in different periods.",
        "Ask the ERP's keeper; a period may have been closed in between.",
    ),
    "gl_missing": ClassWords(
        "No GL entry",
        State.BAD,
        "Stock moved in the ERP without a general ledger entry.",
        "Ask the ERP's keeper to check the account assignment of the item.",
    ),
    "gl_orphan": ClassWords(
        "GL without stock",
        State.BAD,
        "The general ledger has an entry without a stock movement.",
        "Ask the ERP's keeper; reverse the entry.",
    ),
    "late": ClassWords(
        "Posted late",
        State.NEAR,
        "Equal on all sides, but booked after the cut-off.",
        "Accept it, or move it to the right period in the ERP.",
    ),
    "changed_after_post": ClassWords(
        "Changed after posting",
        State.BAD,
        "The ERP's books no longer say what its signed receipt said.",
        "Ask who changed it; the receipt in this row is the proof.",
    ),
    "reversed_one_side": ClassWords(
        "Reversed on one side",
        State.BAD,
        "One side took it back, the other did not.",
        "Ask which is so: post again from here, or take it back on the floor.",
    ),
    "order_state": ClassWords(
        "Order still open",
        State.NEAR,
        "The floor has completed the order and the ERP has it booked, yet its order is open.",
        "Close the order in the ERP; until then it takes more postings.",
    ),
}
UNKNOWN_CLASS = ClassWords("Unclassed", State.UNKNOWN, "A class without words.", "Call support.")
AGREEING = ("matched",)
WAITING = ("in_flight", "not_compared")


def of(match_class: str) -> ClassWords:
    """Return the words of a class."""
    return CLASSES.get(match_class, UNKNOWN_CLASS)


SENT: dict[Sent, tuple[State, str]] = {
    Sent.PENDING: (State.INFO, "Waiting"),
    Sent.SENDING: (State.INFO, "Being sent"),
    Sent.UNKNOWN: (State.NEAR, "Answer lost"),
    Sent.ACCEPTED: (State.INFO, "Taken, not posted"),
    Sent.DEAD: (State.BAD, "Refused"),
    Sent.DONE: (State.OK, "Receipted"),
    Sent.SUPERSEDED: (State.HELD, "Superseded"),
    Sent.SKIPPED: (State.HELD, "Skipped"),
}

TYPES = {
    "mes.work_order_started.v1": "Order started",
    "mes.material_consumed.v1": "Material consumed",
    "mes.material_returned.v1": "Material returned",
    "mes.scrap_recorded.v1": "Scrap recorded",
    "mes.finished_goods_produced.v1": "Goods produced",
    "mes.batch_released.v1": "Batch released",
    "mes.batch_rejected.v1": "Batch rejected",
    "mes.work_order_completed.v1": "Order completed",
    "mes.posting_reversed.v1": "Posting reversed",
    "mes.document_reversed.v1": "Document reversed",
}

# What the ERP refused -> what a person does next; the message keeps its key and its bytes.
STEPS = {
    "order_unknown": "Create the order in the ERP, or correct its number there; then resend.",
    "order_closed": "Reopen the order in the ERP, then resend.",
    "order_locked": "Unlock the order in the ERP, then resend.",
    "order_not_released": "Release the order in the ERP, then resend.",
    "order_wrong": "Correct the order's product in the ERP, then resend.",
    "period_closed": "Open the period in the ERP, then resend.",
    "period_missing": "Create the period in the ERP, then resend.",
    "date_in_future": "Wait until the day has begun in the ERP, or set its clock; then resend.",
    "item_wrong": "Correct the item in the ERP, then resend.",
    "item_unknown": "Create the item in the ERP, then resend.",
    "lot_unknown": "Receive the lot in the ERP, then resend.",
    "lot_missing": "Ask the floor for the lot and enter a correction.",
    "unit_wrong": "Correct the item's unit in the ERP, then resend.",
    "stock_short": "Receive or move the stock in the ERP, then resend.",
    "quantity_wrong": "Compare with the ERP's rule for quantities; enter a correction.",
    "scale_exceeded": "Give the unit more decimals in the ERP, then resend.",
    "movement_unknown": "Add the movement type in the ERP, then resend.",
    "does_not_fit": "The ERP's field is too small: widen it, or change its profile, then resend.",
    "key_reused": "Stop and call IT security: this key was used for other bytes.",
    "original_unknown": "Resend the message that this one reverses, then this one.",
    "document_unknown": "Look in the ERP's books: the document to undo is not there.",
    "not_reversible": "Reverse it in the ERP by hand, then settle this message on Reconcile.",
    "reverse_by_message": "Reverse it in the ERP by hand, then settle this message on Reconcile.",
    "already_reversed": "Nothing: the ERP has the reversal. Ask IT to settle this message.",
    "reversal_differs": "Compare both documents in the ERP; enter a correction.",
    "erp_rule": "Read the ERP's own words beside this, mend the cause there, then resend.",
    "field_missing": "Fill the field that the cause names in the ERP, then resend.",
    "type_unknown": "Ask the ERP's team: its bridge is older than this plant's contract.",
    "too_many_tries": "Look in the ERP's own queue why it gave up, then resend.",
    "attempts_used_up": "Check that the ERP answers, then resend.",
    "redirected": "Correct the ERP's address in the plant's settings, then resend.",
    "digest_mismatch": "Stop and call IT security: the bytes were changed on the way.",
    "key_mismatch": "Stop and call IT security: something between us changes headers.",
    "contract_broken": "Ask the ERP's team: its contract is older than this plant's.",
}
OTHERWISE = "Mend the cause in the ERP, then resend: same key, same bytes."


def step_for(code: str | None) -> str:
    """Return what to do about a refusal."""
    return STEPS.get(code or "", OTHERWISE)


def type_words(kind: str) -> str:
    """Return a message type in words.

    >>> type_words("mes.material_consumed.v1"), type_words("mes.other_thing.v1")
    ('Material consumed', 'Other thing')
    """
    plainly = kind.removeprefix("mes.").rpartition(".")[0].replace("_", " ").capitalize()
    return TYPES.get(kind, plainly or kind)


def quantity(value: Decimal | None, unit: str | None) -> str:
    r"""Return a quantity with its unit, or a dash for none.

    >>> quantity(Decimal("1.8090"), "KGM"), quantity(Decimal("98500"), "C62")
    ('1.809 kg', '98\u202f500 EA')
    >>> quantity(None, None)
    '–'
    """
    if value is None:
        return "\u2013"
    text = plain(abs(value))
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    whole, point, rest = text.partition(".")
    grouped = f"{int(whole):,}".replace(",", "\u202f")
    mark = "\u2212" if value < 0 else ""
    named = OUR_UNITS.get(unit or "", unit or "")
    return f"{mark}{grouped}{point}{rest} {named}".strip()


def span(age: timedelta) -> str:
    """Return an age in words, its two largest parts.

    >>> span(timedelta(minutes=58, seconds=3)), span(timedelta(seconds=4))
    ('58 min', '4 s')
    >>> span(timedelta(hours=26)), span(timedelta(hours=3, minutes=7))
    ('1 d 2 h', '3 h 7 min')
    >>> span(timedelta(hours=1))
    '1 h'
    """
    seconds = max(0, int(age.total_seconds()))
    days, hours = divmod(seconds // 3600, 24)
    minutes = seconds // 60 % 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else f"{seconds} s"


def within(label: str) -> str:
    """Return a label as it stands within a sentence.

    >>> within("Missing in ERP"), within("GL without stock")
    ('missing in ERP', 'GL without stock')
    """
    return label if label[1:2].isupper() else label[:1].lower() + label[1:]


def count(n: int, one: str, many: str = "") -> str:
    """Return a number with its noun.

    >>> count(1, "message"), count(41, "message"), count(2, "entry", "entries")
    ('1 message', '41 messages', '2 entries')
    """
    words = one if n == 1 else many or one + "s"
    return f"{number(n)} {words}"


def number(n: int) -> str:
    """Return a count with a thin space between thousands."""
    return f"{n:,}".replace(",", "\u202f")
