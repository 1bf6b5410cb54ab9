"""Canonical bytes: equal to RFC 8785 on our subset, and what has none is refused."""

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from core.ledger.entry import Entry, NotCanonical, canonical, check, decode, encode

GOLDEN = Path(__file__).parent / "golden" / "canonical.json"

keys = st.text(st.characters(max_codepoint=127), max_size=8)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
)
values = st.recursive(
    scalars, lambda v: st.lists(v, max_size=4) | st.dictionaries(keys, v, max_size=4), max_leaves=12
)


def entry(**fields: Any) -> Entry:
    known: dict[str, Any] = {
        "seq": 2, "stream": "batch/B26-0178", "ver": 2, "prev": "ab" * 32,
        "type": "weighing.weight-recorded", "v": 1, "at": "2026-03-02T08:15:00.000000Z",
        "actor": "p-ama", "station": "K1", "idem": "k1:7", "reason": None,
        "data": {"net_g": "1000.50", "step": "lactose"},
    }  # fmt: skip
    return Entry(**{**known, **fields})


@pytest.mark.requirement("H3", "H5")
@given(values)
def test_canonical_bytes_are_those_of_rfc_8785(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)
    assert msgspec.json.decode(canonical(value)) == value


@pytest.mark.requirement("H5")
@given(st.dictionaries(keys, values, max_size=5))
def test_an_entry_reads_back_as_it_was(data: dict[str, Any]) -> None:
    given_entry = entry(data=data)
    body = encode(given_entry)
    assert decode(body) == given_entry
    assert body == rfc8785.dumps(msgspec.to_builtins(given_entry))
    assert b"\n" not in body


@pytest.mark.requirement("H5")
def test_stored_bytes_stay_as_they_are_for_ever() -> None:
    golden = json.loads(GOLDEN.read_text("utf-8"))
    assert golden
    for case in golden:
        assert encode(Entry(**case["entry"])).decode("utf-8") == case["bytes"]
        assert decode(case["bytes"].encode("utf-8")) == Entry(**case["entry"])


@dataclass
class Weight:
    net_g: str


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"a": [1, {"net_g": 0.5}]}, "a.1.net_g: float has no canonical form; use a string"),
        (float("nan"), "value: float has no canonical form; use a string"),
        ({"a": Decimal("1.0")}, "a: Decimal has no canonical form; use a string"),
        ({"a": Weight("1")}, "a: Weight has no canonical form; use a string"),
        ({"a": (1, 2)}, "a: tuple has no canonical form; use a string"),
        ({"a": b"x"}, "a: bytes has no canonical form; use a string"),
        ({"n": 2**53}, "n: integer of 2**53 or more; use a decimal string"),
        ({"n": -(2**53)}, "n: integer of 2**53 or more; use a decimal string"),
        ({"µ": 1}, "'µ': keys must be ASCII text"),
        ({1: 1}, "1: keys must be ASCII text"),
        ({"t": "\ud800"}, "t: lone surrogate"),
    ],
)  # fmt: skip
def test_a_value_without_canonical_form_is_refused_with_its_path(value: Any, sentence: str) -> None:
    with pytest.raises(NotCanonical) as refusal:
        check(value)
    assert str(refusal.value) == sentence


@pytest.mark.parametrize("number", [2**53 - 1, -(2**53) + 1, 0, True, False])
def test_integers_below_the_limit_pass(number: int) -> None:
    check({"n": number})


def test_nesting_of_64_levels_passes_and_65_is_refused() -> None:
    value: Any = 1
    for _ in range(64):
        value = [value]
    check(value)
    with pytest.raises(NotCanonical, match="nested deeper than 64 levels"):
        check([value])


@pytest.mark.requirement("H5")
@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"seq": 0}, "seq: must be a counting number"),
        ({"seq": True}, "seq: must be a counting number"),
        ({"v": "1"}, "v: must be a counting number"),
        ({"ver": 1}, "prev: must be None for the first entry of a stream, and only there"),
        ({"prev": None}, "prev: must be None for the first entry of a stream, and only there"),
        ({"prev": "AB" * 32}, "prev: must be a leaf hash in hex"),
        ({"at": "2026-03-02T08:15:00Z"}, "at: must be a UTC instant with microseconds and Z"),
        ({"stream": ""}, "stream: must be text, not empty, without control characters"),
        ({"actor": "a\x00"}, "actor: must be text, not empty, without control characters"),
        ({"idem": "a\n"}, "idem: must be text, not empty, without control characters"),
        ({"reason": 1}, "reason: must be text or None"),
        ({"data": []}, "data: must be a dict"),
        ({"data": {"net_g": 1.0}}, "data.net_g: float has no canonical form; use a string"),
    ],
)  # fmt: skip
def test_an_entry_with_a_wrong_field_is_refused(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(NotCanonical) as refusal:
        encode(entry(**fields))
    assert str(refusal.value) == sentence


@pytest.mark.parametrize("body", [b"", b"{}", b'{"seq":1}', b"[]", b"\xff"])
def test_bytes_that_are_no_entry_are_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="stored bytes are no entry"):
        decode(body)
