"""Questions to NetSuite in SuiteQL, and the texts they are made of; pure.

Every page has one unambiguous order, as NetSuite asks of paged queries. Dates leave as TO_CHAR
texts: their own form follows a user's preferences.
"""

from datetime import date

ISSUE, COMPLETION, ADJUSTMENT = "WOIssue", "WOCompl", "InvAdjst"
DAY = "'YYYY-MM-DD'"


def quoted(text: str) -> str:
    """Return a text as an SQL literal.

    >>> quoted("O'Neill")
    "'O''Neill'"
    """
    return "'" + text.replace("'", "''") + "'"


def period(on: date) -> str:
    """Return the question for the base period of a day."""
    day = f"TO_DATE({quoted(on.isoformat())}, {DAY})"
    return (
        "SELECT p.id, p.closed, p.alllocked, TO_CHAR(p.startdate, 'YYYY-MM') AS month"
        " FROM accountingperiod p WHERE p.isposting = 'T' AND p.isyear = 'F' AND p.isquarter = 'F'"
        " AND p.isadjust = 'F' AND p.isinactive = 'F'"
        f" AND p.startdate <= {day} AND p.enddate >= {day} ORDER BY p.id"
    )


def order(number: str) -> str:
    """Return the question for one work order."""
    return f"{_ORDERS} AND t.tranid = {quoted(number)} ORDER BY t.id"


def orders(changed_since: str | None) -> str:
    """Return the question for the work orders, changed since an instant where one is given."""
    since = f"TO_DATE({quoted(changed_since)}, 'YYYY-MM-DD HH24:MI:SS')" if changed_since else ""
    which = f" AND t.lastmodifieddate >= {since}" if since else ""
    return f"{_ORDERS}{which} ORDER BY t.id"


_ORDERS = (
    "SELECT t.id, t.tranid, t.status, i.itemid, BUILTIN.DF(i.stockunit) AS unit, tl.quantity,"
    f" TO_CHAR(t.enddate, {DAY}) AS enddate"
    " FROM transaction t JOIN transactionline tl ON tl.transaction = t.id AND tl.mainline = 'T'"
    " JOIN item i ON i.id = tl.item WHERE t.type = 'WorkOrd'"
)


def item(code: str) -> str:
    """Return the question for one item."""
    return f"{_ITEMS} AND i.itemid = {quoted(code)} ORDER BY i.id"


def items() -> str:
    """Return the question for the items that are kept in stock."""
    return f"{_ITEMS} ORDER BY i.id"


_ITEMS = (
    "SELECT i.id, i.itemid, i.displayname, i.upccode, BUILTIN.DF(i.stockunit) AS unit"
    " FROM item i WHERE i.isinactive = 'F' AND i.itemtype IN ('InvtPart', 'Assembly')"
)


def lot(item_id: str, number: str) -> str:
    """Return the question for one lot of an item."""
    return (
        "SELECT n.id, n.inventorynumber FROM inventorynumber n"
        f" WHERE n.item = {item_id} AND n.inventorynumber = {quoted(number)} ORDER BY n.id"
    )


def boms() -> str:
    """Return the question for the components of the default bills of material."""
    return (
        "SELECT a.itemid AS product, BUILTIN.DF(a.stockunit) AS productunit, i.itemid,"
        " BUILTIN.DF(c.units) AS unit, c.bomquantity"
        " FROM assemblyitembom b JOIN item a ON a.id = b.assembly"
        " JOIN bomrevisioncomponentmember c ON c.bomrevision = b.currentrevision"
        " JOIN item i ON i.id = c.item WHERE b.masterdefault = 'T' ORDER BY a.id, c.lineid"
    )


def customers() -> str:
    """Return the question for the customers."""
    return (
        "SELECT c.id, c.entityid, c.companyname FROM customer c WHERE c.isinactive = 'F'"
        " ORDER BY c.id"
    )


def by_reference(ref: str) -> str:
    """Return the question for the transactions that carry a reference of ours."""
    return f"{_STANDING} AND t.externalid = {quoted(ref)} ORDER BY t.id"


def undoing(ref: str) -> str:
    """Return the question for the transactions whose memo says that they undo a reference."""
    return f"{_STANDING} AND t.memo LIKE {quoted('% ' + ref)} ORDER BY t.id"


_STANDING = (
    f"SELECT t.id, t.type, t.externalid, t.memo, TO_CHAR(t.trandate, {DAY}) AS trandate,"
    " TO_CHAR(p.startdate, 'YYYY-MM') AS month"
    " FROM transaction t JOIN accountingperiod p ON p.id = t.postingperiod"
    f" WHERE t.type IN ('{ISSUE}', '{COMPLETION}', '{ADJUSTMENT}')"
)


def ledger(order_number: str | None) -> str:
    """Return the question for the lots that work orders moved, of one order or of all.

    Scrap is an adjustment, which no order is the source of: its memo names the order.
    """
    mine = "t.memo LIKE 'evt_% %'"
    which = f"(w.id IS NOT NULL OR {mine})"
    if order_number is not None:
        marked = quoted(f"evt_% {order_number} %")
        which = f"(w.tranid = {quoted(order_number)} OR (w.id IS NULL AND t.memo LIKE {marked}))"
    return (
        "SELECT t.id, t.type, t.externalid, t.memo, tl.id AS line, w.tranid AS workorder, i.itemid,"
        " BUILTIN.DF(i.stockunit) AS unit, n.inventorynumber, ia.quantity,"
        f" TO_CHAR(t.trandate, {DAY}) AS trandate,"
        " TO_CHAR(t.createddate, 'YYYY-MM-DD HH24:MI:SS') AS createddate,"
        " TO_CHAR(p.startdate, 'YYYY-MM') AS month,"
        " (SELECT COUNT(g.transaction) FROM transactionaccountingline g"
        " WHERE g.transaction = t.id AND g.posting = 'T') AS gl"
        " FROM transaction t JOIN transactionline m ON m.transaction = t.id AND m.mainline = 'T'"
        " JOIN transactionline tl ON tl.transaction = t.id"
        " JOIN inventoryassignment ia ON ia.transaction = t.id AND ia.transactionline = tl.id"
        " JOIN inventorynumber n ON n.id = ia.inventorynumber JOIN item i ON i.id = tl.item"
        " JOIN accountingperiod p ON p.id = t.postingperiod"
        " LEFT JOIN transaction w ON w.id = m.createdfrom AND w.type = 'WorkOrd'"
        f" WHERE t.type IN ('{ISSUE}', '{COMPLETION}', '{ADJUSTMENT}') AND {which}"
        " ORDER BY t.id, tl.id"
    )
