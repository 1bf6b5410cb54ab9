"""The same messages for other systems: published to NATS JetStream, never the proof of delivery.

The publisher follows the outbox by a cursor of its own, in the order of the facts, and moves on
only after the stream has acknowledged. Messages of an order that was linked late have their facts
before the cursor: they go first, so that the order within their lane holds.

Bytes are those of the message, its id is `Nats-Msg-Id`. A stream forgets ids after a while, so a
subscriber deduplicates by id as well. An ERP's receipt stays the only proof that something was
booked.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import delete, func, insert, literal, select, union_all, update

from erp import tables
from erp.outbox import Outbox

TARGET = "nats"
PAGE = 200
ACK_S = 10.0
log = logging.getLogger("batchwright.erp")


class StreamMissing(Exception):
    """The stream library is an extra that is not installed."""

    def __init__(self) -> None:
        super().__init__("NATS: the extra is not installed. Run: pip install 'batchwright[nats]'.")


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStatus:
    """What a screen says about the stream."""

    upto_seq: int
    waiting: int
    fault: str | None


def subject_of(plant: str, lane: str) -> str:
    """Return the subject of an order's messages; what NATS reads as syntax is replaced.

    >>> subject_of("tablets", "10.00 178>")
    'mes.tablets.10_00_178_'
    """
    plain = "".join(sign if sign.isalnum() or sign in "-_" else "_" for sign in lane)
    return f"mes.{plant}.{plain}"


class Publisher:
    """Follows the outbox in a thread until stopped; a stream that is away only makes it wait."""

    def __init__(
        self,
        outbox: Outbox,
        url: str,
        *,
        plant: str,
        stream: str = "MES",
        poll_s: float = 1.0,
        error: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._outbox, self._url, self._plant = outbox, url, plant
        self._stream, self._poll_s, self._error = stream, poll_s, error
        self._fault: str | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="nats-publisher", daemon=True)
        self._ensure_cursor()

    def start(self) -> None:
        """Begin to publish."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the page under way, then stop."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def status(self) -> StreamStatus:
        """Return how far the stream is."""
        upto = self._upto()
        return StreamStatus(upto_seq=upto, waiting=self._waiting(upto), fault=self._fault)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                asyncio.run(self._publish())
            except Exception as fault:  # whatever it is, the outbox keeps what was not published
                self._say(f"{type(fault).__name__}: {fault}")
            self._stopping.wait(self._poll_s)

    def _say(self, fault: str) -> None:
        if fault != self._fault:
            log.warning("event=stream-away fault=%r", fault)
        self._fault = fault
        self._error(fault)

    async def _publish(self) -> None:
        try:
            import nats  # noqa: PLC0415 - an extra that most plants do without
        except ImportError as fault:
            raise StreamMissing from fault
        connection = await nats.connect(
            self._url, connect_timeout=5, allow_reconnect=False, error_cb=self._heard
        )
        try:
            jetstream = connection.jetstream()
            await jetstream.add_stream(name=self._stream, subjects=["mes.>"])
            self._fault = None
            while not self._stopping.is_set():
                page = self._page(self._upto())
                for seq, event_id, lane, body in page:
                    await jetstream.publish(
                        subject_of(self._plant, lane),
                        body,
                        timeout=ACK_S,
                        headers={"Nats-Msg-Id": event_id},
                    )
                    self._move(seq, event_id)
                if not page:
                    await asyncio.sleep(self._poll_s)
                if connection.is_closed:
                    return
        finally:
            await connection.close()

    async def _heard(self, fault: Exception) -> None:
        """Keep what the connection says aside of an answer."""
        self._say(f"{type(fault).__name__}: {fault}")

    def _ensure_cursor(self) -> None:
        cursor = tables.relay_cursor
        with self._outbox.engine.begin() as connection:
            mine = select(cursor.c.upto_seq).where(cursor.c.target == TARGET)
            if connection.execute(mine).first() is None:
                connection.execute(insert(cursor).values(target=TARGET, upto_seq=0))

    def _upto(self) -> int:
        cursor = tables.relay_cursor
        query = select(cursor.c.upto_seq).where(cursor.c.target == TARGET)
        return int(self._outbox.read(query)[0]["upto_seq"])

    def _page(self, upto: int) -> list[tuple[int, str, str, bytes]]:
        """Return what is next, in one reading: what came late, then what follows the cursor."""
        message, late = tables.message, tables.late
        columns = (message.c.entry_seq, message.c.event_id, message.c.lane, message.c.body)
        behind = select(*columns, literal(0).label("turn")).join(
            late, late.c.event_id == message.c.event_id
        )
        both = union_all(
            behind.where(message.c.entry_seq <= upto),
            select(*columns, literal(1)).where(message.c.entry_seq > upto),
        ).subquery()
        query = select(both).order_by(both.c.turn, both.c.entry_seq).limit(PAGE)
        return [
            (one["entry_seq"], one["event_id"], one["lane"], bytes(one["body"]))
            for one in self._outbox.read(query)
        ]

    def _waiting(self, upto: int) -> int:
        """Return how many messages the stream has not acknowledged yet."""
        message, late = tables.message, tables.late
        behind = select(late.c.event_id)
        waits = (message.c.entry_seq > upto) | message.c.event_id.in_(behind)
        query = select(func.count().label("n")).select_from(message).where(waits)
        return int(self._outbox.read(query)[0]["n"])

    def _move(self, seq: int, event_id: str) -> None:
        cursor, late = tables.relay_cursor, tables.late
        with self._outbox.engine.begin() as connection:
            mine = (cursor.c.target == TARGET) & (cursor.c.upto_seq < seq)
            connection.execute(update(cursor).where(mine).values(upto_seq=seq))
            connection.execute(delete(late).where(late.c.event_id == event_id))
