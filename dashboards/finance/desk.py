"""What somebody of finance does about rows and periods, without any widget."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from core.command_id import new_command_id
from core.correction_request import RequestCorrection
from core.difference import AssignDifference, ReasonCode
from core.difference_fix import (
    ResendMessage,
    ReversePosting,
    SkipMessage,
    SupersedeMessage,
    reversal_words,
)
from core.difference_replace import ReplacePosting, replacement_words
from core.errors import Refused
from core.execution import Actor, Execution
from core.fact import Command
from core.order_link import LinkOrder
from dashboards.finance import words
from dashboards.finance.acts import RowActs
from dashboards.finance.compare import MatchRow
from dashboards.finance.periods import Periods
from dashboards.finance.replacing import fact_of, replacement
from dashboards.finance.report import CODES
from dashboards.finance.row_state import RowState
from dashboards.signing_act import Ask, SigningAct

SIGNED = ("skip", "supersede", "reverse", "replace")
PLAIN = ("assign", "resend", "link", "ask")
RECORDED = {
    "assign": "It is assigned.",
    "resend": "The relay sends it in its order's turn; the answer shows below.",
    "ask": "It is asked for; it waits on that person's first page and at the batch.",
    "link": "The orders are linked; what happened so far is told now.",
    "skip": "It is not sent; its order goes on.",
    "supersede": "It is not sent; its order goes on.",
    "reverse": "The signature stands. See below what is still needed.",
    "replace": "The signature stands. See below what is still needed.",
}

type Values = Mapping[str, str]


class NotFilled(Refused):
    """The form lacks what the record needs."""

    def __init__(self, field: str) -> None:
        super().__init__(f"{field}: is empty. Fill it in, then go on.", field=field)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """The row that a drawer shows, and what may be done about it."""

    row: MatchRow
    state: RowState


def said(values: Values, name: str, label: str) -> str:
    """Return what a form says, without spaces around it.

    Raises:
        NotFilled: nothing.
    """
    found = values.get(name, "").strip()
    if not found:
        raise NotFilled(label)
    return found


@dataclass(frozen=True, slots=True)
class FinanceDesk:
    """One person's acts. All of it does I/O: call it off the page's event loop."""

    execution: Execution
    actor: Actor
    rows: RowActs
    periods: Periods

    def record(self, act: str, looked: Looked, values: Values) -> str:
        """Record an act that needs no signature, and return what is said then.

        Raises:
            Refused, Conflict: a rule says no, or the form lacks something.
        """
        command = self._plain(act, looked, values)
        idem = f"finance:{new_command_id()}"
        self.execution.submit(command, actor=self.actor, idem=idem)
        self.rows.reader.wake()
        return RECORDED[act]

    def _plain(self, act: str, looked: Looked, values: Values) -> Command:
        row = looked.row
        if act == "assign":
            return self._assigning(row, values)
        if act == "resend":
            message = values.get("message") or row.message_id or ""
            return ResendMessage(
                difference=row.key,
                message=message,
                why=said(values, "why", "Why"),
                shown=self.rows.shown(row, message),
            )
        if act == "ask":
            return self._asking(row, values)
        assert act == "link", act
        return LinkOrder(
            order=looked.state.mes_order or "",
            erp_ref=said(values, "erp_order", "ERP order"),
            why=said(values, "why", "Why"),
        )

    def _assigning(self, row: MatchRow, values: Values) -> AssignDifference:
        code = said(values, "code", "Reason")
        if code not in {str(one) for one in ReasonCode}:
            raise NotFilled("Reason")
        return AssignDifference(
            difference=row.key,
            owner=said(values, "owner", "Owner"),
            code=ReasonCode(code),
            note=said(values, "note", "Note"),
            deviation=values.get("deviation", "").strip() or None,
            shown=self.rows.shown(row),
        )

    def assign_class(self, period: str, values: Values) -> str:
        """Assign the differences of a class that nobody owns, each by an entry of its own.

        Raises:
            Refused, Conflict: a rule says no, or the form lacks something.
        """
        match_class = said(values, "match_class", "Class")
        self.rows.reader.read()
        rows = self.periods.unowned(period, match_class)
        for row in rows:
            idem = f"finance:{new_command_id()}"
            self.execution.submit(self._assigning(row, values), actor=self.actor, idem=idem)
        many = words.count(len(rows), "difference")
        return f"{many} of class {words.within(words.of(match_class).label)} assigned."

    def _asking(self, row: MatchRow, values: Values) -> RequestCorrection:
        try:
            due_on = date.fromisoformat(said(values, "due_on", "Until"))
        except ValueError:
            raise NotFilled("Until") from None
        return RequestCorrection(
            difference=row.key,
            to=said(values, "to", "Who corrects it"),
            what=said(values, "what", "What is to be corrected"),
            due_on=due_on,
            fact=fact_of(row),
            shown=self.rows.shown(row),
        )

    def act(self, made: Callable[[], Ask]) -> SigningAct:
        """Return an act to be signed here; `made` reads what the page shows."""
        return SigningAct(self.execution, self.actor, made)

    def ask(self, act: str, looked: Looked, values: Values) -> Ask:
        """Return what is signed about a row.

        Raises:
            Refused: the form lacks something, or the row does not allow it.
        """
        row, seen = looked.row, looked.state.seen
        why = said(values, "why", "Why")
        about = [("Row", f"{row.title}, {row.subject}"), ("Class", words.of(row.match_class).label)]
        command: Command
        if act == "reverse":
            command = self._reversal(looked, said(values, "document", "Document"), why)
            lines = [("In the ERP", reversal_words(command.books, "").strip()), ("Why", why)]
            subject = f"Reversal of document {command.document} in the ERP"
            return Ask(subject=subject, lines=(*about, *lines), command=command)
        if act == "replace":
            document = values.get("document", "").strip() or None
            command = self._replacement(looked, document, why)
            words_ = replacement_words(command.books, command.fact, "").strip()
            subject = f"Entry {command.fact.entry} is posted anew in the ERP"
            lines = [("In the ERP", words_), ("Why", why)]
            return Ask(subject=subject, lines=(*about, *lines), command=command)
        message = (act == "skip" and values.get("message")) or row.message_id or ""
        shown = self.rows.shown(row, message)
        if act == "skip":
            command = SkipMessage(
                difference=row.key, message=message, why=why, shown=shown, seen=seen
            )
            subject = f"Message {message} is not sent"
        else:
            instead = said(values, "instead", "Message that stands for it")
            self.rows.check_instead(row, instead)
            command = SupersedeMessage(
                difference=row.key, message=message, instead=instead, why=why, shown=shown,
                seen=seen,
            )  # fmt: skip
            subject = f"Message {message} is superseded"
            about.append(("Stands for it", instead))
        return Ask(subject=subject, lines=(*about, ("Why", why)), command=command)

    def _reversal(self, looked: Looked, document: str, why: str) -> ReversePosting:
        row = self.rows.row(looked.row.key)
        return ReversePosting(
            difference=row.key,
            document=document,
            why=why,
            books=self.rows.books(row, document),
            shown=self.rows.shown(row),
            seen=looked.state.seen,
        )

    def _replacement(self, looked: Looked, document: str | None, why: str) -> ReplacePosting:
        row = self.rows.row(looked.row.key)
        made = replacement(self.rows, row, document)
        return ReplacePosting(
            difference=row.key,
            document=document,
            why=why,
            books=made.books,
            fact=made.fact,
            shown=self.rows.shown(row),
            seen=looked.state.seen,
        )

    def ask_period(self, period: str, why: str) -> Ask:
        """Return what is signed of a period.

        Raises:
            Refused: there is nothing to sign, or nowhere to keep it.
        """
        command = self.periods.command(period, why=why.strip() or None)
        figures = command.figures
        counts = ((words.of(name).label, n) for name, n in figures.counts.items() if n)
        reasons = [
            (
                f"{words.of(one.match_class).label},"
                f" {CODES[one.code] if one.code else 'nobody clears it yet'}",
                words.number(one.rows),
            )
            for one in command.reasons
        ]
        return Ask(
            subject=f"Reconciliation of {period}",
            lines=(
                *((label, words.number(n)) for label, n in counts),
                ("Rows", words.number(figures.total)),
                ("Tolerance", figures.tolerance),
                *reasons,
                *((("Reason of the revision", command.why),) if command.why else ()),
                ("Rows, SHA-256", figures.rows_sha256),
            ),
            command=command,
        )
