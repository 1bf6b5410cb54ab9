import re
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from core.clock import parse_iso
from core.ledger.entry import encode
from core.ledger.merkle import leaf_hash
from erp import contract
from erp.contract import Message, event_id, from_bytes, quantity_text, to_bytes
from erp.errors import MessageRefused, NotTranslated
from erp.events import BY_FACT, EVENTS, KINDS
from erp.messages import Known, identifier, lines_of, translate, wire_quantity
from tests.erp_plant import CHECKPOINT, NOTHING, SITE, Written, message_of

GOLDEN = (
    b'{"data":{"batch":"B1","checkpoint":{"root":"%s","size":7},"corrects":null,"entry":1,'
    b'"erp_ref":"%s","lines":[{"item":"LAC","location":null,"lot":"L-1","movement":"issue","n":1,'
    b'"quantity":"12","unit":"KGM"}],"occurred_at":"2026-11-23T05:44:41.123456Z",'
    b'"order":{"erp":"PO-1","mes":"W1"},"posting_date":"2026-11-23","signed_record":null},'
    b'"datacontenttype":"application/json",'
    b'"dataschema":"urn:batchwright:schema:mes.material_consumed.v1","id":"%s","partitionkey":"W1",'
    b'"sequence":"1","source":"/mes/P1","specversion":"1.0","subject":"W1",'
    b'"time":"2026-11-23T05:44:41.123Z","type":"mes.material_consumed.v1"}'
)


@pytest.mark.requirement("K6")
def test_a_message_has_these_bytes_for_ever() -> None:
    made = message_of(Written().consumed())
    ref, key = made.data.erp_ref.encode(), made.id.encode()
    assert to_bytes(made) == GOLDEN % (CHECKPOINT.root.encode(), ref, key)
    assert from_bytes(to_bytes(made)) == made


@pytest.mark.requirement("K6")
def test_the_bytes_are_those_of_rfc_8785() -> None:
    for entry in Written().batch():
        body = to_bytes(message_of(entry))
        assert rfc8785.dumps(msgspec.json.decode(body)) == body


@pytest.mark.requirement("K2")
def test_the_id_comes_from_the_entry_alone() -> None:
    entry = Written().consumed()
    again = Written().consumed()
    assert identifier(entry) == identifier(again)
    assert message_of(entry).data.erp_ref == contract.erp_ref(identifier(entry))
    assert identifier(Written().consumed(net_g="12000.1")) != identifier(entry)


@pytest.mark.requirement("K2")
def test_the_id_holds_the_instant_and_the_first_80_bits_of_the_leaf() -> None:
    entry = Written().consumed()
    leaf = leaf_hash(encode(entry))
    number = 0
    for digit in identifier(entry).removeprefix("evt_"):
        number = number * 32 + contract.CROCKFORD.index(digit)
    assert number >> 80 == int(parse_iso(entry.at).timestamp() * 1000)
    assert number & ((1 << 80) - 1) == int.from_bytes(leaf[:10])


@given(st.integers(0, 2**48 - 1), st.binary(min_size=32, max_size=32))
def test_every_id_fits_its_pattern(milliseconds: int, leaf: bytes) -> None:
    at = parse_iso("1970-01-01T00:00:00Z") + timedelta(milliseconds=milliseconds % 10**14)
    key = event_id(at, leaf)
    assert re.fullmatch(r"evt_[0-7][0-9A-HJKMNP-TV-Z]{25}", key)
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{16}", contract.erp_ref(key))


@pytest.mark.requirement("K9")
def test_no_member_of_any_message_can_hold_money() -> None:
    schema = msgspec.json.schema(Message)
    names = {name for part in schema["$defs"].values() for name in part.get("properties", {})}
    assert {"quantity", "unit", "lines"} <= names
    assert not [name for name in names if re.search("price|cost|amount|value|currency|money", name)]
    assert all(part["additionalProperties"] is False for part in schema["$defs"].values())


@pytest.mark.requirement("K9")
def test_a_message_with_a_price_is_refused() -> None:
    body = to_bytes(message_of(Written().consumed())).replace(b'"n":1', b'"n":1,"price":"4"')
    with pytest.raises(MessageRefused, match="unknown field `price`"):
        from_bytes(body)


@pytest.mark.parametrize("text", [b"12", b'"1e3"', b'"+1"', b'"1."', b'"01"', b'"NaN"'])
def test_a_quantity_that_is_no_plain_decimal_text_is_refused(text: bytes) -> None:
    body = to_bytes(message_of(Written().consumed()))
    with pytest.raises(MessageRefused):
        from_bytes(body.replace(b'"quantity":"12"', b'"quantity":' + text))


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12), max_value=10**12
    )
)
def test_a_quantity_keeps_its_value_in_one_spelling(value: Decimal) -> None:
    text = quantity_text(value)
    assert Decimal(text) == value
    assert quantity_text(Decimal(text) * Decimal("1.000")) == text


@given(st.integers(0, 10**12))
def test_grams_become_kilograms_exactly(tenth_mg: int) -> None:
    grams = Decimal(tenth_mg).scaleb(-4)
    text, unit = wire_quantity(grams, "g")
    assert (Decimal(text) * 1000, unit) == (grams, "KGM")


@pytest.mark.parametrize(
    ("at", "day"),
    [("2026-11-30T22:59:59.999999Z", "2026-11-30"), ("2026-11-30T23:00:00.000000Z", "2026-12-01")],
)
def test_the_posting_date_is_the_plants_calendar_day(at: str, day: str) -> None:
    assert SITE.posting_date(at).isoformat() == day


@pytest.mark.requirement("A2")
def test_a_fact_without_erp_order_has_no_message() -> None:
    entry = Written().write("batch.released", "batch/B9", order="W9", erp_order=None, batch="B9")
    assert translate(entry, SITE, NOTHING, sequence=1, checkpoint=None) is None


@pytest.mark.requirement("K8", "E7")
@pytest.mark.parametrize(
    "fact",
    ["material.reversed", "material.consumption-reversed", "material.production-reversed"],
)
def test_a_reversal_names_its_original_and_undoes_its_lines(fact: str) -> None:
    ledger = Written()
    first = message_of(ledger.consumed(net_g="12000.5"))
    undo = ledger.write(fact, "batch/B1", erp_order="PO-1", corrects=1)
    made = message_of(undo, 2, Known(erp_order=lambda _: None, original=lambda seq: first))
    assert made.type == "mes.posting_reversed.v1"
    assert made.data.corrects == first.id
    assert [(line.item, line.quantity) for line in made.data.lines] == [("LAC", "-12.0005")]
    assert made.partitionkey == "W1"


@pytest.mark.parametrize("data", [{"net_g": 1}, {"net_g": "x"}, {"quantity": "1", "unit": "stone"}])
def test_a_fact_without_an_exact_quantity_says_so(data: dict[str, object]) -> None:
    named = {"order": "W1", "material": "LAC", "lot": "L-1", **data}
    entry = Written().write("material.consumed", "batch/B1", **named)
    with pytest.raises(NotTranslated, match=r"Entry 1 \(material.consumed\)"):
        lines_of(entry)


def test_every_fact_type_has_a_message_type_of_its_own() -> None:
    assert len(KINDS) == len(EVENTS) == 15
    assert len(BY_FACT) == sum(1 + len(one.also) for one in EVENTS)
