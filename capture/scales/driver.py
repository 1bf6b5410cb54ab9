"""A scale as the plant sees it: one thread that polls, checks identity and never invents a weight.

The thread asks `SI` five times a second and publishes each reading. A lost link publishes
`no_link` readings without a value; the old weight is never repeated. On every connection the
serial number is asked, and a device that is not the registered one is kept out.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, replace
from enum import StrEnum

from capture.reading import Answer, Reading, Status
from capture.scales import mtsics
from capture.scales.mtsics import Command
from capture.transport import DeviceFault, LinkLost, Port
from core.clock import now

CURVE_S = 5.0


type Heard = tuple[
    bytes, Reading | None
]  # an answer line, and the weight in it if it was asked for


class LinkState(StrEnum):
    """How far the driver has come with the device."""

    NO_LINK = "no_link"
    LINKED = "linked"
    WRONG_DEVICE = "wrong_device"


class Silent(DeviceFault):
    """The device is connected and did not answer in time."""

    def __init__(self, name: str, command: str) -> None:
        super().__init__(f"Scale {name}: no answer to {command}. Check that the scale is on.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleSettings:
    """What the driver must know of one scale.

    `serial`: the registered serial number, None where any device will do.
    `unit` and `decimals`: as configured on the device; a line with others is an error.
    """

    name: str
    serial: str | None = None
    unit: str | None = None
    decimals: int | None = None
    period_s: float = 0.2
    back_off_s: float = 0.2
    back_off_max_s: float = 5.0


class Scale:
    """Poll one scale until stopped. `open_port` makes a fresh port for each connection."""

    def __init__(
        self,
        settings: ScaleSettings,
        open_port: Callable[[], Port],
        *,
        on_reading: Callable[[Reading], None] | None = None,
    ) -> None:
        self.settings = settings
        self.link = LinkState.NO_LINK
        self.serial = ""
        self.fault: str | None = None  # the last thing that went wrong, in words
        self._open_port = open_port
        self._on_reading = on_reading
        self._arrived = threading.Condition()
        self._curve: deque[Reading] = deque()
        self._seq = 0
        self._latest = self._stamp(Answer(status=Status.NO_LINK, raw=""))
        self._requests: queue.SimpleQueue[tuple[Command, Future[Heard]]] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def latest(self) -> Reading:
        """The newest reading; `no_link` without a value while there is no link."""
        with self._arrived:
            return self._latest

    def curve(self) -> tuple[Reading, ...]:
        """Return the readings of the last five seconds, oldest first, as evidence."""
        with self._arrived:
            return tuple(self._curve)

    def start(self) -> None:
        """Start polling."""
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(
                target=self._run, name=f"scale-{self.settings.name}", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """Stop polling and close the port; the latest reading becomes `no_link`."""
        if self._thread is not None:
            self._stop.set()
            self._thread.join(timeout=20)
            self._thread = None

    def read_stable(self, timeout_s: float = 15.0) -> Reading:
        """Return a weight that two consecutive stable readings agree on.

        Both are taken after the call. When none settles in time, the last reading is
        returned and is not usable: its status says why, and a stable one that was never
        confirmed is given as dynamic.
        """
        deadline = time.monotonic() + timeout_s
        self._wait_until_quiet(min(deadline, time.monotonic() + 1.0))
        last = self.latest
        before: Reading | None = None
        while (left_s := deadline - time.monotonic()) > 0 and not self._stop.is_set():
            try:
                last = self._ask_stable(left_s)
            except DeviceFault:
                last, before = self.latest, None
                if last.usable:  # spoken by the poll a moment ago, but not confirmed
                    last = replace(last, status=Status.BUSY, value=None, unit=None)
                self._stop.wait(min(self.settings.period_s, max(0.0, left_s)))
                continue
            if before is not None and last.agrees_with(before):
                return last
            before = last
        return replace(last, status=Status.DYNAMIC) if last.usable else last

    def zero(self) -> bool:
        """Set the scale to zero; False when it refuses or does not answer."""
        try:
            return self._request(mtsics.ZERO)[0] == b"Z A\r\n"
        except DeviceFault:
            return False

    def _ask_stable(self, left_s: float) -> Reading:
        limit_s = min(left_s, mtsics.STABLE.timeout_s)
        _, reading = self._request(Command(mtsics.STABLE.line, limit_s))
        assert reading is not None
        return reading

    def _wait_until_quiet(self, deadline: float) -> None:
        """Wait for a stable poll, so that `S` will not block the live weight for long."""
        with self._arrived:
            self._arrived.wait_for(
                lambda: self._latest.usable, timeout=max(0.0, deadline - time.monotonic())
            )

    def _request(self, command: Command) -> Heard:
        """Have the polling thread ask one command, and return what it heard."""
        if self.link is not LinkState.LINKED:
            raise Silent(self.settings.name, command.line.decode().strip())
        answer: Future[Heard] = Future()
        self._requests.put((command, answer))
        try:
            return answer.result(timeout=command.timeout_s + 2.0)
        except (TimeoutError, CancelledError) as cause:
            answer.cancel()
            raise Silent(self.settings.name, command.line.decode().strip()) from cause

    def _run(self) -> None:
        """Keep a connection until stopped; whatever breaks one leads to the next."""
        wait_s = self.settings.back_off_s
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self._session()
            except DeviceFault as fault:
                self.fault = str(fault)
            except Exception as bug:  # a faulty line or listener must not end the polling
                self.fault = f"{type(bug).__name__}: {bug}"
            if self.link is not LinkState.WRONG_DEVICE:
                self._lose()
            if time.monotonic() - began > self.settings.back_off_max_s:
                wait_s = self.settings.back_off_s
            self._stop.wait(wait_s)
            wait_s = min(wait_s * 2, self.settings.back_off_max_s)
        self._lose()

    def _session(self) -> None:
        """Open, identify, poll. Returns when stopped or when the device is a wrong one."""
        port = self._open_port()
        try:
            if not self._identify(port):
                return
            due = time.monotonic()
            while not self._stop.is_set():
                self._serve_request(port)
                line = self._ask(port, mtsics.IMMEDIATE)
                self._publish(self._parse(line))
                due = max(due + self.settings.period_s, time.monotonic())
                self._stop.wait(due - time.monotonic())
        finally:
            port.close()

    def _identify(self, port: Port) -> bool:
        """Bring the device to a known state and compare its serial number."""
        port.flush()
        port.write(mtsics.RESET.line)  # ends repeated sending and clears a tare kept in the scale
        port.readline(mtsics.RESET.timeout_s)
        line = self._ask(port, mtsics.SERIAL_NUMBER)
        self.serial = mtsics.parse_identity(line) or ""
        wanted = self.settings.serial
        if wanted is not None and self.serial != wanted:
            self.link = LinkState.WRONG_DEVICE
            self.fault = (
                f"Scale {self.settings.name}: reports serial {self.serial or 'none'}, "
                f"registered is {wanted}. Connect the registered scale."
            )
            raw = line.decode("ascii", "replace").rstrip("\r\n")
            self._publish(Answer(status=Status.ERROR, raw=raw))
            return False
        self.link = LinkState.LINKED
        self.fault = None
        return True

    def _serve_request(self, port: Port) -> None:
        """Ask what a caller wants asked, one command per polling turn."""
        try:
            command, answer = self._requests.get_nowait()
        except queue.Empty:
            return
        if not answer.set_running_or_notify_cancel():
            return
        try:
            if command.line == mtsics.STABLE.line:
                line = self._ask_patiently(port, command)
                answer.set_result((line, self._publish(self._parse_patient(line))))
            else:
                answer.set_result((self._ask(port, command), None))
        except DeviceFault as fault:
            answer.set_exception(fault)
            raise

    def _ask_patiently(self, port: Port, command: Command) -> bytes:
        """Return the answer to `S`, or nothing when the pan did not come to rest in time.

        The pending command is called off with `@`, whose own answer marks the point after
        which no late weight can arrive.
        """
        port.flush()
        port.write(command.line)
        line, deadline = b"", time.monotonic() + command.timeout_s
        while not line.endswith(b"\n") and time.monotonic() < deadline and not self._stop.is_set():
            line += port.readline(0.2)  # in slices, so that stopping need not wait for the pan
        if line:
            return line
        port.write(mtsics.RESET.line)
        for _ in range(3):
            line = port.readline(mtsics.RESET.timeout_s)
            if mtsics.parse_identity(line) is not None:
                return b""
        raise Silent(self.settings.name, "@")

    def _ask(self, port: Port, command: Command) -> bytes:
        """Return the answer line; a device that stays silent costs the connection.

        A late answer could be taken for the answer to the next question, so the
        connection is made anew instead.
        """
        port.flush()
        port.write(command.line)
        line = port.readline(command.timeout_s)
        if not line:
            raise Silent(self.settings.name, command.line.decode().strip())
        return line

    def _parse(self, line: bytes) -> Answer:
        return mtsics.parse(line, unit=self.settings.unit, decimals=self.settings.decimals)

    def _parse_patient(self, line: bytes) -> Answer:
        return self._parse(line) if line else Answer(status=Status.BUSY, raw="")

    def _lose(self) -> None:
        """Say that there is no link, and refuse what callers still wait for."""
        self.link = LinkState.NO_LINK
        while True:
            try:
                command, answer = self._requests.get_nowait()
            except queue.Empty:
                break
            if answer.set_running_or_notify_cancel():
                answer.set_exception(LinkLost(self.settings.name, command.line.decode().strip()))
        self._publish(Answer(status=Status.NO_LINK, raw=""))

    def _stamp(self, answer: Answer) -> Reading:
        self._seq += 1
        return Reading(
            value=answer.value,
            unit=answer.unit,
            status=answer.status,
            device=self.serial,
            raw=answer.raw,
            t_server=now(),
            t_mono_us=time.monotonic_ns() // 1000,
            seq=self._seq,
        )

    def _publish(self, answer: Answer) -> Reading:
        with self._arrived:
            reading = self._stamp(answer)
            self._latest = reading
            self._curve.append(reading)
            oldest_us = reading.t_mono_us - int(CURVE_S * 1_000_000)
            while self._curve[0].t_mono_us < oldest_us:
                self._curve.popleft()
            self._arrived.notify_all()
        if self._on_reading is not None:
            try:
                self._on_reading(reading)
            except Exception as bug:  # a listener's fault must not end the polling
                self.fault = f"listener: {type(bug).__name__}: {bug}"
        return reading
