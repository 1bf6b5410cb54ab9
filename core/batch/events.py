"""What happens to a batch, as stored for ever. Masses are grams; limits are closed."""

from decimal import Decimal

from core.fact import Event
from core.quantity import Utc
from core.reading import ScaleReading
from core.recipe import RecipeContent


class BatchCreated(Event, frozen=True, kw_only=True, tag="batch.created"):
    """The batch exists, with its number and its frozen control recipe."""

    batch: str
    order: str
    erp_order: str | None
    room: str
    recipe: str
    recipe_sha256: str
    content: RecipeContent


class StepStarted(Event, frozen=True, kw_only=True, tag="step.started"):
    """Someone began the step."""

    batch: str
    step: str


class ScanAccepted(Event, frozen=True, kw_only=True, tag="scan.accepted"):
    """The right container stands ready to be weighed from."""

    batch: str
    step: str
    material: str
    lot: str
    container: str
    raw: str


class TareRecorded(Event, frozen=True, kw_only=True, tag="weighing.tare-recorded"):
    """The empty target container's stable weight."""

    batch: str
    step: str
    tare_g: Decimal
    reading: ScaleReading


class WeightRecorded(Event, frozen=True, kw_only=True, tag="weighing.weight-recorded"):
    """An accepted weight: net is gross minus tare, exactly; limits are for the step's sum."""

    batch: str
    step: str
    material: str
    lot: str
    container: str
    gross_g: Decimal
    tare_g: Decimal
    net_g: Decimal
    sum_g: Decimal
    target_g: Decimal
    low_g: Decimal
    high_g: Decimal
    within: bool
    last: bool
    scale: str
    certificate: str
    reading: ScaleReading


class ValueRecorded(Event, frozen=True, kw_only=True, tag="step.value-recorded"):
    """What a person measured or counted, beside its limits."""

    batch: str
    step: str
    values: dict[str, Decimal]
    unit: str | None
    low: Decimal | None
    high: Decimal | None
    within: bool
    happened_at: Utc | None = None


class ValueCorrected(Event, frozen=True, kw_only=True, tag="step.value-corrected"):
    """A recorded value was replaced, with the reason; `corrects` is the entry that held it.

    It stands in the batch's stream, in that of a deviation which holds the step, or, after
    release, in an amendment's.
    """

    batch: str
    step: str
    old: dict[str, Decimal]
    new: dict[str, Decimal]
    unit: str | None
    low: Decimal | None
    high: Decimal | None
    within: bool
    why: str
    corrects: int


class WeighingReversed(Event, frozen=True, kw_only=True, tag="weighing.reversed"):
    """A weighing was taken back; `corrects` is its entry. The step is open again."""

    batch: str
    step: str
    material: str
    lot: str
    container: str
    net_g: Decimal
    why: str
    corrects: int


class StepReopened(Event, frozen=True, kw_only=True, tag="step.reopened"):
    """QA asked for rework: what was done is set aside and the step is done anew."""

    batch: str
    step: str
    deviation: str


class StepVerified(Event, frozen=True, kw_only=True, tag="step.verified"):
    """A second person verified."""

    batch: str
    step: str
    performed_by: str
    verified_by: str


class StepCompleted(Event, frozen=True, kw_only=True, tag="step.completed"):
    """Nothing of the step is left to do."""

    batch: str
    step: str


class MaterialConsumed(Event, frozen=True, kw_only=True, tag="material.consumed"):
    """A quantity of one container is in the batch: what the ERP is told."""

    batch: str
    order: str
    erp_order: str | None
    step: str
    material: str
    lot: str
    container: str
    net_g: Decimal


class ConsumptionReversed(Event, frozen=True, kw_only=True, tag="material.consumption-reversed"):
    """What `corrects` said is in the batch is not: the same line with the sign turned."""

    batch: str
    order: str
    erp_order: str | None
    step: str
    material: str
    lot: str
    container: str
    net_g: Decimal
    why: str
    corrects: int


class MaterialScrapped(Event, frozen=True, kw_only=True, tag="material.scrapped"):
    """A quantity that was weighed for the batch is in no container and not in the batch."""

    batch: str
    order: str
    erp_order: str | None
    step: str
    material: str
    lot: str
    container: str
    net_g: Decimal
    why: str


class BatchExceptionRaised(Event, frozen=True, kw_only=True, tag="batch-exception.raised"):
    """A rule was broken; a reviewer must see it."""

    batch: str
    exception: str
    step: str
    kind: str
    says: str
    deviation: str | None = None
    late_by_s: int | None = None


class BatchHeld(Event, frozen=True, kw_only=True, tag="batch.held"):
    """No step goes on until the deviation is dispositioned."""

    batch: str
    step: str
    deviation: str


class BatchResumed(Event, frozen=True, kw_only=True, tag="batch.resumed"):
    """QA freed the step."""

    batch: str
    step: str
    deviation: str
    disposition: str
    instruction: str | None = None


class BatchCompleted(Event, frozen=True, kw_only=True, tag="batch.completed"):
    """Every step is complete; review begins."""

    batch: str


class ExceptionReviewed(Event, frozen=True, kw_only=True, tag="batch-exception.reviewed"):
    """A reviewer looked at an exception and wrote what it means."""

    batch: str
    exception: str
    assessment: str


class AuditTrailReviewed(Event, frozen=True, kw_only=True, tag="audit-trail.reviewed"):
    """A reviewer signed for the audit trail up to this version of the batch."""

    batch: str
    entries: int


class BatchReleased(Event, frozen=True, kw_only=True, tag="batch.released"):
    """QA released the batch."""

    batch: str
    order: str
    erp_order: str | None
    product: str
    quantity: Decimal
    unit: str


class BatchRejected(Event, frozen=True, kw_only=True, tag="batch.rejected"):
    """QA rejected the batch."""

    batch: str
    order: str
    erp_order: str | None
    product: str
    quantity: Decimal
    unit: str
    why: str


class MaterialProduced(Event, frozen=True, kw_only=True, tag="material.produced"):
    """Finished goods exist: what the ERP is told."""

    batch: str
    order: str
    erp_order: str | None
    product: str
    lot: str
    quantity: Decimal
    unit: str


class ProductionReversed(Event, frozen=True, kw_only=True, tag="material.production-reversed"):
    """What `corrects` said was made is not what was made: the same line with the sign turned."""

    batch: str
    order: str
    erp_order: str | None
    product: str
    lot: str
    quantity: Decimal
    unit: str
    why: str
    corrects: int


class BatchClosed(Event, frozen=True, kw_only=True, tag="batch.closed"):
    """The last entry of the stream; an amendment is a stream of its own."""

    batch: str
