"""What every adapter does with what it reads: records of what fits, a sentence on the others."""

from collections.abc import Callable, Iterable

from erp.port import Record

UNREADABLE = (KeyError, ValueError, TypeError, ArithmeticError)


def built[Raw](
    raws: Iterable[Raw], build: Callable[[Raw], Record]
) -> tuple[tuple[Record, ...], tuple[str, ...]]:
    """Return the records of raw ones, and a fault for each that cannot be read."""
    records, faults = [], []
    for raw in raws:
        try:
            records.append(build(raw))
        except UNREADABLE as fault:
            faults.append(f"{raw!r:.120}: {type(fault).__name__} {fault}")
    return tuple(records), tuple(faults)
