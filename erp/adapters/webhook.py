"""Any ERP that answers our contract: signed messages, signed receipts, pages and books by HTTP.

The sandbox does, Tryton does with its bridge, and so can the middleware before any other ERP.
"""

from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import httpx

from core.clock import iso, parse_iso
from erp.adapters.reading import built
from erp.errors import ErpUnreachable
from erp.messages import OUR_UNITS
from erp.port import (
    Cursor,
    DocumentRef,
    ErpBom,
    ErpBomLine,
    ErpCustomer,
    ErpItem,
    ErpOrder,
    ErpOrderState,
    ErpProfile,
    Health,
    Kind,
    LedgerLine,
    OrderRef,
    Outcome,
    Page,
    PeriodState,
    Posting,
    Record,
    Rejected,
    Scope,
    Validators,
)
from erp.profile import SANDBOX
from erp.signing import Keys
from erp.stock import StockLine
from erp.trust import trusted
from erp.webhook import TIMEOUT_S, Receiver, deliver

HEALTH_S = 3.0
PATHS = {Kind.ITEM: "items", Kind.BOM: "boms", Kind.ORDER: "orders", Kind.CUSTOMER: "customers"}


def item(raw: dict[str, Any]) -> ErpItem:
    """Return an item in our words."""
    return ErpItem(raw["code"], raw["name"], OUR_UNITS[raw["unit"]], raw["gtin"])


def bom(raw: dict[str, Any]) -> ErpBom:
    """Return a costing BOM in our words."""
    lines = tuple(
        ErpBomLine(line["item"], Decimal(line["quantity"]), OUR_UNITS[line["unit"]])
        for line in raw["lines"]
    )
    return ErpBom(raw["product"], Decimal(raw["quantity"]), OUR_UNITS[raw["unit"]], lines)


def order(raw: dict[str, Any]) -> ErpOrder:
    """Return an order in our words; what is empty there stays empty."""
    return ErpOrder(
        id=raw["id"],
        product=raw["product"],
        quantity=Decimal(raw["quantity"]),
        unit=OUR_UNITS[raw["unit"]],
        state=ErpOrderState(raw["state"]),
        due_at=parse_iso(raw["due_at"]) if raw["due_at"] else None,
        priority=raw["priority"],
        customer=raw["customer"],
    )


def customer(raw: dict[str, Any]) -> ErpCustomer:
    """Return a customer in our words."""
    return ErpCustomer(raw["code"], raw["name"])


BUILDERS: dict[Kind, Callable[[dict[str, Any]], Record]] = {
    Kind.ITEM: item,
    Kind.BOM: bom,
    Kind.ORDER: order,
    Kind.CUSTOMER: customer,
}


def ledger_line(raw: dict[str, Any]) -> LedgerLine:
    """Return one line of the ERP's books; its amounts are not read."""
    return LedgerLine(
        seq=raw["seq"],
        kind=raw["kind"],
        reference=raw["reference"],
        ref=raw["erp_ref"],
        document=DocumentRef(raw["document_type"], raw["document"], raw["year"], raw["line"]),
        order=raw["order"],
        item=raw["item"],
        lot=raw["lot"],
        movement=raw["movement"],
        quantity=Decimal(raw["quantity"]) if raw["quantity"] is not None else None,
        unit=raw["unit"],
        posting_date=date.fromisoformat(raw["posting_date"]),
        period=raw["period"],
        gl_document=raw["gl_document"],
        gl_period=raw["gl_period"],
        posted_at=parse_iso(raw["posted_at"]),
        gl_due=raw.get("gl_due", True),
    )


class WebhookErp:
    """All I/O with such an ERP; `token` is sent as a bearer where the other side asks for one."""

    def __init__(
        self,
        address: str,
        *,
        send: Keys,
        receive: Keys,
        profile: ErpProfile = SANDBOX,
        token: str | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.address = address.rstrip("/")
        self.profile = profile
        self.sends = send
        self.receipts = receive
        # trust_env off: a proxy in somebody's environment must not see a plant's messages.
        transport = httpx.HTTPTransport(verify=trusted(), trust_env=False)
        self._receiver = Receiver(
            transport=transport,
            url=httpx.URL(f"{self.address}/events"),
            timeout=httpx.Timeout(timeout_s),
            token=token,
        )
        self._client = httpx.Client(
            transport=transport,
            timeout=timeout_s,
            trust_env=False,
            follow_redirects=False,
            headers={} if token is None else {"authorization": f"Bearer {token}"},
        )

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def _get(
        self,
        path: str,
        headers: dict[str, str] | None = None,
        *,
        timeout_s: float | None = None,
        **query: object,
    ) -> Any:
        try:
            answer = self._client.get(
                f"{self.address}/{path}",
                headers=headers,
                timeout=self._client.timeout if timeout_s is None else timeout_s,
                params={name: str(value) for name, value in query.items() if value is not None},
            )
        except httpx.HTTPError as fault:
            raise ErpUnreachable(self.address, f"{type(fault).__name__} at /{path}") from fault
        if answer.status_code not in (200, 304, 404):
            raise ErpUnreachable(self.address, f"status {answer.status_code} at /{path}")
        return answer

    def health(self) -> Health:
        """Return whether it answers."""
        try:
            answer = self._get("health", timeout_s=HEALTH_S)
        except ErpUnreachable as fault:
            return Health(up=False, detail=fault.why)
        return Health(up=answer.status_code == 200)

    def server_time(self) -> datetime:
        """Return the ERP's own clock.

        Raises:
            ErpUnreachable: no answer, or none that tells a time.
        """
        try:
            return parse_iso(self._get("time", timeout_s=HEALTH_S).json()["now"])
        except (ValueError, KeyError, TypeError) as fault:
            raise ErpUnreachable(self.address, f"no time at /time: {fault}") from fault

    def pull(self, kind: Kind, cursor: Cursor | None, cond: Validators | None) -> Page:
        """Return a page of master data, or the news that nothing changed.

        With a cursor the ERP is asked for what it changed since, by its own clock; one that does
        not know the question answers with the whole page.

        Raises:
            ErpUnreachable: no answer, or no page.
        """
        path, headers = PATHS[kind], {}
        if cond is not None and cond.etag:
            headers["if-none-match"] = cond.etag
        if cond is not None and cond.last_modified:
            headers["if-modified-since"] = cond.last_modified
        since = None if cursor is None else iso(cursor.since)
        answer = self._get(path, headers, changed_since=since)
        url = f"{self.address}/{path}" + ("" if since is None else f"?changed_since={since}")
        given = Validators(answer.headers.get("etag"), answer.headers.get("last-modified"))
        if answer.status_code == 304:
            return Page(url, given, None)
        try:
            raws = answer.json()[path]
        except (ValueError, KeyError, TypeError) as fault:
            raise ErpUnreachable(self.address, f"no page of {path}: {fault}") from fault
        records, faults = built(raws, BUILDERS[kind])
        return Page(url, given, records, answer.content, faults)

    def get_order(self, ref: OrderRef) -> ErpOrder:
        """Return one order as it is now.

        Raises:
            ErpUnreachable: no answer, or the ERP does not know the order.
        """
        answer = self._get(f"orders/{ref.erp}")
        if answer.status_code == 404:
            raise ErpUnreachable(self.address, f"order {ref.erp} is not known there")
        return order(answer.json())

    def find_posting(self, ref: str) -> list[DocumentRef]:
        """Return the documents that carry a reference."""
        answer = self._get(f"postings/{ref}")
        if answer.status_code == 404:
            return []
        return [DocumentRef(**raw) for raw in answer.json()]

    def post(self, posting: Posting) -> Outcome:
        """Send a posting's bytes once."""
        return deliver(self._receiver, posting, send=self.sends, receive=self.receipts)

    def reverse(self, doc: DocumentRef, key: str, on: date) -> Outcome:
        """Refuse: a reversal is a message of its own here, `mes.posting_reversed.v1`."""
        return Rejected("reverse_by_message", f"{doc.id} on {on}, key {key}: post a reversal.")

    def ledger(self, scope: Scope) -> Iterator[LedgerLine]:
        """Return the ERP's books, line by line, in their own order."""
        after = scope.after
        while True:
            page = self._get("ledger", after=after, order=scope.order).json()
            yield from (ledger_line(raw) for raw in page["lines"])
            if not page["more"]:
                return
            after = page["next"]

    def stock(self) -> Iterator[StockLine]:
        """Return what the ERP has of every lot now.

        Raises:
            ErpUnreachable: no answer, or it shows no stock.
        """
        answer = self._get("stock")
        if answer.status_code == 404:
            raise ErpUnreachable(self.address, "it shows no stock at /stock")
        for raw in answer.json():
            yield StockLine(
                item=raw["item"],
                lot=raw["lot"],
                status=raw["status"],
                quantity=Decimal(raw["quantity"]),
                unit=raw["unit"],
            )

    def period(self, on: date) -> PeriodState:
        """Return whether the month of a date is open."""
        return PeriodState(self._get(f"periods/{on.isoformat()[:7]}").json()["state"])
