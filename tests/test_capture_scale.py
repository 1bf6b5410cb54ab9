"""The weigh path over real sockets: our simulated scale, and a foreign simulator as oracle."""

import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest

from capture.reading import Reading, Status
from capture.scales.driver import LinkState, Scale, ScaleSettings
from capture.simulated import control
from capture.simulated.pan import Pan
from capture.simulated.scale import ScaleModel, SimulatedScale
from capture.transport import LinkLost, Port, SerialPort
from tests.patience import PATIENCE_S, eventually


@pytest.fixture
def plate() -> Iterator[SimulatedScale]:
    scale = SimulatedScale(
        ScaleModel(serial="B0001", capacity_g=Decimal(6000), d_g=Decimal("0.1"), settle_s=0.2)
    )
    yield scale
    scale.stop()


@contextmanager
def polling(url: str, **settings: object) -> Iterator[Scale]:
    options = {"name": "S1", "period_s": 0.03, "back_off_s": 0.05} | settings
    scale = Scale(ScaleSettings(**options), lambda: SerialPort(url))  # type: ignore[arg-type]
    scale.start()
    try:
        yield scale
    finally:
        scale.stop()


@pytest.mark.requirement("D1")
def test_stable_weight_arrives_with_raw_line_serial_and_both_clocks(plate: SimulatedScale) -> None:
    plate.place_g(Decimal("1809.3"))
    with polling(plate.url, serial="B0001", unit="g", decimals=1) as scale:
        reading = scale.read_stable(5)
    assert (reading.grams(), reading.status, reading.device) == (
        Decimal("1809.3"),
        Status.STABLE,
        "B0001",
    )
    assert reading.raw == "S S     1809.3 g"
    assert reading.t_server.utcoffset() is not None


@pytest.mark.requirement("D2")
def test_moving_pan_is_dynamic_and_never_usable(plate: SimulatedScale) -> None:
    with polling(plate.url) as scale:
        plate.pour(Decimal(500), 3.0)
        eventually(lambda: scale.latest.status is Status.DYNAMIC)
        reading = scale.read_stable(0.4)
        assert not reading.usable
        assert scale.link is LinkState.LINKED


@pytest.mark.requirement("D2")
def test_pour_is_read_once_it_has_come_to_rest(plate: SimulatedScale) -> None:
    with polling(plate.url) as scale:
        plate.place_g(Decimal(250))
        plate.pour(Decimal("1809"), 0.4)
        assert scale.read_stable(5).grams() == Decimal("2059.0")
        curve = scale.curve()
    assert {Status.DYNAMIC, Status.STABLE} <= {point.status for point in curve}
    assert [point.seq for point in curve] == sorted(point.seq for point in curve)
    assert curve[-1].t_mono_us - curve[0].t_mono_us <= 5_000_000


@pytest.mark.requirement("D1")
def test_overload_and_underload_have_no_value(plate: SimulatedScale) -> None:
    with polling(plate.url) as scale:
        plate.overload()
        eventually(lambda: scale.latest.status is Status.OVERLOAD)
        assert (scale.read_stable(0.3).value, scale.latest.grams()) == (None, None)
        plate.underload()
        eventually(lambda: scale.latest.status is Status.UNDERLOAD)
        assert scale.latest.value is None


@pytest.mark.requirement("D1")
def test_lost_link_shows_no_value_and_comes_back_by_itself(plate: SimulatedScale) -> None:
    seen: list[Reading] = []
    settings = ScaleSettings(name="S1", period_s=0.03, back_off_s=0.05, back_off_max_s=0.1)
    scale = Scale(settings, lambda: SerialPort(plate.url), on_reading=seen.append)
    scale.start()
    try:
        eventually(lambda: scale.latest.usable)
        plate.drop(0.5)
        eventually(lambda: scale.latest.status is Status.NO_LINK)
        assert scale.latest.value is None
        assert not scale.read_stable(0.1).usable
        eventually(lambda: scale.latest.usable)
    finally:
        scale.stop()
    assert scale.latest.status is Status.NO_LINK
    assert all(r.value is None for r in seen if r.status is Status.NO_LINK)
    assert [r.seq for r in seen] == sorted(r.seq for r in seen)


def test_scale_that_is_not_there_is_no_link(plate: SimulatedScale) -> None:
    url = plate.url
    plate.stop()
    with polling(url, back_off_max_s=0.1) as scale:
        assert scale.read_stable(0.3).status is Status.NO_LINK
    with pytest.raises(LinkLost, match="no link to the device"):
        SerialPort(url)


@pytest.mark.requirement("D1")
def test_device_with_another_serial_number_is_kept_out(plate: SimulatedScale) -> None:
    with polling(plate.url, serial="B0002") as scale:
        eventually(lambda: scale.link is LinkState.WRONG_DEVICE)
        reading = scale.latest
        assert (reading.status, reading.value) == (Status.ERROR, None)
        assert scale.fault == (
            "Scale S1: reports serial B0001, registered is B0002. Connect the registered scale."
        )
        assert not scale.read_stable(0.1).usable


def test_stopping_does_not_wait_for_the_pan_to_come_to_rest(plate: SimulatedScale) -> None:
    with polling(plate.url) as scale:
        plate.pour(Decimal(500), 60.0)
        waiting = threading.Thread(target=scale.read_stable, args=(20,))
        waiting.start()
        time.sleep(1.2)
        began = time.monotonic()
        scale.stop()
        assert time.monotonic() - began < 15  # it comes to rest after a minute
        assert scale.latest.status is Status.NO_LINK
        waiting.join(timeout=PATIENCE_S)
        assert not waiting.is_alive()


def test_tare_left_in_the_scale_is_cleared_on_connect(plate: SimulatedScale) -> None:
    plate.place_g(Decimal(200))
    port = SerialPort(plate.url)
    port.write(b"TI\r\n")
    assert port.readline(1).startswith(b"TI ")
    port.close()
    with polling(plate.url) as scale:
        assert scale.read_stable(5).grams() == Decimal("200.0")


def test_faulty_listener_does_not_stop_the_polling(plate: SimulatedScale) -> None:
    def broken(_: Reading) -> None:
        raise RuntimeError("the screen is gone")

    scale = Scale(
        ScaleSettings(name="S1", period_s=0.03), lambda: SerialPort(plate.url), on_reading=broken
    )
    scale.start()
    try:
        first = scale.latest.seq
        eventually(lambda: scale.latest.seq > first + 3)
        assert scale.fault == "listener: RuntimeError: the screen is gone"
    finally:
        scale.stop()


class Dropping:
    """A port that gives the lines it was made with, one for each question."""

    def __init__(self, lines: list[bytes]) -> None:
        self.lines = lines

    def write(self, line: bytes) -> None:
        self.asked = line

    def readline(self, timeout_s: float) -> bytes:
        if self.asked in (b"@\r\n", b"I4\r\n"):
            return b'I4 A "B0001"\r\n'
        return self.lines.pop(0) if self.lines else b""

    def flush(self) -> None: ...

    def close(self) -> None: ...


@pytest.mark.requirement("D2")
def test_one_stable_reading_alone_is_not_confirmed() -> None:
    lines = [b"S S     100.00 g\r\n", b"S S     100.01 g\r\n"] * 200
    scale = Scale(ScaleSettings(name="S1", period_s=0.01), lambda: Dropping(lines))
    scale.start()
    try:
        # every question is answered with the other value: SI and S take turns
        lines[:] = [f"S S     100.0{n % 9} g\r\n".encode() for n in range(2000)]
        reading = scale.read_stable(0.3)
    finally:
        scale.stop()
    assert reading.status in (Status.DYNAMIC, Status.BUSY, Status.NO_LINK)


def test_simulated_scale_answers_its_command_table(plate: SimulatedScale) -> None:
    port: Port = SerialPort(plate.url)

    def ask(command: str) -> str:
        port.write(command.encode() + b"\r\n")
        return port.readline(2).decode().strip()

    try:
        plate.place_g(Decimal(100))
        assert ask("S") == "S S      100.0 g"
        assert ask("T") == "T S      100.0 g"
        assert ask("SI") == "S S        0.0 g"
        assert ask("TA") == "TA A      100.0 g"
        assert ask("TA 50.00 g") == "TA A       50.0 g"
        assert ask("TA fifty g") == "TA L"
        assert ask("TAC") == "TAC A"
        assert ask("Z") == "Z A"
        plate.place_g(Decimal(3000))
        assert ask("S") == "S S     2900.0 g"
        assert ask("Z") == "Z +"
        assert ask("I4") == 'I4 A "B0001"'
        assert ask("@") == 'I4 A "B0001"'
        assert ask("I1").startswith("I1 A")
        assert ask("WHAT") == "ES"
        assert ask("SIR").startswith("S S")
        assert port.readline(1).startswith(b"S S")
    finally:
        port.close()


def test_control_port_moves_the_weight_from_another_process(plate: SimulatedScale) -> None:
    def send(line: str) -> str:
        return control.send("127.0.0.1", plate.control_port, line)

    assert send("PLACE 1234.5") == "OK"
    assert send("STATE").startswith("OK load_g=1234.5 ")
    assert send("POUR 100 0") == "OK"
    assert send("STATE").startswith("OK load_g=1334.5 ")
    assert send("REMOVE") == "OK"
    assert send("STATE").startswith("OK load_g=0 ")
    assert send("PLACE much").startswith("ERR PLACE:")
    assert send("JUMP") == "ERR JUMP: not a control line of a scale"


def test_pan_is_exact_once_settled_and_at_the_edge_of_its_range() -> None:
    pan = Pan(capacity_g=Decimal(1000), d_g=Decimal("0.1"), settle_s=1)
    pan.put(Decimal("500.04"), 0.0)
    assert not pan.settled(0.99)
    assert pan.settled(1.0)
    assert pan.net_g(1.0) == Decimal("500.0")
    pan.put(Decimal("1000.9"), 2.0)
    assert not pan.overloaded(4.0)
    pan.put(Decimal("1000.91"), 5.0)
    assert pan.overloaded(7.0)
    pan.put(Decimal(-2), 8.0)
    assert not pan.underloaded(10.0)
    pan.put(Decimal("-2.01"), 11.0)
    assert pan.underloaded(13.0)


def test_scale_that_weighs_in_kilograms_keeps_its_unit() -> None:
    twin = SimulatedScale(
        ScaleModel(capacity_g=Decimal(60_000), d_g=Decimal(1), unit="kg", settle_s=0.05)
    )
    try:
        twin.place_g(Decimal(12_503))
        with polling(twin.url, unit="kg", decimals=3) as scale:
            reading = scale.read_stable(5)
    finally:
        twin.stop()
    assert (reading.value, reading.unit, reading.grams()) == (
        Decimal("12.503"),
        "kg",
        Decimal(12_503),
    )


@contextmanager
def served(handle: Callable[[str], str | list[str] | None]) -> Iterator[str]:
    """Serve a foreign simulator over TCP, adding the line ends it leaves out."""

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for raw in self.rfile:
                answer = handle(raw.decode().strip())
                for line in [answer] if isinstance(answer, str) else answer or []:
                    self.wfile.write(line.encode() + b"\r\n")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Session) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"socket://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.requirement("D1")
def test_foreign_simulator_is_weighed_through_the_same_path() -> None:
    from labmcp_mettler_toledo.simulator import MTSICSSimulator  # loads slowly

    balance = MTSICSSimulator(load_g=52.18734)
    with (
        served(balance.handle) as url,
        polling(url, serial="B123456789", unit="g", decimals=4) as scale,
    ):
        reading = scale.read_stable(6)
        assert (reading.grams(), reading.device) == (Decimal("52.1873"), "B123456789")
        assert reading.raw == "S S    52.1873 g"
        assert scale.zero()
        assert scale.read_stable(6).grams() == Decimal("0.0000")
        balance.load_g = 400.0
        eventually(lambda: scale.latest.status is Status.OVERLOAD)
        assert not scale.read_stable(0.3).usable
