"""Whether a scale may be used now: every reason against it, not only the first.

Source:
    21 CFR 211.68(a), 211.160(b)(4).
"""

from datetime import date, datetime
from decimal import Decimal

from core.equipment import Equipment
from core.errors import Refused
from core.quantity import kg_text, plain


class CalibrationPastDue(Refused):
    """No certificate holds today."""

    is_evidence = True

    def __init__(self, scale: Equipment, today: date) -> None:
        due = scale.calibration_due_on
        state = "has no calibration" if due is None else f"calibration ended on {due}"
        super().__init__(
            f"Scale {scale.equipment}: {state}, today is {today}."
            " Use another scale, or have this one calibrated.",
            scale=scale.equipment,
            due_on=due,
            today=today,
        )


class DailyCheckMissing(Refused):
    """Today's check was not passed."""

    is_evidence = True

    def __init__(self, scale: Equipment) -> None:
        if scale.check_failed:
            state = "daily check failed"
        elif scale.check_valid_until is None:
            state = "daily check missing"
        else:
            state = f"daily check ended at {scale.check_valid_until:%Y-%m-%d %H:%M} UTC"
        super().__init__(
            f"Scale {scale.equipment}: {state}. Weigh the check weight first.",
            scale=scale.equipment,
            valid_until=scale.check_valid_until,
        )


class OverCapacity(Refused):
    """More than the scale may carry."""

    def __init__(self, scale: Equipment, gross_g: Decimal) -> None:
        capacity = scale.capacity_g or Decimal(0)
        super().__init__(
            f"Scale {scale.equipment}: {kg_text(gross_g)} is over its capacity of"
            f" {kg_text(capacity)}. Use a larger scale.",
            scale=scale.equipment,
            gross_g=gross_g,
            capacity_g=capacity,
        )


class TooCoarse(Refused):
    """The readability is more than a quarter of the tolerance's half width."""

    def __init__(self, scale: Equipment, half_width_g: Decimal) -> None:
        super().__init__(
            f"Scale {scale.equipment}: reads in steps of {plain(scale.readability_g or Decimal(0))}"
            f" g, a tolerance of ±{plain(half_width_g)} g needs steps of"
            f" {plain(half_width_g / 4)} g or finer. Use a finer scale.",
            scale=scale.equipment,
            half_width_g=half_width_g,
        )


def scale_faults(
    scale: Equipment,
    *,
    at: datetime,
    today: date,
    gross_g: Decimal | None = None,
    half_width_g: Decimal | None = None,
) -> tuple[Refused, ...]:
    """Return every reason why a scale must not be used now; empty when it may.

    `gross_g` is the heaviest expected load, `half_width_g` half the tolerance band.
    """
    faults: list[Refused] = []
    if scale.calibration_due_on is None or today > scale.calibration_due_on:
        faults.append(CalibrationPastDue(scale, today))
    if scale.check_failed or scale.check_valid_until is None or at > scale.check_valid_until:
        faults.append(DailyCheckMissing(scale))
    if gross_g is not None and scale.capacity_g is not None and gross_g > scale.capacity_g:
        faults.append(OverCapacity(scale, gross_g))
    if (
        half_width_g is not None
        and scale.readability_g is not None
        and scale.readability_g * 4 > half_width_g
    ):
        faults.append(TooCoarse(scale, half_width_g))
    return tuple(faults)
