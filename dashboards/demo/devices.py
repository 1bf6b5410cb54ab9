"""All simulated devices of a demo in one process, on real ports, speaking the real protocols.

Reads a list of scales and lines as JSON on its first line of standard input, prints where each
can be reached as one JSON line, and ends when standard input closes.
"""

import json
import sys
from decimal import Decimal
from typing import Any

from capture.simulated.control import wait_until_ended
from capture.simulated.line import LineModel
from capture.simulated.plc import SimulatedPlc
from capture.simulated.scale import ScaleModel, SimulatedScale


def scale(number: int, wanted: dict[str, Any]) -> SimulatedScale:
    """Return one scale, switched on."""
    model = ScaleModel(
        serial=wanted["serial"],
        capacity_g=Decimal(wanted["capacity_g"]),
        d_g=Decimal(wanted["d_g"]),
        unit=wanted["unit"],
        settle_s=0.5,
        seed=number,
    )
    return SimulatedScale(model)


def plc(number: int, wanted: dict[str, Any]) -> SimulatedPlc:
    """Return one line's PLC, switched on and idle."""
    model = LineModel(rate_per_min=wanted["rate_per_min"], pace=wanted["pace"], seed=number)
    return SimulatedPlc(model, word_order=wanted["word_order"])


def main() -> int:
    """Run until standard input closes."""
    wanted = json.loads(sys.stdin.readline())
    scales = {one["name"]: scale(n, one) for n, one in enumerate(wanted["scales"], 1)}
    lines = {one["name"]: plc(n, one) for n, one in enumerate(wanted["lines"], 1)}
    reached = {
        "scales": {name: [one.port, one.control_port] for name, one in scales.items()},
        "lines": {name: [one.port, one.control_port] for name, one in lines.items()},
    }
    sys.stdout.write(json.dumps(reached) + "\n")
    sys.stdout.flush()
    wait_until_ended(tied=True)
    for one in scales.values():
        one.stop()
    for line in lines.values():
        line.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
