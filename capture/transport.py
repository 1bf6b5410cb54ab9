"""A line port to a device: serial port, TCP gateway or loop, all through one URL.

`/dev/ttyUSB0`, `COM3`, `socket://host:port`, `rfc2217://host:port` are equal here.
Every read has a deadline; a dead link raises `LinkLost` and never returns old bytes.
"""

import contextlib
import socket
import time
from dataclasses import dataclass
from typing import Protocol

import serial

from core.errors import MesError

BETWEEN_BYTES_S = 0.1


class DeviceFault(MesError):
    """Root of what a device or its link may do wrong."""


class LinkLost(DeviceFault):
    """The port cannot be opened, or broke while in use."""

    def __init__(self, url: str, cause: str) -> None:
        super().__init__(f"{url}: no link to the device ({cause}). Check cable, power and address.")
        self.url = url
        self.cause = cause


class Port(Protocol):
    """What a driver needs of a port."""

    def write(self, line: bytes) -> None:
        """Send one command line."""

    def readline(self, timeout_s: float) -> bytes:
        """Return bytes up to and including LF, or fewer when the deadline passes."""

    def flush(self) -> None:
        """Throw away what has arrived and was not read."""

    def close(self) -> None:
        """Give the port back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSettings:
    """Serial parameters; a network address ignores them."""

    baud: int = 9600
    data_bits: int = 8
    parity: str = "N"
    stop_bits: int = 1


class SerialPort:
    """A port of the `serial` library. All input and output of scales passes here."""

    def __init__(self, url: str, settings: LineSettings | None = None) -> None:
        line = settings or LineSettings()
        self.url = url
        try:
            self._device = serial.serial_for_url(
                url,
                baudrate=line.baud,
                bytesize=line.data_bits,
                parity=line.parity,
                stopbits=line.stop_bits,
                timeout=BETWEEN_BYTES_S,
                write_timeout=1.0,
            )
        except (serial.SerialException, OSError, ValueError) as cause:
            raise LinkLost(url, str(cause)) from cause

    def write(self, line: bytes) -> None:
        """Send one command line.

        Raises:
            LinkLost: the device takes no bytes.
        """
        try:
            self._device.write(line)
        except (serial.SerialException, OSError) as cause:
            raise LinkLost(self.url, str(cause)) from cause

    def readline(self, timeout_s: float) -> bytes:
        """Return bytes up to and including LF, or fewer when the deadline passes.

        Raises:
            LinkLost: the other side closed or the port broke.
        """
        deadline = time.monotonic() + timeout_s
        line = bytearray()
        try:
            while not line.endswith(b"\n") and time.monotonic() < deadline:
                # one byte at a time: whatever follows the LF belongs to the next answer
                line += self._device.read(1)
        except (serial.SerialException, OSError) as cause:
            raise LinkLost(self.url, str(cause)) from cause
        return bytes(line)

    def flush(self) -> None:
        """Throw away what has arrived and was not read.

        Raises:
            LinkLost: the port broke.
        """
        try:
            self._device.reset_input_buffer()
        except (serial.SerialException, OSError) as cause:
            raise LinkLost(self.url, str(cause)) from cause

    def close(self) -> None:
        """Give the port back; closing twice is harmless."""
        # the library forgets the socket without closing it when the peer has gone first
        left = getattr(self._device, "_socket", None)
        with contextlib.suppress(serial.SerialException, OSError):
            self._device.close()
        if isinstance(left, socket.socket):
            left.close()
