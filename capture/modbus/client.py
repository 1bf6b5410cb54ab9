"""Polling Modbus TCP units: one thread, one task per connection, one request per unit and turn.

The period is kept by the monotonic clock. Every turn gives each unit a `Block`, with its words
or with the reason why there are none; a silent device is never mistaken for a stopped machine.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

from core.clock import micros, now

MOST_REGISTERS = 125
BACK_OFF_MAX_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One device behind an address, and the one block of holding registers asked of it."""

    name: str
    host: str
    port: int = 502
    device_id: int = 1
    start: int
    count: int
    period_s: float = 1.0
    timeout_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What one poll brought: the words, or None and the reason."""

    unit: str
    at_us: int
    words: tuple[int, ...] | None = None
    fault: str | None = None


class Poller:
    """Poll units until stopped; `on_block` is called in the poller's own thread."""

    def __init__(self, units: Sequence[Unit], on_block: Callable[[Block], None]) -> None:
        for unit in units:
            assert 1 <= unit.count <= MOST_REGISTERS, "one request holds at most 125 registers"
        self._units = tuple(units)
        self._on_block = on_block
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self._running = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start polling."""
        if self._thread is None:
            # each fault is told in its block; the library would say it again on the terminal
            logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)
            self._thread = threading.Thread(
                target=asyncio.run, args=(self._main(),), name="modbus", daemon=True
            )
            self._thread.start()
            self._running.wait(timeout=10)

    def stop(self) -> None:
        """Stop polling and close every connection."""
        if self._thread is not None and self._loop is not None and self._ended is not None:
            self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join(timeout=10)
            self._thread = None

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._running.set()

        def place(unit: Unit) -> tuple[str, int]:
            return unit.host, unit.port

        async with asyncio.TaskGroup() as tasks:
            followed = [
                tasks.create_task(self._follow(list(units)))
                for _, units in groupby(sorted(self._units, key=place), key=place)
            ]
            await self._ended.wait()
            for task in followed:
                task.cancel()

    async def _follow(self, units: list[Unit]) -> None:
        """Poll the units of one connection in turn, at the fastest period among them."""
        period_s = min(unit.period_s for unit in units)
        client: AsyncModbusTcpClient | None = None
        wait_s, retry_at = period_s, 0.0
        due = time.monotonic()
        try:
            while True:
                if client is None and time.monotonic() >= retry_at:
                    client = await _connect(units[0])
                    wait_s = period_s if client else min(wait_s * 2, BACK_OFF_MAX_S)
                    retry_at = time.monotonic() + wait_s
                for unit in units:
                    block = await _read(client, unit)
                    self._on_block(block)
                    if client is not None and block.words is None and not client.connected:
                        client.close()
                        client, retry_at = None, 0.0
                due += period_s
                if due < time.monotonic():  # never make up for missed turns
                    due = time.monotonic()
                await asyncio.sleep(due - time.monotonic())
        finally:
            if client is not None:
                client.close()


async def _connect(unit: Unit) -> AsyncModbusTcpClient | None:
    """Return a connected client, or None when nobody answers there."""
    client = AsyncModbusTcpClient(
        unit.host,
        port=unit.port,
        name=unit.name,
        timeout=unit.timeout_s,
        retries=0,
        reconnect_delay=0,  # the poller connects anew, so that each outcome is a block
    )
    try:
        if await client.connect():
            return client
    except (ModbusException, OSError):
        pass  # told as a block without words
    client.close()
    return None


async def _read(client: AsyncModbusTcpClient | None, unit: Unit) -> Block:
    """Return one block; exception responses are returned by the library, not raised."""
    if client is None:
        return _failed(unit, "no connection")
    try:
        answer = await client.read_holding_registers(
            unit.start, count=unit.count, device_id=unit.device_id
        )
    except Exception as cause:  # bytes from outside may break the library anywhere
        client.close()  # a late answer must not be taken for the next one
        return _failed(unit, str(cause))
    if answer.isError():
        return _failed(unit, f"exception code {getattr(answer, 'exception_code', 'none')}")
    if len(answer.registers) != unit.count:
        return _failed(unit, f"{len(answer.registers)} registers instead of {unit.count}")
    return Block(unit=unit.name, at_us=micros(now()), words=tuple(answer.registers))


def _failed(unit: Unit, fault: str) -> Block:
    return Block(unit=unit.name, at_us=micros(now()), fault=fault)
