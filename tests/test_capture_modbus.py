"""Registers, counters that wrap, and polling a real Modbus TCP server."""

import math
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client import AsyncModbusTcpClient, ModbusTcpClient

from capture.modbus.client import Block, Poller, Unit
from capture.modbus.counter import CounterLimits, Delta, Step, delta
from capture.modbus.decode import Tag, decode, encode_uint32, span, value_of
from capture.simulated import control
from capture.simulated.line import EXECUTE, HELD, IDLE, SETUP, WRAP, Line, LineModel
from capture.simulated.plc import SimulatedPlc, tag_map
from tests.patience import eventually

words = st.integers(0, 0xFFFF)
FOREIGN = AsyncModbusTcpClient.DATATYPE


@given(st.lists(words, min_size=2, max_size=2), st.sampled_from(["big", "little"]))
def test_numbers_decode_as_the_foreign_library_decodes_them(pair: list[int], order: str) -> None:
    for kind, foreign in (
        ("uint32", FOREIGN.UINT32),
        ("int32", FOREIGN.INT32),
        ("float32", FOREIGN.FLOAT32),
    ):
        ours = decode(pair, kind, order)
        theirs = AsyncModbusTcpClient.convert_from_registers(pair, foreign, word_order=order)
        assert ours == theirs or (math.isnan(ours) and math.isnan(theirs))


@given(st.integers(0, WRAP - 1), st.sampled_from(["big", "little"]))
def test_counter_register_round_trip(value: int, order: str) -> None:
    assert decode(encode_uint32(value, order), "uint32", order) == value


def test_wrong_word_order_falls_outside_the_range() -> None:
    block = [0x40E8, 0x0000]  # 7.25, high word first
    right = Tag(address=0, kind="float32", word_order="big", low=0.1, high=100)
    wrong = Tag(address=0, kind="float32", word_order="little", low=0.1, high=100)
    assert value_of(right, block, 0) == 7.25
    assert value_of(wrong, block, 0) is None


def test_range_of_a_tag_is_closed() -> None:
    tag = Tag(address=0, low=1, high=17)
    assert [value_of(tag, [n], 0) for n in (0, 1, 17, 18)] == [None, 1, 17, None]


def test_one_request_holds_both_words_of_every_tag() -> None:
    assert span([Tag(address=5, kind="uint32"), Tag(address=2)]) == (2, 5)
    assert tag_map().block() == (0, 9)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, 500, Delta(0, Step.FIRST)),
        (100, 130, Delta(30, Step.FORWARD)),
        (100, 100, Delta(0, Step.FORWARD)),
        (4_294_967_290, 31, Delta(37, Step.WRAPPED)),
        (5_000, 20, Delta(20, Step.RESET)),
        (5_000, 0, Delta(0, Step.RESET)),
        (5_000, 3_000_000, Delta(0, Step.LOST)),
        (0, 100, Delta(100, Step.FORWARD)),
        (0, 101, Delta(0, Step.LOST)),
    ],
)
def test_counter_step_by_step(before: int | None, after: int, expected: Delta) -> None:
    limits = CounterLimits(max_per_min=60, margin_percent=150, slack=10)  # 100 in a minute
    assert delta(before, after, elapsed_us=60_000_000, limits=limits) == expected


@pytest.mark.requirement("J1")
@given(
    st.sampled_from([16, 32]),
    st.integers(0, WRAP - 1),
    st.lists(st.integers(0, 900), min_size=1, max_size=40),
)
def test_sum_of_steps_is_what_was_made_over_any_number_of_wraps(
    bits: int, first: int, made: list[int]
) -> None:
    limits = CounterLimits(bits=bits, max_per_min=600)
    raw, total = first % (1 << bits), 0
    for pieces in made:
        after = (raw + pieces) % (1 << bits)
        step = delta(raw, after, elapsed_us=60_000_000, limits=limits)
        assert not step.estimated
        total, raw = total + step.count, after
    assert total == sum(made)


@given(st.integers(0, WRAP - 1), st.integers(0, WRAP - 1), st.integers(0, 10**12))
def test_no_step_is_more_than_the_line_can_make(before: int, after: int, elapsed_us: int) -> None:
    limits = CounterLimits(max_per_min=600)
    step = delta(before, after, elapsed_us=elapsed_us, limits=limits)
    assert 0 <= step.count <= limits.most(elapsed_us)


@pytest.fixture
def plc() -> Iterator[SimulatedPlc]:
    server = SimulatedPlc(LineModel(rate_per_min=60_000, run_s=10_000))
    yield server
    server.stop()


def unit(plc: SimulatedPlc, **changed: object) -> Unit:
    options = {"name": "L1", "host": plc.host, "port": plc.port, "start": 0, "count": 9}
    return Unit(**(options | {"period_s": 0.05, "timeout_s": 0.5} | changed))  # type: ignore[arg-type]


def test_poller_reads_gets_faults_as_blocks_and_comes_back(plc: SimulatedPlc) -> None:
    blocks: list[Block] = []
    poller = Poller([unit(plc)], blocks.append)
    poller.start()
    try:
        eventually(lambda: any(b.words for b in blocks))
        plc.drop(0.4)
        eventually(lambda: blocks[-1].words is None)
        assert blocks[-1].fault
        eventually(lambda: blocks[-1].words is not None)
    finally:
        poller.stop()
    assert [b.at_us for b in blocks] == sorted(b.at_us for b in blocks)
    assert not poller._thread


def test_address_that_does_not_exist_is_a_fault_not_a_value(plc: SimulatedPlc) -> None:
    blocks: list[Block] = []
    poller = Poller([unit(plc, start=500), unit(plc, name="L2")], blocks.append)
    poller.start()
    try:
        eventually(lambda: {"L1", "L2"} <= {b.unit for b in blocks})
    finally:
        poller.stop()
    assert {b.fault for b in blocks if b.unit == "L1"} == {"exception code 2"}
    assert all(b.words for b in blocks if b.unit == "L2")


def test_nobody_listening_is_a_fault_every_turn(plc: SimulatedPlc) -> None:
    nobody = unit(plc)
    plc.stop()
    blocks: list[Block] = []
    poller = Poller([nobody], blocks.append)
    poller.start()
    try:
        eventually(lambda: len(blocks) >= 4)
    finally:
        poller.stop()
    assert {b.fault for b in blocks} == {"no connection"}


def test_plc_serves_a_synchronous_client_and_refuses_writes(plc: SimulatedPlc) -> None:
    with ModbusTcpClient(plc.host, port=plc.port) as client:
        answer = client.read_holding_registers(0, count=9)
        assert answer.registers[0] == IDLE
        assert client.write_register(0, 6).isError()


def test_control_port_starts_disturbs_and_stops_the_line(plc: SimulatedPlc) -> None:
    def send(line: str) -> str:
        return control.send(plc.host, plc.control_port, line)

    assert send("STATE").startswith("OK state=4 ")
    assert send("DISTURB breakdown 5").startswith("ERR DISTURB:")
    assert send("START 1000178") == "OK"
    assert send("STATE").startswith("OK state=6 ")
    assert send("DISTURB breakdown 5") == "OK"
    assert send("STATE").startswith("OK state=11 mode=1 reason=12 ")
    assert send("COUNT 7 1") == "OK"
    assert "good=7 reject=1 " in send("STATE")
    assert send("STOP") == "OK"
    assert send("STATE").endswith("order=-")
    assert send("FLY").startswith("ERR FLY:")


S = 1_000_000


def test_line_makes_its_rate_while_an_order_runs_and_wraps() -> None:
    line = Line(LineModel(rate_per_min=600, reject_ppm=10_000, run_s=10**6, good=WRAP - 100))
    line.advance(60 * S)
    assert (line.good, line.state) == (WRAP - 100, IDLE)
    line.start("A", 60 * S)
    line.advance(120 * S)
    assert (line.good, line.scrap, line.state) == (594 - 100, 6, EXECUTE)
    line.stop(120 * S)
    line.advance(500 * S)
    assert (line.good, line.speed_per_min) == (494, 0)


def test_line_sets_up_first_when_its_model_says_so() -> None:
    line = Line(LineModel(setup_s=30, run_s=10**6))
    line.start("A", 0)
    assert line.mode == SETUP
    line.advance(30 * S - 1)
    assert line.mode == SETUP
    line.advance(30 * S)
    assert line.state == EXECUTE


def test_line_repeats_its_course_from_its_seed_at_any_step() -> None:
    def course(step_us: int) -> list[int]:
        line = Line(LineModel(seed=7, run_s=60))
        line.start("A", 0)
        seen = []
        for at in range(0, 3600 * S, step_us):
            line.advance(at)
            if at % (60 * S) == 0:
                seen.append((line.state, line.good, line.scrap))
        return seen

    assert course(1 * S) == course(60 * S)
    assert {state for state, _, _ in course(60 * S)} > {EXECUTE, HELD}
