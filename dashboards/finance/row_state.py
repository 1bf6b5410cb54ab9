"""What may be done about one row now: its difference, its messages, documents and orders."""

from collections.abc import Collection
from dataclasses import dataclass

from core.correction_request import CORRECTS, CorrectionRequest
from core.difference import Decided, Difference
from core.execution import Execution
from core.manifest import Seen
from core.order import Order, OrderState
from core.order_link import fits
from core.people import ROLES, Person, PersonState
from dashboards.finance.acts import RowActs
from dashboards.finance.compare import MatchRow, wrong_document
from dashboards.finance.replacing import may_replace
from erp.port import DOCUMENT_REVERSED
from erp.rows import Row

REVERSED = "posting.reversal-ordered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surplus:
    """A document of the ERP that no fact stands behind, and how far its reversal is."""

    name: str
    proposed_by: str | None
    ordered: Decided | None
    message: Row | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """A fact that the ERP booked wrongly or took back, and how far its posting anew is.

    `document` is what must be reversed before, None where the ERP has done so.
    """

    document: str | None
    proposed_by: str | None
    is_ordered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RowState:
    """All that the forms of a row need; read at once, off the page's event loop.

    Args of the constructor:
        seen: what a signer of the difference has seen.
        people: who may own it, as id and printed name.
        message: the row's own message, as it is now.
        later: messages of its order that may stand for a refused one.
        asked: the newest request to correct the row's entry; `correctors` who may be asked.
        replaces: what may be posted anew, None where the row is no such row.
        surplus: documents that may be reversed in the ERP; `reversible` whether it takes that.
        orders: orders of the ERP that the row's order may be linked to.
        mes_order: the order to link, None where there is none.
    """

    seen: Seen
    difference: Difference | None
    people: tuple[tuple[str, str], ...]
    message: Row | None
    later: tuple[Row, ...]
    surplus: tuple[Surplus, ...]
    asked: CorrectionRequest | None
    correctors: tuple[tuple[str, str], ...]
    replaces: Replaced | None
    reversible: bool
    orders: tuple[Order, ...]
    mes_order: str | None

    @property
    def is_owned(self) -> bool:
        """Whether it has an owner and a reason."""
        return self.difference is not None and self.difference.owner is not None


def row_state(row: MatchRow, acts: RowActs) -> RowState:
    """Return what may be done about a row now."""
    execution = acts.execution
    shown = execution.shown(f"{Difference.KIND}/{row.key}")
    difference, seen = shown or (None, execution.seen(f"{Difference.KIND}/{row.key}"))
    message = acts.message_of(row, row.message_id or "")
    mes_order = _unlinked(row, execution)
    return RowState(
        seen=seen,
        difference=difference,
        people=people(execution),
        message=message,
        later=acts.later(row) if message is not None else (),
        surplus=_surplus(row, acts, difference),
        asked=_asked(row, execution),
        correctors=people(execution, CORRECTS),
        replaces=_replaced(row, difference),
        reversible=acts.reader.boundary.port.profile.books(DOCUMENT_REVERSED),
        orders=() if mes_order is None else _orders(execution, mes_order),
        mes_order=mes_order,
    )


def _asked(row: MatchRow, execution: Execution) -> CorrectionRequest | None:
    if row.entry_seq is None:
        return None
    return execution.nouns.get(CorrectionRequest, str(row.entry_seq))


def people(execution: Execution, roles: Collection[str] = ROLES) -> tuple[tuple[str, str], ...]:
    """Return the active people of some roles by id and printed name, in the order of names."""
    active = [one for one in execution.nouns.all(Person) if one.state is PersonState.ACTIVE]
    able = [one for one in active if set(roles) & set(one.roles)]
    named = ((one.person, f"{one.name}, {', '.join(one.roles)}") for one in able)
    return tuple(sorted(named, key=lambda one: one[1]))


def _surplus(row: MatchRow, acts: RowActs, difference: Difference | None) -> tuple[Surplus, ...]:
    sent = {one.entry_seq: one for one in acts.reversals(row)} if difference is not None else {}
    names = dict.fromkeys(acts.surplus(row))
    if difference is not None:  # what was ordered stays in sight until the books have it
        decided = (one for one in difference.decided if one.type == REVERSED)
        names |= dict.fromkeys(one.document for one in decided if one.document)
    found = []
    for name in names:
        ordered = None if difference is None else difference.ordered(name)
        proposed = None if difference is None else difference.proposed
        is_proposed = proposed is not None and proposed.name == name
        found.append(
            Surplus(
                name=name,
                proposed_by=difference.proposed_by if difference and is_proposed else None,
                ordered=ordered,
                message=None if ordered is None else sent.get(ordered.seq),
            )
        )
    return tuple(found)


def _replaced(row: MatchRow, difference: Difference | None) -> Replaced | None:
    if not may_replace(row):
        return None
    document = wrong_document(row)
    before = None if difference is None else difference.replacing
    named = None if before is None or before.document is None else before.document.name
    is_proposed = before is not None and named == document
    is_ordered = difference is not None and document is not None
    return Replaced(
        document=document,
        proposed_by=difference.replacing_by if difference and is_proposed else None,
        is_ordered=is_ordered and difference.ordered(document) is not None,  # type: ignore[union-attr, arg-type]
    )


def _unlinked(row: MatchRow, execution: Execution) -> str | None:
    """Return the row's order where it was opened here and the ERP does not know it."""
    if row.fact is None or row.fact.order is None or row.fact.erp_order is not None:
        return None
    order = execution.nouns.get(Order, row.fact.order)
    is_own = order is not None and order.origin == "mes" and order.erp_ref is None
    return row.fact.order if is_own else None


def _orders(execution: Execution, mes_order: str) -> tuple[Order, ...]:
    own = execution.nouns.get(Order, mes_order)
    assert own is not None, mes_order
    waiting = [
        one
        for one in execution.nouns.open(Order)
        if one.origin == "erp" and one.done_as is None
        and one.state in (OrderState.WAITING, OrderState.READY)
    ]  # fmt: skip
    return tuple(sorted((one for one in waiting if fits(own, one)), key=lambda one: one.order))
