"""Why a scanned container must not be weighed from: unreadable, unknown, wrong or mislabelled."""

from core.errors import Refused
from core.material import Lot
from core.recipe import Step


class UnreadableScan(Refused):
    """The scan names no lot and container."""

    is_evidence = True

    def __init__(self, raw: str, step: str) -> None:
        super().__init__(
            f"Scan {raw[:40]}: names no lot and container. Scan the container's own label.",
            raw=raw,
            step=step,
        )


class UnknownLot(Refused):
    """The scanned lot is not known here."""

    is_evidence = True

    def __init__(self, lot: str, step: str) -> None:
        super().__init__(
            f"Lot {lot}: not known here. Scan a container that was received, or call QA.",
            lot=lot,
            step=step,
        )


class WrongMaterial(Refused):
    """The container holds another material than the step needs."""

    is_evidence = True

    def __init__(self, lot: Lot, *, name: str, step: Step, wanted: str) -> None:
        super().__init__(
            f"This is {name}, lot {lot.lot}. Step {step.step} needs {wanted}."
            f" Scan a {wanted} container.",
            lot=lot.lot,
            material=lot.material,
            step=step.step,
            wanted=wanted,
        )


class LabelDisagrees(Refused):
    """The label says something else than the record of its lot."""

    is_evidence = True

    def __init__(self, lot: Lot, *, what: str, label: object, record: object) -> None:
        super().__init__(
            f"Lot {lot.lot}: the label says {what} {label}, the record says {record}."
            " Put the container aside and call QA.",
            lot=lot.lot,
            what=what,
            label=label,
            record=record,
        )
