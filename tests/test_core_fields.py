"""Fields of commands: what cannot be worked with is refused at the door and leaves nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from core.batch.steps import CompleteStep
from core.fact import Command
from core.fields import FieldRefused, check_fields
from core.line import LabelStop
from core.material import ChangeLotStatus, ContainerQuantity, LotStatus, ReceiveLot
from core.order import OpenOrder
from core.signature import Seen
from tests.floor import Floor
from tests.hands import refusal


def check(command: Command) -> None:
    check_fields(command, msgspec.json.encode(command))


def opening(**changes: Any) -> OpenOrder:
    fields = {"order": "M1", "product": "PARA500", "quantity": Decimal(60), "unit": "kg"}
    return OpenOrder(**fields | {"why": "Trial."} | changes)


@pytest.mark.parametrize(
    "number", ["NaN", "sNaN", "Infinity", "-Infinity", "1E+999999999", "0E+999999999", "1E-13",
               "1E+15", "-1E+15", "9" * 29]
)  # fmt: skip
def test_number_that_cannot_be_worked_with_is_refused_and_leaves_nothing(
    floor: Floor, number: str
) -> None:
    before = floor.size()
    command = opening(quantity=Decimal(number))
    said = refusal(FieldRefused, lambda: floor.act(command, "sana", idem="odd-1"))
    assert said.startswith("order.open: quantity is ")
    assert said.endswith("Correct it and send the command again.")
    assert floor.size() == before
    floor.act(opening(), "sana", idem="odd-1")  # the id of a refused request is not used up


@pytest.mark.parametrize("number", ["0", "-3.5", "1E-12", "999999999999999", "0." + "1" * 12])
def test_number_at_the_limits_is_taken(number: str) -> None:
    check(CompleteStep(batch="B26-0001", step="9", values={"value": Decimal(number)}))


def test_number_inside_a_list_or_a_mapping_is_found_and_named() -> None:
    nan = Decimal("NaN")
    lot = ReceiveLot(
        lot="L", material="povidone", supplier="S", unit="kg",
        containers=(ContainerQuantity(container="C01", quantity=nan),),
    )  # fmt: skip
    assert "containers[0].quantity is NaN" in refusal(FieldRefused, lambda: check(lot))
    step = CompleteStep(batch="B26-0001", step="9", values={"value": nan})
    assert "values.value is NaN" in refusal(FieldRefused, lambda: check(step))


@pytest.mark.parametrize(
    "name", ["", " ", " M1", "M1 ", "M1\n", "M\n1", "M\x001", "M\x7f1", "M\u200b1", "M\u202e1",
             "M" * 65]
)  # fmt: skip
def test_name_that_does_not_show_as_it_is_is_refused(floor: Floor, name: str) -> None:
    before = floor.size()
    said = refusal(FieldRefused, lambda: floor.act(opening(order=name), "sana"))
    assert said.startswith("order.open: order does not fit: ")
    assert floor.size() == before


@pytest.mark.parametrize("name", ["M", "WH/MO/00042", "M-1@2", "Ø 9 mm", "Rüstzeit", "M" * 64])
def test_name_as_other_systems_write_it_is_taken(name: str) -> None:
    check(opening(order=name))


@pytest.mark.parametrize("words", ["", " ", "\n \t", "a\x00b"])
def test_blank_words_are_no_reason(floor: Floor, words: str) -> None:
    before = floor.size()
    refusal(FieldRefused, lambda: floor.act(opening(why=words), "sana"))
    seen = Seen(stream="lot/CC-3102", ver=1, head="0")
    hold = ChangeLotStatus(lot="CC-3102", status=LotStatus.ON_HOLD, why=words, seen=seen)
    refusal(FieldRefused, lambda: check(hold))
    assert floor.size() == before


def test_words_on_several_lines_are_taken() -> None:
    check(opening(why="Trial.\r\n\tSecond line: 5 µm, ≥ 2 %.\n"))


@pytest.mark.parametrize("reason", ["", "  ", "x" * 4001])
def test_reason_of_a_command_is_given_or_left_out(floor: Floor, reason: str) -> None:
    before = floor.size()
    said = refusal(FieldRefused, lambda: floor.act(opening(), "sana", reason=reason))
    assert said.startswith("order.open: reason ")
    assert floor.size() == before


def test_integers_texts_keys_and_lists_have_an_end() -> None:
    stop = LabelStop(line="L1", start_us=2**53, reason="jam", category="stop")
    assert "start_us is a whole number of 2^53" in refusal(FieldRefused, lambda: check(stop))
    long = opening(unit="k" * 4001)
    assert "unit has 4001 characters" in refusal(FieldRefused, lambda: check(long))
    odd = CompleteStep(batch="B", step="9", values={"wärme": Decimal(1)})
    assert "values has a key" in refusal(FieldRefused, lambda: check(odd))
    many = CompleteStep(batch="B", step="9", values={f"v{n}": Decimal(n) for n in range(1001)})
    assert "values has 1001 items" in refusal(FieldRefused, lambda: check(many))
