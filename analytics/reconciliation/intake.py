"""What comes is kept, and what it touches is noted in the temporary table `todo`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from analytics.reconciliation.columns import FACT, LINE, LOT, MESSAGE, STOCK, Side, two_texts
from analytics.store import sql

KEY = (
    "{} || case when many then '#' || coalesce(item, '') || '#' || coalesce(lot, '')"
    " || case when n > 1 then '#' || n else '' end else '' end"
)
CROWD = "count(*) over (partition by event_id) > 1"
PLACE = "row_number() over (partition by event_id, item, lot)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Lines of the ERP's books that were read: all there are in a range, or of some orders.

    `after` is open, `upto` closed; None is the end. With `orders`, only theirs were read.
    """

    lines: Sequence[Any] = ()
    after: int = 0
    upto: int | None = None
    orders: tuple[str, ...] | None = None


class Intake:
    """Writes the rows of the three sides, inside the caller's transaction."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._standing = connection.extract_statements(sql("match_standing"))
        self._named = connection.extract_statements(sql("match_named"))
        self._rekeyed = connection.extract_statements(sql("match_rekeyed"))
        self._hand = connection.extract_statements(sql("match_hand"))

    def _script(self, statements: Iterable[Any]) -> None:
        for one in statements:
            self._connection.execute(one)

    def _stage(self, side: Side, records: Sequence[Any]) -> str:
        """Show records as `incoming`; return the names of its columns."""
        self._connection.register("incoming", side.table_of(records))
        return ", ".join(side.columns)

    def put_facts(self, facts: Sequence[Any], *, whole: bool) -> None:
        """Keep facts in the place of what was known of their entries."""
        if not facts:
            return
        run, names = self._connection.execute, self._stage(FACT, facts)
        if not whole:
            run("insert into todo select distinct event_id from incoming")
        run("delete from fact where event_id in (select event_id from incoming)")
        own = KEY.format("event_id")
        run(
            f"insert into fact (key, many, {names}) select {own}, many, {names} from"
            f" (select *, {CROWD} as many, {PLACE} as n from incoming)"
        )
        run(
            "insert into our_order select distinct erp_order from incoming where erp_order is not"
            " null and erp_order not in (select erp_order from our_order)"
        )
        self._connection.unregister("incoming")

    def put_messages(
        self, messages: Sequence[Any], documents: Sequence[tuple[str, str]], *, whole: bool
    ) -> None:
        """Keep messages as they are now, and which documents their receipts name."""
        if not messages:
            return
        run, names = self._connection.execute, self._stage(MESSAGE, messages)
        if not whole:
            run("insert into todo select distinct event_id from incoming")
            run("insert into todo select replaces from incoming where replaces is not null")
        run("delete from message where event_id in (select event_id from incoming)")
        own = KEY.format("fact_id")
        run(
            f"insert into message (key, own_key, fact_id, many, {names})"
            f" select {own}, {own}, fact_id, many, {names} from"
            f" (select *, coalesce(replaces, event_id) as fact_id, {CROWD} as many, {PLACE} as n"
            " from incoming)"
        )
        self._connection.unregister("incoming")
        self._script(self._standing)
        if documents:
            named = [list(column) for column in zip(*documents, strict=True)]
            self._connection.register("incoming", two_texts("document", "event_id", named))
            run("insert into receipt_document select document, event_id from incoming")
            self._connection.unregister("incoming")

    def put_undoings(self, undoings: Sequence[tuple[str, str]]) -> None:
        """Keep which messages undo which documents of the ERP."""
        if not undoings:
            return
        run = self._connection.execute
        columns = [list(column) for column in zip(*undoings, strict=True)]
        self._connection.register("incoming", two_texts("event_id", "doc", columns))
        run("delete from undoing where event_id in (select event_id from incoming)")
        run("insert into undoing select event_id, doc from incoming")
        self._connection.unregister("incoming")

    def put_lines(self, read: Read) -> None:
        """Make a range of the kept books what was read; only lines that changed are touched."""
        run, names = self._connection.execute, self._stage(LINE, read.lines)
        run(f"create or replace temp table came as select {names} from incoming")
        self._connection.unregister("incoming")
        run("create or replace temp table kept as select * from line limit 0")
        if read.orders is not None:
            self._connection.register("asked", two_texts("a", "b", [list(read.orders)] * 2))
            run("insert into kept select * from line where erp_order in (select a from asked)")
            self._connection.unregister("asked")
        else:
            upto = 2**62 if read.upto is None else read.upto
            run(
                "insert into kept select * from line where seq > ? and seq <= ?", [read.after, upto]
            )
        run(
            f"create or replace temp table moved as with a as (select {names} from kept),"
            f" b as (select {names} from came) select distinct seq from"
            " ((from a except from b) union all (from b except from a))"
        )
        run("insert into todo select mid from line where seq in (from moved) and mid is not null")
        run("delete from line where seq in (from moved)")
        run(
            f"insert into line (key, mid, nth, {names}) select id, id, 1, {names} from"
            " (select *, case when kind <> 'gl' then event_id end as id from came"
            " where seq in (from moved))"
        )
        run("insert into todo select event_id from came where seq in (from moved)")

    def put_lots(self, lots: Sequence[Any]) -> None:
        """Keep lots that were taken in."""
        if lots:
            names = self._stage(LOT, lots)
            self._connection.execute(f"insert into lot ({names}) select {names} from incoming")
            self._connection.unregister("incoming")

    def put_stock(self, stock: Sequence[Any]) -> None:
        """Keep what the ERP has, in the place of what it had."""
        names = self._stage(STOCK, stock)
        self._connection.execute("delete from erp_stock")
        self._connection.execute(f"insert into erp_stock ({names}) select {names} from incoming")
        self._connection.unregister("incoming")

    def put_orders(self, orders: Sequence[tuple[str, str]]) -> None:
        """Keep the states of the ERP's orders."""
        run = self._connection.execute
        columns = [list(column) for column in zip(*orders, strict=True)] or [[], []]
        self._connection.register("incoming", two_texts("erp_order", "state", columns))
        run(
            "insert into todo select event_id from fact where movement = 'complete' and erp_order"
            " in (select erp_order from ((from incoming except from erp_order) union all"
            " (from erp_order except from incoming)))"
        )
        run("delete from erp_order")
        run("insert into erp_order select erp_order, state from incoming")
        self._connection.unregister("incoming")

    def attach(self, *, whole: bool) -> None:
        """Give lines without a reference the message they are of, then lines their keys."""
        run = self._connection.execute
        self._script(self._named)
        among = "select event_id from todo"
        if whole:
            among = (
                "select mid from line group by mid having count(*) > 1"
                " union select event_id from fact where many"
            )
        run(f"create or replace temp table among as {among}")
        self._script(self._rekeyed)

    def by_hand(self) -> None:
        """Find what was posted by hand, and note rows of which something is newly taken back."""
        run = self._connection.execute
        first, *others = self._hand
        run(first)
        if run("from hand limit 1").fetchall():
            self._script(others)
        else:
            run("create or replace temp table taken(seq bigint, key text)")
            run("create or replace temp table pair(seq bigint, whole bigint)")
            run("create or replace temp table twin(seq bigint)")
        run(
            "create or replace temp table undoes as select seq, key from taken"
            " union all select seq, 'line ' || whole from pair"
        )
        run(
            "insert into todo select event_id from fact where key in (select key from"
            " ((from undoes except from undo) union all (from undo except from undoes)))"
        )
        run("delete from undo")
        run("insert into undo select seq, key from undoes")
