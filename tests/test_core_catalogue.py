"""Stored bodies of every version are read for ever: golden files, and steps between versions."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from core import catalogue
from core.catalogue import COMMANDS, EVENTS, UPCAST, Noun, UnknownType, from_data, to_data, upcast
from core.fact import Event, Recorded
from core.ledger.export import export_bundle
from core.ledger.store import open_store
from core.ledger.writer import Draft
from core.projections.nouns import differences, prepare, replay
from tests.ledgers import KEY, job, reading, writing
from tests.verifier import stand_alone
from tests.write_golden import FOLDER, example, golden_file, unwritten

GOLDEN = sorted(FOLDER.glob("*.json"))


def golden(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def test_type_without_golden_file_is_named_with_the_command_that_writes_it() -> None:
    assert unwritten({"oven.set": OvenSet}) == (
        "oven.set version 3: no golden file. Run `python -m tests.write_golden`, look at what it"
        " wrote, and commit it."
    )


@pytest.mark.requirement("H5")
@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_stored_body_is_read_for_ever(path: Path) -> None:
    held = golden(path)
    assert path == golden_file(held["type"], held["v"])
    kind = EVENTS[held["type"]]  # a retired type keeps its class
    for body in held["bodies"]:
        event = from_data(held["type"], held["v"], body)
        now = to_data(event)
        assert from_data(held["type"], kind.SCHEMA, now) == event
        carried = upcast(held["type"], held["v"], body)
        assert {name: now[name] for name in carried} == carried  # new fields have defaults


def test_every_version_before_the_newest_has_its_step_and_its_golden_file() -> None:
    before = {(type_, v) for type_, kind in EVENTS.items() for v in range(1, kind.SCHEMA)}
    assert set(UPCAST) == before
    assert [one for one in before if not golden_file(*one).exists()] == []


def test_example_of_an_event_gives_every_field_or_only_the_needed_ones() -> None:
    whole, bare = (example(OvenSet, whole=whole) for whole in (True, False))
    assert (whole, bare) == (
        OvenSet(oven="oven é", value=Decimal("10.50"), unit="unit é"),
        OvenSet(oven="oven é", value=Decimal("10.50")),
    )


# An oven: version 1 held whole degrees Fahrenheit, version 2 Celsius, version 3 a value and unit.


class OvenSet(Event, tag="oven.set"):
    SCHEMA: ClassVar[int] = 3
    oven: str
    value: Decimal
    unit: str = "degC"


class Oven(msgspec.Struct, frozen=True):
    KIND: ClassVar[str] = "oven"
    oven: str
    value: Decimal


def apply_oven(_state: Oven | None, fact: Recorded) -> Oven:
    assert isinstance(fact.event, OvenSet)
    return Oven(fact.event.oven, fact.event.value)


def to_celsius(data: dict[str, Any]) -> dict[str, Any]:
    fahrenheit = data.pop("fahrenheit")
    return data | {"celsius": str(Decimal(fahrenheit - 32) * 5 / 9)}


def to_unit(data: dict[str, Any]) -> dict[str, Any]:
    return {"oven": data["oven"], "value": data["celsius"], "unit": "degC"}


STORED = {1: {"oven": "O1", "fahrenheit": 50}, 2: {"oven": "O1", "celsius": "10"}}


@pytest.fixture
def oven(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalogue.EVENTS, "oven.set", OvenSet)
    monkeypatch.setitem(catalogue.NOUNS, "oven", Noun("oven", Oven, apply_oven))
    monkeypatch.setitem(catalogue.UPCAST, ("oven.set", 1), to_celsius)
    monkeypatch.setitem(catalogue.UPCAST, ("oven.set", 2), to_unit)


@pytest.mark.usefixtures("oven")
@pytest.mark.parametrize("v", [1, 2])
def test_older_body_is_carried_up_one_version_at_a_time(v: int) -> None:
    stored = dict(STORED[v])
    assert from_data("oven.set", v, stored) == OvenSet(oven="O1", value=Decimal(10))
    assert stored == STORED[v]  # a step never changes what it was given


@pytest.mark.usefixtures("oven")
@pytest.mark.parametrize("v", [0, 4])
def test_version_that_this_server_does_not_know_stops_it(v: int) -> None:
    with pytest.raises(UnknownType) as refusal:
        from_data("oven.set", v, {"oven": "O1"})
    assert str(refusal.value) == (
        f"Entry type oven.set version {v}: not known to this server."
        " Start the newer server that wrote it."
    )


@pytest.mark.usefixtures("oven")
def test_ledger_of_older_bodies_folds_to_the_state_of_today_and_keeps_its_bytes(
    tmp_path: Path,
) -> None:
    where = tmp_path / "ledger.db"
    drafts = [Draft(f"oven/O{v}", "oven.set", v, data) for v, data in STORED.items()]
    newest = OvenSet(oven="O1", value=Decimal(10))
    drafts.append(Draft("oven/O3", "oven.set", newest.SCHEMA, to_data(newest)))
    with writing(where) as writer:
        for number, draft in enumerate(drafts):
            writer.submit(job(f"c:{number}", draft)).result(20)
    prepare(open_store(where), anew=True)
    with reading(where) as ledger:
        states = {row.stream: row.state for row in replay(ledger)}
        assert states == {f"oven/O{v}": Oven("O1", Decimal(10)) for v in (1, 2, 3)}
        assert differences(ledger) == []
        assert [entry.data for entry in ledger.entries()][:2] == list(STORED.values())
        export_bundle(ledger, tmp_path / "out", vkey=KEY.vkey)
    assert stand_alone.verify(str(tmp_path / "out"), KEY.vkey, None).startswith("OK: 3 entries\n")


def test_no_two_commands_have_one_name() -> None:
    """The description of the REST interface names each by its class."""
    names = [kind.__name__ for kind in COMMANDS.values()]
    assert sorted(names) == sorted(set(names))
