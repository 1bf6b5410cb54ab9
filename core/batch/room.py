"""A dispensing room weighs one batch at a time: others that were dispatched to it wait.

A batch with something to weigh takes its room when it begins, and leaves it when its last
weighing is complete or QA rejects it. A held batch keeps its room: its material is there.
"""

from core.batch.state import Batch, StepState
from core.equipment import Equipment, RoomOccupied, RoomVacated
from core.errors import Refused
from core.fact import Fact, Plant
from core.recipe import StepKind


class RoomTaken(Refused):
    """Another batch is being weighed in the room."""

    def __init__(self, batch: str, *, room: str, by: str) -> None:
        super().__init__(
            f"Room {room}: batch {by} is being weighed there, one at a time. Finish the weighings"
            f" of {by} first; {batch} waits.",
            batch=batch,
            room=room,
            by=by,
        )


def enter(plant: Plant, batch: Batch) -> tuple[Fact, ...]:
    """Return that a batch takes its room; nothing where it has it, or has nothing to weigh.

    Raises:
        RoomTaken: another batch has it.
    """
    room = plant.get(Equipment, batch.room)
    if room is None or room.batch == batch.batch or not _to_weigh(batch):
        return ()
    if room.batch is not None:
        raise RoomTaken(batch.batch, room=batch.room, by=room.batch)
    taken = RoomOccupied(equipment=batch.room, batch=batch.batch)
    return (Fact(f"{Equipment.KIND}/{batch.room}", taken),)


def leave(plant: Plant, batch: Batch, *, done: str | None = None) -> tuple[Fact, ...]:
    """Return that a batch leaves its room; nothing where it has none, or weighs on.

    `done` is the step that this very command completes; None ends the batch's work here.
    """
    room = plant.get(Equipment, batch.room)
    if room is None or room.batch != batch.batch:
        return ()
    if done is not None and any(step != done for step in _to_weigh(batch)):
        return ()
    left = RoomVacated(equipment=batch.room, batch=batch.batch)
    return (Fact(f"{Equipment.KIND}/{batch.room}", left),)


def _to_weigh(batch: Batch) -> list[str]:
    """Return the weigh steps that are not complete."""
    return [
        run.step
        for run in batch.steps
        if run.state is not StepState.COMPLETE
        and batch.recipe_step(run.step).kind is StepKind.WEIGH
    ]
