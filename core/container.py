"""What leaves a lot's containers for a batch, and what comes back: never more than is there."""

from datetime import date
from decimal import Decimal

from core.errors import Refused
from core.fact import Fact
from core.material import ContainerDispensed, ContainerReturned, Lot, LotStatus
from core.quantity import plain


class LotNotReleased(Refused):
    """Only released lots go into a batch."""

    is_evidence = True

    def __init__(self, lot: Lot) -> None:
        super().__init__(
            f"Lot {lot.lot}: is {lot.status}, only a released lot may be used."
            " Scan a released container, or ask QA to release this lot.",
            lot=lot.lot,
            status=lot.status,
        )


class LotExpired(Refused):
    """The last good day is over."""

    is_evidence = True

    def __init__(self, lot: Lot, today: date) -> None:
        super().__init__(
            f"Lot {lot.lot}: expired on {lot.expires_on}, today is {today}."
            " Scan a container of a lot that is in date.",
            lot=lot.lot,
            expires_on=lot.expires_on,
            today=today,
        )


class ContainerUnknown(Refused):
    """The lot has no such container."""

    is_evidence = True

    def __init__(self, lot: Lot, container: str) -> None:
        super().__init__(
            f"Container {container}: lot {lot.lot} has no such container."
            " Scan the label on the container again.",
            lot=lot.lot,
            container=container,
        )


class ContainerShort(Refused):
    """The container holds less than is to be taken."""

    is_evidence = True

    def __init__(self, lot: Lot, container: str, *, wanted: Decimal, left: Decimal) -> None:
        super().__init__(
            f"Container {container} of lot {lot.lot}: holds {plain(left)} {lot.unit}, "
            f"{plain(wanted)} {lot.unit} are to be taken. Weigh less and scan a second container.",
            lot=lot.lot,
            container=container,
            wanted=wanted,
            left=left,
        )


def check_usable(lot: Lot, *, today: date) -> None:
    """Refuse a lot that must not go into a batch today. A lot is good on its last day.

    Raises:
        LotNotReleased, LotExpired: see there.
    """
    if lot.status is not LotStatus.RELEASED:
        raise LotNotReleased(lot)
    if lot.expires_on is not None and today > lot.expires_on:
        raise LotExpired(lot, today)


def dispense(lot: Lot, container: str, *, quantity: Decimal, batch: str, step: str) -> Fact:
    """Return the fact that `quantity`, in the lot's unit, left a container.

    Raises:
        ContainerUnknown: the lot has no such container.
        ContainerShort: it holds less than `quantity`.
    """
    if container not in lot.containers:
        raise ContainerUnknown(lot, container)
    left = lot.containers[container]
    if quantity > left:
        raise ContainerShort(lot, container, wanted=quantity, left=left)
    event = ContainerDispensed(
        lot=lot.lot,
        container=container,
        quantity=quantity,
        unit=lot.unit,
        batch=batch,
        step=step,
        left=left - quantity,
    )
    return Fact(f"{Lot.KIND}/{lot.lot}", event)


def give_back(
    lot: Lot,
    container: str,
    *,
    quantity: Decimal,
    batch: str,
    step: str,
    corrects: int,
    still_used: bool,
) -> Fact:
    """Return the fact that `quantity`, in the lot's unit, is in a container again."""
    event = ContainerReturned(
        lot=lot.lot,
        container=container,
        quantity=quantity,
        unit=lot.unit,
        batch=batch,
        step=step,
        left=lot.containers[container] + quantity,
        corrects=corrects,
        still_used=still_used,
    )
    return Fact(f"{Lot.KIND}/{lot.lot}", event)
