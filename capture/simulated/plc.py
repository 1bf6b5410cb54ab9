"""A simulated PLC of one line: Modbus TCP, holding registers, and a control port.

Registers from 0: state (PackML code), unit mode, reason code, speed per minute, heartbeat,
good counter (two words), reject counter (two words).
Control lines: `START <order> [<rate per min>]`, `STOP`, `DISTURB <kind> <seconds>`,
`DROP <seconds>` (no link for so long), `COUNT <good> <reject>`, `STATE`.
Run one with `python -m capture.simulated.plc --line L1 --port P --control C --rate-per-min 600
--seed 1 --pace 1`; port 0 takes a free one, and both are printed.
"""

import argparse
import asyncio
import socket
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from capture.machines import TagMap
from capture.modbus.decode import Tag, WordOrder, encode_uint32
from capture.simulated.control import ControlPort, wait_until_ended
from capture.simulated.line import REASONS, WRAP, Line, LineModel

REGISTERS = 9


def tag_map(word_order: WordOrder = "big") -> TagMap:
    """Return how to read the simulated PLC."""
    return TagMap(
        state=Tag(address=0, low=1, high=17),
        mode=Tag(address=1, high=9),
        reason=Tag(address=2, high=999),
        speed=Tag(address=3, high=60_000),
        good=Tag(address=5, kind="uint32", word_order=word_order),
        scrap=Tag(address=7, kind="uint32", word_order=word_order),
        reasons=REASONS,
    )


class SimulatedPlc:
    """A line's PLC on a thread of its own, with a control port."""

    def __init__(
        self,
        model: LineModel,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        control: int = 0,
        word_order: WordOrder = "big",
    ) -> None:
        self.host = host
        self.port = port or _free_port(host)
        self._word_order: WordOrder = word_order
        self._lock = threading.Lock()
        self._line = Line(model, at_us=_now_us())
        self._beats = 0
        self._drop_until_s = 0.0
        self._loop = asyncio.new_event_loop()
        self._ending = asyncio.Event()
        self._dropping = asyncio.Event()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, name="plc", daemon=True)
        self._thread.start()
        if not self._listening.wait(timeout=10):
            raise OSError(f"{host}:{self.port}: the simulated PLC cannot listen there")
        self._control = ControlPort(host, control, self._obey)
        self.control_port = self._control.port

    def stop(self) -> None:
        """Close both ports; stopping twice is harmless."""
        if not self._thread.is_alive():
            return
        self._control.stop()
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(timeout=10)

    def start_order(self, order: str, *, rate_per_min: int | None = None) -> None:
        """Put an order on the line; it executes while the order is on it."""
        with self._lock:
            self._line.start(order, _now_us(), rate_per_min=rate_per_min)

    def stop_order(self) -> None:
        """Take the order off the line."""
        with self._lock:
            self._line.stop(_now_us())

    def disturb(self, name: str, seconds: int) -> None:
        """Make trouble of a kind now."""
        with self._lock:
            self._line.disturb(name, seconds, _now_us())

    def drop(self, seconds: float) -> None:
        """Pull the network cable for so long; the line itself goes on."""
        self._drop_until_s = time.monotonic() + seconds
        self._loop.call_soon_threadsafe(self._dropping.set)

    def counters(self) -> tuple[int, int]:
        """Return (good, reject) as the registers would show them now."""
        with self._lock:
            self._line.advance(_now_us())
            return self._line.good, self._line.scrap

    def _obey(self, word: str, given: list[str]) -> str:
        match word, given:
            case "START", [order]:
                self.start_order(order)
            case "START", [order, rate]:
                self.start_order(order, rate_per_min=int(rate))
            case "STOP", []:
                self.stop_order()
            case "DISTURB", [name, seconds]:
                self.disturb(name, int(seconds))
            case "DROP", [seconds]:
                self.drop(float(seconds))
            case "COUNT", [good, scrap]:
                with self._lock:
                    self._line.good, self._line.scrap = int(good) % WRAP, int(scrap) % WRAP
            case "STATE", []:
                return f"OK {self._state()}"
            case _:
                raise ValueError("not a control line of a PLC")
        return "OK"

    def _state(self) -> str:
        good, scrap = self.counters()
        line = self._line
        return (
            f"state={line.state} mode={line.mode} reason={line.reason} good={good} reject={scrap}"
            f" speed={line.speed_per_min} order={line.order or '-'}"
        )

    def _registers(self) -> list[int]:
        with self._lock:
            line = self._line
            line.advance(_now_us())
            self._beats = (self._beats + 1) % 0x10000
            head = [line.state, line.mode, line.reason, line.speed_per_min, self._beats]
            good = encode_uint32(line.good, self._word_order)
            return head + good + encode_uint32(line.scrap, self._word_order)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        """Listen; when told to drop, close every link, wait, and listen again."""
        while not self._ending.is_set():
            server = self._server()
            await server.serve_forever(background=True)
            self._listening.set()
            await self._first(self._ending, self._dropping)
            await server.shutdown()  # type: ignore[no-untyped-call]
            self._dropping.clear()
            while not self._ending.is_set() and time.monotonic() < self._drop_until_s:
                await asyncio.sleep(0.02)
        await asyncio.sleep(0)  # let the closed transports end

    async def _first(self, *events: asyncio.Event) -> None:
        waiting = [asyncio.ensure_future(event.wait()) for event in events]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    def _server(self) -> ModbusTcpServer:
        async def refresh(*request: Any) -> ExcCodes | None:
            # function, start, address, count, the registers to change in place, written values
            request[4][:REGISTERS] = self._registers()
            return None

        data = SimData(0, values=[0] * REGISTERS, datatype=DataType.REGISTERS, readonly=True)
        device = SimDevice(1, [data], action=refresh)
        return ModbusTcpServer(device, address=(self.host, self.port))


def _now_us() -> int:
    return time.monotonic_ns() // 1000


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def main(given: Sequence[str] | None = None) -> int:
    """Run one PLC until interrupted."""
    options = argparse.ArgumentParser(description="Simulated PLC of one line")
    options.add_argument("--line", default="L1", help="name, for the process list only")
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--control", type=int, default=0)
    options.add_argument("--rate-per-min", type=int, default=600)
    options.add_argument("--reject-ppm", type=int, default=6_000)
    options.add_argument("--run-s", type=int, default=420)
    options.add_argument("--setup-s", type=int, default=0)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--pace", type=int, default=1)
    options.add_argument("--word-order", choices=["big", "little"], default="big")
    options.add_argument("--tied", action="store_true", help="end when standard input closes")
    chosen = options.parse_args(given)
    model = LineModel(
        rate_per_min=chosen.rate_per_min,
        reject_ppm=chosen.reject_ppm,
        run_s=chosen.run_s,
        setup_s=chosen.setup_s,
        pace=chosen.pace,
        seed=chosen.seed,
    )
    plc = SimulatedPlc(
        model,
        host=chosen.host,
        port=chosen.port,
        control=chosen.control,
        word_order=chosen.word_order,
    )
    sys.stdout.write(f"ready port={plc.port} control={plc.control_port}\n")
    sys.stdout.flush()
    wait_until_ended(tied=chosen.tied)
    plc.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
