"""Every noun, command and event of the plant by its stored name.

Stored names are literals and stay here for ever; a retired type keeps its class. An event's
body is the canonical form of its fields; the type and its schema version stand in the entry.
Stored bytes are never rewritten: a body of an older version is carried up when it is read, one
version at a time, and `tests/golden/events` holds one file of every version there ever was.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from core import (
    access,
    access_review,
    authority,
    bom,
    boundary,
    capa,
    client,
    clock_step,
    correction_request,
    deviation,
    difference,
    difference_fix,
    difference_replace,
    dispatch,
    equipment,
    erp_door,
    erp_key,
    erp_record,
    first_weighing,
    key_revocation,
    line,
    log_key,
    material,
    numbering,
    order,
    order_link,
    passkey,
    people,
    person_events,
    recipe,
    reconciliation,
    record_print,
    recovery_key,
    refusal,
    release,
    replay,
    severity,
    signature,
    signing_gates,
    weighing,
)
from core.batch import amendment, correct, reopen, steps
from core.batch import events as batch_events
from core.batch import fold as batch_fold
from core.batch import state as batch_state
from core.errors import LedgerBroken
from core.fact import Command, Context, Event, Facts, Plant

type Decide = Callable[[Plant, Any, Context], Facts]
type Apply = Callable[[Any, Any], Any]
type IsOver = Callable[[Any], bool]
type Upcast = Callable[[dict[str, Any]], dict[str, Any]]


def never(state: object) -> bool:
    """Say of a noun that goes on for as long as its plant that it is not over."""
    return False


@dataclass(frozen=True, slots=True)
class Noun:
    """A kind of stream: the state it folds to, how, and whether that state waits for nobody."""

    kind: str
    state: type
    apply: Apply
    is_over: IsOver = never

    @property
    def ends(self) -> bool:
        """Whether it can be over at all."""
        return self.is_over is not never


def _noun(state: Any, apply: Apply, *, is_over: IsOver = never) -> Noun:
    return Noun(state.KIND, state, apply, is_over)


NOUNS: dict[str, Noun] = {
    noun.kind: noun
    for noun in (
        _noun(authority.PlantRules, authority.apply),
        _noun(signing_gates.SigningGates, signing_gates.apply),
        _noun(people.Person, people.apply),
        _noun(people.BadgeOwner, people.apply_badge),
        _noun(passkey.Passkey, passkey.apply),
        _noun(passkey.Keyring, passkey.apply_keyring),
        _noun(people.Administrators, people.apply_administrators),
        _noun(access.ProviderIdentity, access.apply_identity),
        _noun(client.Client, client.apply),
        _noun(material.Material, material.apply_material),
        _noun(material.Lot, material.apply),
        _noun(equipment.Equipment, equipment.apply),
        _noun(equipment.Station, equipment.apply_station),
        _noun(recipe.MasterRecipe, recipe.apply),
        _noun(recipe.Product, recipe.apply_product),
        _noun(bom.ErpBom, bom.apply),
        _noun(erp_door.ErpDoor, erp_door.apply),
        _noun(erp_key.ErpKey, erp_key.apply),
        _noun(erp_record.ErpMaterial, erp_record.apply_material),
        _noun(erp_record.Customer, erp_record.apply_customer),
        _noun(order.Order, order.apply, is_over=lambda it: it.state in order.OVER),
        _noun(numbering.Sequence, numbering.apply),
        _noun(
            batch_state.Batch,
            batch_fold.apply,
            is_over=lambda it: it.state in batch_state.DECIDED,
        ),
        _noun(
            amendment.Amendment,
            amendment.apply,
            is_over=lambda it: it.state is not amendment.AmendmentState.OPEN,
        ),
        _noun(
            deviation.Deviation,
            deviation.apply,
            is_over=lambda it: it.state is not deviation.DeviationState.OPEN,
        ),
        _noun(capa.CapaLinks, capa.apply),
        _noun(severity.SeverityRules, severity.apply),
        _noun(line.Line, line.apply),
        _noun(line.Telemetry, line.apply_telemetry),
        _noun(refusal.Refusals, refusal.apply),
        _noun(clock_step.ClockSteps, clock_step.apply),
        _noun(log_key.LogKeys, log_key.apply),
        _noun(record_print.Prints, record_print.apply),
        _noun(difference.Difference, difference.apply),
        _noun(
            correction_request.CorrectionRequest,
            correction_request.apply,
            is_over=lambda it: not it.is_open,
        ),
        _noun(reconciliation.Reconciliation, reconciliation.apply),
        _noun(replay.Replays, replay.apply),
    )
}

_MODULES: tuple[tuple[Any, Decide | None], ...] = (
    (authority, authority.decide),
    (signing_gates, signing_gates.decide),
    (people, people.decide),
    (passkey, passkey.decide),
    (access, access.decide),
    (access_review, access_review.decide),
    (client, client.decide),
    (material, material.decide),
    (first_weighing, first_weighing.decide),
    (equipment, equipment.decide),
    (recipe, recipe.decide),
    (bom, bom.decide),
    (erp_record, erp_record.decide),
    (erp_door, erp_door.decide),
    (erp_key, erp_key.decide),
    (boundary, boundary.decide),
    (order, order.decide),
    (order_link, order_link.decide),
    (dispatch, dispatch.decide),
    (weighing, weighing.decide),
    (steps, steps.decide),
    (correct, correct.decide),
    (deviation, deviation.decide),
    (capa, capa.decide),
    (severity, severity.decide),
    (release, release.decide),
    (reopen, reopen.decide),
    (amendment, None),
    (record_print, record_print.decide),
    (line, line.decide),
    (clock_step, clock_step.decide),
    (difference, difference.decide),
    (difference_fix, difference_fix.decide),
    (difference_replace, difference_replace.decide),
    (correction_request, correction_request.decide),
    (reconciliation, reconciliation.decide),
    (replay, replay.decide),
    (log_key, log_key.decide),
    (key_revocation, key_revocation.decide),
    (recovery_key, recovery_key.decide),
    (person_events, None),
    (batch_events, None),
    (numbering, None),
    (refusal, None),
    (signature, None),
)


def _own(module: Any, root: type) -> list[type]:
    """Return the commands or events that a module defines itself, in its order."""
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, root)
        and value is not root
        and value.__module__ == module.__name__
    ]


def _tag(kind: Any) -> str:
    return str(kind.__struct_config__.tag)


EVENTS: dict[str, type[Event]] = {
    _tag(kind): kind for module, _ in _MODULES for kind in _own(module, Event)
}
COMMANDS: dict[str, type[Command]] = {
    _tag(kind): kind for module, _ in _MODULES for kind in _own(module, Command)
}
DECIDERS: dict[str, Decide] = {
    _tag(kind): decide
    for module, decide in _MODULES
    if decide is not None
    for kind in _own(module, Command)
}


# (type, version) -> the pure step from that version's body to the next version's
UPCAST: dict[tuple[str, int], Upcast] = {}


class UnknownType(LedgerBroken):
    """An entry has a type or version that this server cannot read."""

    def __init__(self, type_: str, v: int) -> None:
        super().__init__(
            f"Entry type {type_} version {v}: not known to this server."
            " Start the newer server that wrote it."
        )


def event_type(event: Event) -> str:
    """Return an event's stored name."""
    return _tag(type(event))


def to_data(event: Event) -> dict[str, Any]:
    """Return an event's body; decoding it gives the same event back, or this stops."""
    data: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(event))
    name = data.pop("type")
    assert from_data(name, event.SCHEMA, data) == event, event
    return data


def from_data(type_: str, v: int, data: dict[str, Any]) -> Event:
    """Return the event that an entry's body holds, carried up to the version of today.

    Raises:
        UnknownType: the type or its version is newer than this server.
    """
    kind = EVENTS.get(type_)
    if kind is None:
        raise UnknownType(type_, v)
    if v != kind.SCHEMA:
        data = upcast(type_, v, data)
    return msgspec.convert({**data, "type": type_}, kind)


def upcast(type_: str, v: int, data: dict[str, Any]) -> dict[str, Any]:
    """Return a body as the newest version of its type spells it; the given one stays as it is.

    Raises:
        UnknownType: the type or its version is newer than this server.
    """
    kind = EVENTS.get(type_)
    if kind is None or not 1 <= v <= kind.SCHEMA:
        raise UnknownType(type_, v)
    for version in range(v, kind.SCHEMA):
        data = UPCAST[type_, version](dict(data))
    return data
