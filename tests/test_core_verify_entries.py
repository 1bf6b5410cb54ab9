"""Lines read together: what passes at once is what passes one by one, whatever somebody wrote."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ledger.entry import Entry, encode
from tests.verifier import stand_alone

LEAF = "0" * 64


def line(seq: int, data: dict[str, Any] | None = None, **others: Any) -> bytes:
    fields: dict[str, Any] = {
        "seq": seq, "stream": f"batch/B{seq}", "ver": 1, "prev": None, "type": "batch.noted",
        "v": 1, "at": "2026-03-02T08:15:00.000000Z", "actor": "ama", "station": "K1", "idem": "k",
        "reason": None, "data": {"n": seq} if data is None else data,
    }  # fmt: skip
    return encode(Entry(**{**fields, **others})) + b"\n"


def together(lines: list[bytes], first: int = 1) -> Any:
    """What reading at once says of lines whose hashes are right."""
    leaves = [hashlib.sha256(b"\0" + one[:-1]).hexdigest() for one in lines]
    return stand_alone.read_entries(lines, leaves, first)


def singly(lines: list[bytes], first: int = 1) -> Any:
    """What reading one by one says: every entry, or None where one is refused."""
    leaves = [hashlib.sha256(b"\0" + one[:-1]).hexdigest() for one in lines]
    try:
        return list(stand_alone.one_by_one(lines, leaves, first, size=99))
    except stand_alone.Broken:
        return None


texts = st.text(st.sampled_from('ab"\\[]{},:é\x01'), max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=6,
)
datas = st.dictionaries(st.sampled_from(["a", "b", "net_g"]), values, max_size=3)


@pytest.mark.requirement("H2")
@given(st.lists(datas, min_size=1, max_size=5), st.data())
def test_what_passes_at_once_passes_one_by_one_after_any_change(
    bodies: list[dict[str, Any]], choice: st.DataObject
) -> None:
    lines = [line(seq, data) for seq, data in enumerate(bodies, 1)]
    for _ in range(choice.draw(st.integers(0, 3))):
        number = choice.draw(st.integers(0, len(lines) - 1))
        old = lines[number]
        place = choice.draw(st.integers(0, max(len(old) - 2, 0)))
        new = choice.draw(
            st.sampled_from([b"", b" ", b"],[", b"]", b"[", b",", b'"', b"1", b"null"])
        )
        upto = place + choice.draw(st.integers(0, 3))
        lines[number] = old[:place] + new + old[upto:-1] + b"\n"
    found = together(lines)
    if found is not None:
        assert found == singly(lines)


@pytest.mark.requirement("H2")
@given(st.lists(datas, min_size=1, max_size=5), st.integers(1, 2**40))
def test_entries_of_ours_pass_at_once_unless_they_hold_lists_side_by_side(
    bodies: list[dict[str, Any]], first: int
) -> None:
    lines = [line(seq, data) for seq, data in enumerate(bodies, first)]
    expected = singly(lines, first)
    assert [one["data"] for one in expected] == bodies
    assert together(lines, first) == (None if b"],[" in b"".join(lines) else expected)


def cut(first: bytes, second: bytes, rest: bytes) -> list[bytes]:
    return [first + b"\n", second + b"\n", rest]


ONE, TWO = line(1)[:-1], line(2)[:-1]


@pytest.mark.requirement("H2")
@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(cut(ONE[:1], ONE[1:], line(2)), id="an entry over two lines"),
        pytest.param(cut(ONE + b"," + TWO, b"", line(3)), id="two entries in a line, one in none"),
        pytest.param(cut(ONE + b"],[" + TWO, b"", line(3)), id="two entries as two lists"),
        pytest.param(
            cut(ONE + b"],[" + TWO[:-12], TWO[-12:], line(3)), id="a line that lends its neighbour"
        ),
        pytest.param(cut(ONE + b"],5,[" + TWO, b"", line(3)), id="a number between lists"),
        pytest.param([line(1), line(2)[:-1]], id="no newline at the end"),
        pytest.param([line(1), line(3)], id="a number left out"),
        pytest.param([line(1), b"{}\n"], id="no fields"),
        pytest.param([line(1), b"[]\n"], id="no object"),
        pytest.param([line(1), line(2).replace(b'"n":2', b'"n":2,"n":2')], id="a key twice"),
        pytest.param([line(1), line(2).replace(b'"n":2', b'"n":2.5')], id="a float"),
        pytest.param([line(1), line(2).replace(b'"n":2', b'"n":9007199254740992')], id="too large"),
        pytest.param([line(1), line(2).replace(b'"v":1', b'"v":0')], id="a version below 1"),
        pytest.param([line(1), line(2).replace(b'"v":1', b'"v":true')], id="a version of a kind"),
        pytest.param([line(1), line(2).replace(b"08:15", b"8:15")], id="no instant"),
        pytest.param([line(1), line(2).replace(b'"ama"', b'""')], id="nobody"),
        pytest.param([line(1), line(2).replace(b'"n"', '"é"'.encode())], id="a key not ASCII"),
        pytest.param([line(1), line(2, {"n": "é"}).replace(b"{", b"{ ", 1)], id="a space"),
    ],
)  # fmt: skip
def test_lines_that_do_not_pass_one_by_one_do_not_pass_at_once(lines: list[bytes]) -> None:
    assert singly(lines) is None
    assert together(lines) is None


def test_line_whose_hash_is_another_does_not_pass_at_once() -> None:
    lines = [line(1), line(2)]
    assert stand_alone.read_entries(lines, [LEAF, LEAF], 1) is None
    assert together(lines) == [json.loads(one) for one in lines]
