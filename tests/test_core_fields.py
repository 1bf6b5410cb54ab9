"""Fields of commands: what cannot be worked with is refused at the door and leaves nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from core.batch.steps import CompleteStep
from core.execution import Actor, Credentials
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
             "M\u20671", "M\xad1", "M\u31641",
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


UNSEEN = ["a\x00b", "5.0 \u202egk", "a\u2067b", "a\u2028b", "a\x85b", "a\U000e0041b"]


@pytest.mark.parametrize("words", ["", " ", "\n \t", *UNSEEN])
def test_blank_words_are_no_reason(floor: Floor, words: str) -> None:
    before = floor.size()
    refusal(FieldRefused, lambda: floor.act(opening(why=words), "sana"))
    seen = Seen(stream="lot/CC-3102", ver=1, head="0")
    hold = ChangeLotStatus(lot="CC-3102", status=LotStatus.ON_HOLD, why=words, seen=seen)
    refusal(FieldRefused, lambda: check(hold))
    assert floor.size() == before


@pytest.mark.parametrize("sign", ["\U000e0041", "\U000e007f"])
def test_sign_that_no_screen_shows_is_refused_in_every_field(sign: str) -> None:
    for field in ("order", "unit", "why"):
        given = opening(**{field: f"M{sign}1"})
        assert f"{field} has a character that no" in refusal(FieldRefused, lambda g=given: check(g))


def test_words_on_several_lines_are_taken() -> None:
    check(opening(why="Trial.\r\n\tSecond line: 5 µm, ≥ 2 %.\n"))


@pytest.mark.parametrize("reason", ["", "  ", "x" * 4001, *UNSEEN])
def test_reason_of_a_command_is_given_or_left_out(floor: Floor, reason: str) -> None:
    before = floor.size()
    said = refusal(FieldRefused, lambda: floor.act(opening(), "sana", reason=reason))
    assert said.startswith("order.open: reason ")
    assert floor.size() == before


@pytest.mark.requirement("H3")
@pytest.mark.parametrize("comment", ["x" * 2001, " " * 2001, *UNSEEN])
def test_comment_of_a_signer_is_words_whoever_takes_it(floor: Floor, comment: str) -> None:
    before, quinn = floor.size(), floor.accounts["quinn"]
    hold = ChangeLotStatus(
        lot="CC-3102", status=LotStatus.ON_HOLD, why="Ask.", seen=floor.seen("lot/CC-3102")
    )
    given = Credentials(secret=quinn.secret, user="quinn", comment=comment)
    said = refusal(FieldRefused, lambda: floor.sign(hold, "quinn", credentials=given))
    assert said.startswith("lot.change-status: comment ")
    actor = Actor("quinn", "office")
    refusal(
        FieldRefused,
        lambda: floor.execution.prepare(
            hold, actor=actor, idem="act:1", who="quinn", comment=comment
        ),
    )
    assert floor.size() == before


@pytest.mark.parametrize("comment", ["", "  ", "x" * 2000, "Zwei\nZeilen: ≥ 5 µm 😀 שלום"])
def test_comment_of_a_signer_may_be_empty_or_in_any_script(floor: Floor, comment: str) -> None:
    hold = ChangeLotStatus(
        lot="CC-3102", status=LotStatus.ON_HOLD, why="Ask.", seen=floor.seen("lot/CC-3102")
    )
    given = Credentials(secret=floor.accounts["quinn"].secret, user="quinn", comment=comment)
    floor.sign(hold, "quinn", station="office", credentials=given)
    signed = floor.execution.ledger.stream("lot/CC-3102")[-2]
    assert signed.data["manifest"].get("comment", "") == comment


def test_integers_texts_keys_and_lists_have_an_end() -> None:
    stop = LabelStop(line="L1", start_us=2**53, reason="jam", category="stop")
    assert "start_us is a whole number of 2^53" in refusal(FieldRefused, lambda: check(stop))
    long = opening(unit="k" * 4001)
    assert "unit has 4001 characters" in refusal(FieldRefused, lambda: check(long))
    odd = CompleteStep(batch="B", step="9", values={"wärme": Decimal(1)})
    assert "values has a key" in refusal(FieldRefused, lambda: check(odd))
    many = CompleteStep(batch="B", step="9", values={f"v{n}": Decimal(n) for n in range(1001)})
    assert "values has 1001 items" in refusal(FieldRefused, lambda: check(many))
