"""The simulators as programs of their own, the way the demonstration starts them."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest
from pymodbus.client import ModbusTcpClient

from capture.scales.driver import Scale, ScaleSettings
from capture.simulated import control
from capture.transport import SerialPort


@contextmanager
def program(module: str, *options: str) -> Iterator[tuple[int, int]]:
    running = subprocess.Popen(
        [sys.executable, "-m", module, "--tied", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdout
    assert running.stdin
    try:
        ready = re.fullmatch(r"ready port=(\d+) control=(\d+)\n", running.stdout.readline())
        assert ready
        yield int(ready[1]), int(ready[2])
        running.stdin.close()
        assert running.wait(timeout=10) == 0
    finally:
        running.kill()
        running.wait()
        running.stdout.close()


@pytest.mark.requirement("D1")
def test_scale_program_is_weighed_and_ends_with_its_parent() -> None:
    options = ("--serial", "B2", "--capacity-g", "6000", "--d-g", "0.1", "--settle-s", "0.1")
    with program("capture.simulated.scale", *options) as (port, control_port):
        assert control.send("127.0.0.1", control_port, "PLACE 1234.5") == "OK"
        settings = ScaleSettings(name="S2", serial="B2", period_s=0.05)
        scale = Scale(settings, lambda: SerialPort(f"socket://127.0.0.1:{port}"))
        scale.start()
        try:
            assert scale.read_stable(5).grams() == Decimal("1234.5")
        finally:
            scale.stop()


def test_plc_program_is_read_and_ends_with_its_parent() -> None:
    options = ("--line", "L1", "--seed", "3", "--rate-per-min", "1200")
    with program("capture.simulated.plc", *options) as (port, control_port):
        assert control.send("127.0.0.1", control_port, "START 1000178 900") == "OK"
        with ModbusTcpClient("127.0.0.1", port=port) as client:
            registers = client.read_holding_registers(0, count=9).registers
    assert (registers[0], registers[3]) == (6, 900)
