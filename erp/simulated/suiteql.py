"""SuiteQL as a simulator answers it: SELECT over the tables and columns that NetSuite names.

A query runs in a database of its own, filled from the simulator's records. Values come back as
texts and what is empty is left out, as SuiteQL's REST answers show them.
"""

import re
import sqlite3
from collections.abc import Mapping
from typing import Any

from erp.simulated.records import Work

# table -> its columns; no others are known
TABLES: Mapping[str, str] = {
    "accountingperiod": "id periodname startdate enddate closed alllocked isposting isyear"
    " isquarter isadjust isinactive",
    "transaction": "id type tranid status externalid memo trandate createddate lastmodifieddate"
    " postingperiod enddate",
    "transactionline": "transaction id item quantity mainline createdfrom",
    "transactionaccountingline": "transaction transactionline account posting",
    "inventoryassignment": "transaction transactionline inventorynumber quantity",
    "inventorynumber": "id item inventorynumber",
    "item": "id itemid displayname upccode stockunit itemtype isinactive",
    "assemblyitembom": "assembly billofmaterials currentrevision masterdefault",
    "bomrevisioncomponentmember": "bomrevision item bomquantity units lineid",
    "customer": "id entityid companyname isinactive",
}
NUMBERS = ("id", "lineid", "transaction", "transactionline", "item", "assembly", "bomrevision",
           "createdfrom", "postingperiod", "currentrevision", "inventorynumber")  # fmt: skip
LENGTHS = {"YYYY-MM-DD": 10, "YYYY-MM": 7, "YYYY-MM-DD HH24:MI:SS": 19}


class WrongQuery(Exception):
    """The query is no SuiteQL that this account can answer."""


def run(work: Work, query: str, units: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the rows of a query; `units` are the names of units by their ids.

    Raises:
        WrongQuery: it is no SELECT, or names what is not there.
    """
    if not query.startswith("SELECT ") or ";" in query:
        raise WrongQuery("Only SELECT is supported.")
    if " ORDER BY " not in query and "LIMIT" in query:
        raise WrongQuery("Pages need an order.")
    database = sqlite3.connect(":memory:")
    try:
        for table, columns in TABLES.items():
            _fill(database, table, columns.split(), rows=work.all(f"suiteql {table}"))
        database.create_function("BUILTIN_DF", 1, lambda key: units.get(str(key)))
        database.create_function("TO_CHAR", 2, _to_char)
        database.create_function("TO_DATE", 2, lambda text, form: text[: LENGTHS[form]])
        spelled = query.replace("BUILTIN.DF(", "BUILTIN_DF(")
        # The word is reserved in SQLite and a table in SuiteQL.
        spelled = re.sub(r"\btransaction\b", '"transaction"', spelled)
        cursor = database.execute(spelled)
        names = [column[0].lower() for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    except sqlite3.Error as fault:
        raise WrongQuery(f"Invalid or unsupported search: {fault}") from fault
    finally:
        database.close()
    return [
        {name: str(value) for name, value in row.items() if value not in (None, "")} for row in rows
    ]


def _fill(
    database: sqlite3.Connection, table: str, columns: list[str], *, rows: list[dict[str, Any]]
) -> None:
    kinds = {name: "INTEGER" if name in NUMBERS else "TEXT" for name in columns}
    if table == "inventorynumber":
        kinds["inventorynumber"] = "TEXT"  # the lot's name; elsewhere the word is a reference
    shape = ", ".join(f'"{name}" {kind}' for name, kind in kinds.items())
    database.execute(f'CREATE TABLE "{table}" ({shape})')
    marks = ", ".join("?" for _ in columns)
    values = [tuple(row.get(name) for name in columns) for row in rows]
    database.executemany(f'INSERT INTO "{table}" VALUES ({marks})', values)


def _to_char(text: str | None, form: str) -> str | None:
    """Return a date as a form asks for it; times without one are midnight."""
    if text is None:
        return None
    return (text if len(text) > 10 else f"{text} 00:00:00")[: LENGTHS[form]]
