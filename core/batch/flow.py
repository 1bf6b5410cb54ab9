"""Between the steps of a batch: which one is current, how it begins, ends and is held."""

from core.batch.events import (
    BatchCompleted,
    BatchExceptionRaised,
    BatchHeld,
    BatchResumed,
    MaterialConsumed,
    MaterialScrapped,
    StepCompleted,
    StepReopened,
    StepStarted,
    WeightRecorded,
)
from core.batch.room import enter, leave
from core.batch.state import Batch, BatchState, StepRun, StepState
from core.errors import Refused, WrongState
from core.fact import Fact, Plant, need
from core.order import WorkOrderHeld, WorkOrderResumed, WorkOrderStarted
from core.recipe import Step, StepKind


class NotTheCurrentStep(Refused):
    """Steps are done in the recipe's order."""

    def __init__(self, batch: Batch, step: str) -> None:
        current = batch.current
        now = "all steps are complete" if current is None else f"{current.step} is next"
        super().__init__(
            f"Batch {batch.batch}: step {step} is not the current one; {now}. Go on there.",
            batch=batch.batch,
            step=step,
            current=None if current is None else current.step,
        )


class StepHeld(Refused):
    """A deviation blocks the batch."""

    def __init__(self, batch: Batch, step: str) -> None:
        super().__init__(
            f"Batch {batch.batch}: held at step {step} by deviation {batch.held_by}."
            " QA must disposition it; QA has been told.",
            batch=batch.batch,
            step=step,
            deviation=batch.held_by,
        )


def open_step(
    plant: Plant, batch: str, step: str, *, kinds: tuple[StepKind, ...]
) -> tuple[Batch, Step, StepRun]:
    """Return the batch and its current step, or refuse.

    Raises:
        Unknown: no such batch.
        WrongState: the batch is decided, or the step is of another kind or waits for a verifier.
        NotTheCurrentStep, StepHeld: see there.
    """
    found = need(plant, Batch, batch)
    current = found.current
    if found.state not in (BatchState.IDLE, BatchState.RUNNING, BatchState.HELD):
        raise WrongState(
            f"Batch {batch}", found.state, needed="running", next_step="Choose another batch."
        )
    if current is None or current.step != step:
        raise NotTheCurrentStep(found, step)
    if found.state is BatchState.HELD:
        raise StepHeld(found, step)
    recipe_step = found.recipe_step(step)
    if recipe_step.kind not in kinds:
        raise WrongState(
            f"Step {step}",
            f"a {recipe_step.kind} step",
            needed=" or ".join(kinds),
            next_step="Use the entry this step asks for.",
        )
    return found, recipe_step, current


def begin(plant: Plant, batch: Batch, run: StepRun) -> tuple[Fact, ...]:
    """Return what a touch of a step causes: nothing where it is running in its room already.

    Raises:
        RoomTaken: another batch is being weighed there.
    """
    weighs = batch.recipe_step(run.step).kind is StepKind.WEIGH
    entered = enter(plant, batch) if weighs or batch.state is BatchState.IDLE else ()
    if run.state is not StepState.IDLE:
        return entered
    facts = [*entered, Fact(f"batch/{batch.batch}", StepStarted(batch=batch.batch, step=run.step))]
    if batch.state is BatchState.IDLE:
        started = WorkOrderStarted(
            order=batch.order, erp_ref=batch.erp_order, batch=batch.batch, work_center=batch.room
        )
        facts.append(Fact(f"order/{batch.order}", started))
    return tuple(facts)


def finish(
    plant: Plant, batch: Batch, run: StepRun, *, also: WeightRecorded | None = None
) -> tuple[Fact, ...]:
    """Return what the completion of a step causes: use of material, a free room, the batch's end.

    `also` is a weight of this very command that the step does not hold yet.
    """
    stream = f"batch/{batch.batch}"
    facts = [*consumed(batch, run, also=also)]
    facts.append(Fact(stream, StepCompleted(batch=batch.batch, step=run.step)))
    others = (one for one in batch.steps if one.step != run.step)
    if all(one.state is StepState.COMPLETE for one in others):
        facts.append(Fact(stream, BatchCompleted(batch=batch.batch)))
    if batch.recipe_step(run.step).kind is StepKind.WEIGH:
        facts.extend(leave(plant, batch, done=run.step))
    return tuple(facts)


def consumed(batch: Batch, run: StepRun, *, also: WeightRecorded | None = None) -> tuple[Fact, ...]:
    """Return that what was weighed for a step is in the batch, container by container.

    What was said before, and stayed when another weighing of the step was reversed, is left out.
    """
    uses = [(one.lot, one.container, one.net_g) for one in run.partials if one.consumed is None]
    if also is not None:
        uses.append((also.lot, also.container, also.net_g))
    material = batch.recipe_step(run.step).material or ""
    return tuple(
        Fact(
            f"batch/{batch.batch}",
            MaterialConsumed(
                batch=batch.batch,
                order=batch.order,
                erp_order=batch.erp_order,
                step=run.step,
                material=material,
                lot=lot,
                container=container,
                net_g=net_g,
            ),
        )
        for lot, container, net_g in uses
    )


def exception(
    batch: Batch,
    step: str,
    *,
    kind: str,
    says: str,
    nth: int = 1,
    deviation: str | None = None,
    late_by_s: int | None = None,
) -> Fact:
    """Return that a reviewer must look at something; `nth` counts those of one command."""
    raised = BatchExceptionRaised(
        batch=batch.batch,
        exception=f"X{len(batch.exceptions) + nth}",
        step=step,
        kind=kind,
        says=says,
        deviation=deviation,
        late_by_s=late_by_s,
    )
    return Fact(f"batch/{batch.batch}", raised)


def hold(
    batch: Batch, step: str, *, deviation: str, kind: str, says: str, nth: int = 1
) -> tuple[Fact, ...]:
    """Return what a blocking deviation causes on the batch and its order."""
    stream = f"batch/{batch.batch}"
    return (
        exception(batch, step, kind=kind, says=says, nth=nth, deviation=deviation),
        Fact(stream, BatchHeld(batch=batch.batch, step=step, deviation=deviation)),
        Fact(f"order/{batch.order}", WorkOrderHeld(order=batch.order, batch=batch.batch, why=says)),
    )


def resume(
    plant: Plant,
    batch: Batch,
    step: str,
    *,
    deviation: str,
    disposition: str,
    instruction: str | None = None,
) -> tuple[Fact, ...]:
    """Return what freeing a held step causes: without a verifier it is complete at once.

    An instruction is for a person, so its step waits for a verifier whatever the recipe says.
    """
    resumed = BatchResumed(
        batch=batch.batch,
        step=step,
        deviation=deviation,
        disposition=disposition,
        instruction=instruction,
    )
    facts = (Fact(f"batch/{batch.batch}", resumed), _resumed(batch))
    run = batch.run(step)
    if run is None or batch.recipe_step(step).verify or instruction is not None:
        return facts
    return (*facts, *finish(plant, batch, run))


def _resumed(batch: Batch) -> Fact:
    order = WorkOrderResumed(order=batch.order, batch=batch.batch)
    return Fact(f"order/{batch.order}", order)


def redo(batch: Batch, step: str, *, deviation: str, why: str) -> tuple[Fact, ...]:
    """Return what a rework causes: the step is open again, what was weighed for it is scrap."""
    stream = f"batch/{batch.batch}"
    run = batch.run(step)
    scrapped = [
        MaterialScrapped(
            batch=batch.batch,
            order=batch.order,
            erp_order=batch.erp_order,
            step=step,
            material=batch.recipe_step(step).material or "",
            lot=one.lot,
            container=one.container,
            net_g=one.net_g,
            why=why,
        )
        for one in (run.partials if run else ())
    ]
    reopened = StepReopened(batch=batch.batch, step=step, deviation=deviation)
    return (
        *(Fact(stream, one, why) for one in scrapped),
        Fact(stream, reopened, why),
        _resumed(batch),
    )
