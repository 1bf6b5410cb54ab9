"""MT-SICS answer lines: the makers' vectors, and that no damaged line is another weight."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.reading import Status
from capture.scales import mtsics

VECTORS = [
    ("S S     100.00 g", Status.STABLE, "100.00", "g"),
    ("S D     129.07 g", Status.DYNAMIC, "129.07", "g"),
    ("S S      -0.02 kg", Status.STABLE, "-0.02", "kg"),
    ("S S   100.0[0] g", Status.STABLE, "100.00", "g"),
    ("SI S    100.00 g", Status.ERROR, None, None),
    ("SI S     100.00 g", Status.STABLE, "100.00", "g"),
    ("S I", Status.BUSY, None, None),
    ("S +", Status.OVERLOAD, None, None),
    ("S -", Status.UNDERLOAD, None, None),
    ("S L", Status.ERROR, None, None),
    ("ES", Status.ERROR, None, None),
    ("ET", Status.ERROR, None, None),
    ("EL", Status.ERROR, None, None),
    ("S S     100.00 lb", Status.ERROR, None, None),
    ("S S    1 00.00 g", Status.ERROR, None, None),
    ("S S    10\u0660.00 g", Status.ERROR, None, None),
    ("", Status.ERROR, None, None),
]


@pytest.mark.requirement("D1")
@pytest.mark.parametrize(("line", "status", "value", "unit"), VECTORS)
def test_answer_line_says_status_value_and_unit(
    line: str, status: Status, value: str | None, unit: str | None
) -> None:
    answer = mtsics.parse(line.encode() + b"\r\n")
    assert (answer.status, answer.unit) == (status, unit)
    assert answer.value == (None if value is None else Decimal(value))
    assert answer.value is None or str(answer.value) == value


def weight_lines() -> st.SearchStrategy[str]:
    numbers = st.decimals(-9999, 99999, places=2) | st.decimals(-999999, 9999999, places=0)
    return st.builds(
        lambda mark, value, unit: f"S {mark} {value:>10f} {unit}",
        st.sampled_from("SD"),
        numbers,
        st.sampled_from(["g", "kg"]),
    )


@pytest.mark.requirement("D1")
@given(weight_lines())
def test_whole_line_parses_as_written(line: str) -> None:
    answer = mtsics.parse(line.encode() + b"\r\n")
    assert (answer.value, answer.unit) == (Decimal(line[4:14].strip()), line[15:])
    assert answer.raw == line


@pytest.mark.requirement("D1")
@given(weight_lines(), st.data())
def test_no_truncated_line_parses_as_a_weight(line: str, data: st.DataObject) -> None:
    whole = line.encode() + b"\r\n"
    start = data.draw(st.integers(0, len(whole) - 1))
    end = data.draw(st.integers(start, len(whole)))
    if (start, end) == (0, len(whole)):
        return
    for damaged in (whole[start:end], whole[start:end].rstrip() + b"\r\n"):
        if damaged != whole:
            assert mtsics.parse(damaged).value is None


@pytest.mark.requirement("D1")
@given(weight_lines(), st.data())
def test_no_line_that_lost_bytes_inside_parses_as_a_weight(line: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(line) - 1))
    end = data.draw(st.integers(start + 1, len(line)))
    damaged = mtsics.parse((line[:start] + line[end:]).encode() + b"\r\n")
    # losing only the k of kg leaves a good line in another unit; the configured unit catches it
    assert (
        damaged.value is None
        or mtsics.parse((line[:start] + line[end:]).encode() + b"\r\n", unit="kg").value is None
    )


@pytest.mark.requirement("D1")
@pytest.mark.parametrize("end", [b"", b"\r", b"\n", b"\n\r"])
def test_line_without_its_whole_ending_was_cut_off(end: bytes) -> None:
    assert mtsics.parse(b"S S     100.00 g" + end).status is Status.ERROR


@given(st.binary(max_size=40))
def test_any_bytes_give_an_answer_and_never_an_exception(line: bytes) -> None:
    assert mtsics.parse(line + b"\r\n").status in Status


@pytest.mark.requirement("D1")
def test_other_unit_or_decimals_than_configured_is_an_error() -> None:
    line = b"S S     100.00 g\r\n"
    assert mtsics.parse(line, unit="g", decimals=2).status is Status.STABLE
    assert mtsics.parse(line, unit="kg", decimals=2).status is Status.ERROR
    assert mtsics.parse(line, unit="g", decimals=1).status is Status.ERROR
    assert mtsics.parse(line, unit="g", decimals=3).status is Status.ERROR


def test_serial_number_is_read_from_its_own_answer_only() -> None:
    assert mtsics.parse_identity(b'I4 A "B123456789"\r\n') == "B123456789"
    assert mtsics.parse_identity(b'I4 A "B123456789"') is None
    assert mtsics.parse_identity(b'I3 A "1.00"\r\n') is None
    assert mtsics.parse_identity(b"ES\r\n") is None
