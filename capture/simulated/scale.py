"""A simulated MT-SICS scale on TCP, with a control port that moves weights on its pan.

Control lines: `PLACE <g>` (the load becomes), `POUR <g> <seconds>` (is added evenly),
`REMOVE`, `OVERLOAD`, `UNDERLOAD`, `DROP <seconds>` (no link for so long), `STATE`.
Run one with `python -m capture.simulated.scale --port P --control C --capacity-g 60000
--d-g 1 --serial B0001 [--unit kg]`; port 0 takes a free one, and both are printed.
"""

import argparse
import select
import socketserver
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from capture.simulated.control import ControlPort, Listener, wait_until_ended
from capture.simulated.pan import Pan

GRAMS_PER = {"g": Decimal(1), "kg": Decimal(1000)}
COMMANDS = ("@", "I0", "I1", "I2", "I3", "I4", "S", "SI", "SIR", "T", "TA", "TAC", "TI", "Z", "ZI")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleModel:
    """What kind of scale is simulated."""

    serial: str = "B0000001"
    capacity_g: Decimal = Decimal(60_000)
    d_g: Decimal = Decimal(1)
    unit: str = "g"
    settle_s: float = 0.8
    give_up_s: float = 10.0  # how long S waits for a stable weight
    seed: int = 1


class SimulatedScale:
    """A scale that speaks MT-SICS on one TCP port and obeys a control port."""

    def __init__(
        self, model: ScaleModel, *, host: str = "127.0.0.1", port: int = 0, control: int = 0
    ) -> None:
        self.model = model
        self.host = host
        self._pan = Pan(
            capacity_g=model.capacity_g,
            d_g=model.d_g,
            settle_s=model.settle_s,
            seed=model.seed,
        )
        self._lock = threading.Lock()
        self._down_until_s = 0.0
        scale = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                scale._serve(self)

        self._line = Listener((host, port), Session)
        self._control = ControlPort(host, control, self._obey)
        self.port = self._line.port
        self.control_port = self._control.port
        self.url = f"socket://{host}:{self.port}"

    def stop(self) -> None:
        """Close both ports."""
        self._line.stop()
        self._control.stop()

    def place_g(self, load_g: Decimal) -> None:
        """Make this the load on the pan."""
        with self._lock:
            self._pan.put(load_g, time.monotonic())

    def pour(self, amount_g: Decimal, ramp_s: float) -> None:
        """Add so much to what lies on the pan, evenly over some seconds."""
        with self._lock:
            self._pan.put(self._pan.load_g + amount_g, time.monotonic(), ramp_s=ramp_s)

    def remove(self) -> None:
        """Empty the pan."""
        self.place_g(Decimal(0))

    def overload(self) -> None:
        """Put more on the pan than the scale can carry."""
        self.place_g(self.model.capacity_g * 2)

    def underload(self) -> None:
        """Lift the pan off its cell."""
        with self._lock:
            self._pan.lift(time.monotonic())

    def drop(self, seconds: float) -> None:
        """Cut the link and answer nobody for so long."""
        self._down_until_s = time.monotonic() + seconds
        self._line.cut_links()

    def state(self) -> str:
        """Return the pan as `key=value` words."""
        with self._lock:
            at_s = time.monotonic()
            pan = self._pan
            return (
                f"load_g={pan.load_g:f} net_g={pan.net_g(at_s):f} tare_g={pan.tare_g:f}"
                f" settled={str(pan.settled(at_s)).lower()} serial={self.model.serial}"
            )

    def _obey(self, word: str, given: list[str]) -> str:
        match word, given:
            case "PLACE", [load]:
                self.place_g(Decimal(load))
            case "POUR", [amount, seconds]:
                self.pour(Decimal(amount), float(seconds))
            case "REMOVE", []:
                self.remove()
            case "OVERLOAD", []:
                self.overload()
            case "UNDERLOAD", []:
                self.underload()
            case "DROP", [seconds]:
                self.drop(float(seconds))
            case "STATE", []:
                return f"OK {self.state()}"
            case _:
                raise ValueError("not a control line of a scale")
        return "OK"

    def _serve(self, session: socketserver.StreamRequestHandler) -> None:
        """Answer one link until it ends: S waits, SIR repeats, any command ends both."""
        link, pending, give_up_s = session.connection, "", 0.0
        unfinished = b""
        try:
            while time.monotonic() >= self._down_until_s:
                pause_s = {"S": 0.02, "SIR": 0.1}.get(pending, 0.25)
                if select.select([link], [], [], pause_s)[0]:
                    chunk = link.recv(4096)
                    if not chunk:
                        return
                    *lines, unfinished = (unfinished + chunk).split(b"\n")
                    for line in lines:
                        command = line.decode("ascii", "replace").strip("\r")
                        pending = command if command in ("S", "SIR") else ""
                        give_up_s = time.monotonic() + self.model.give_up_s
                        for answer in [] if pending else self._answer(command):
                            link.sendall(f"{answer}\r\n".encode())
                if pending and (weight := self._due_weight(pending, give_up_s)):
                    link.sendall(f"{weight}\r\n".encode())
                    pending = "SIR" if pending == "SIR" else ""
        except OSError:
            return  # the peer is gone; there is nobody to tell

    def _due_weight(self, pending: str, give_up_s: float) -> str:
        """Return the weight line a waiting command gets now, or nothing yet."""
        weight = self._weight("S")
        if pending == "SIR" or not weight.startswith("S D"):
            return weight
        return "S I" if time.monotonic() > give_up_s else ""

    def _weight(self, prefix: str) -> str:
        """Return a weight line, or the sign that there is none."""
        with self._lock:
            at_s = time.monotonic()
            if self._pan.overloaded(at_s):
                return f"{prefix} +"
            if self._pan.underloaded(at_s):
                return f"{prefix} -"
            mark = "S" if self._pan.settled(at_s) else "D"
            return f"{prefix} {mark} {self._field(self._pan.net_g(at_s))}"

    def _field(self, value_g: Decimal) -> str:
        """Return a weight in ten characters with the unit, with the decimals of `d`."""
        step = self.model.d_g / GRAMS_PER[self.model.unit]
        value = (value_g / GRAMS_PER[self.model.unit]).quantize(step)
        return f"{value:>10f} {self.model.unit}"

    def _answer(self, command: str) -> list[str]:
        word, _, given = command.partition(" ")
        model = self.model
        match word:
            case "SI":
                return [self._weight("S")]
            case "@" | "I4":
                if word == "@":
                    self._clear_tare()
                return [f'I4 A "{model.serial}"']
            case "I0":
                marks = ["B"] * (len(COMMANDS) - 1) + ["A"]
                return [f'I0 {m} 0 "{c}"' for m, c in zip(marks, COMMANDS, strict=True)]
            case "I1":
                return ['I1 A "0123" "2.30" "2.20" "" ""']
            case "I2":
                return [f'I2 A "Simulated {self._field(model.capacity_g).strip()}"']
            case "I3":
                return ['I3 A "1.00"']
            case "TAC":
                self._clear_tare()
                return ["TAC A"]
            case "Z" | "ZI" | "T" | "TI" | "TA":
                return [self._balance(word, given)]
        return ["ES"]

    def _clear_tare(self) -> None:
        with self._lock:
            self._pan.tare_g = Decimal(0)

    def _balance(self, word: str, given: str) -> str:
        """Zero or tare; the immediate forms do not ask for rest."""
        with self._lock:
            at_s, pan = time.monotonic(), self._pan
            settled = pan.settled(at_s)
            mark = "S" if settled else "D"
            if word == "TA" and given:
                value, _, unit = given.partition(" ")
                if unit not in GRAMS_PER or not value.replace(".", "", 1).isdigit():
                    return "TA L"
                pan.tare_g = (Decimal(value) * GRAMS_PER[unit]).quantize(pan.d_g)
            elif word in ("Z", "ZI"):
                if not settled and word == "Z":
                    return "Z I"
                if not pan.set_zero(at_s):
                    return f"{word} {'+' if pan.gross_g(at_s) > 0 else '-'}"
                return "Z A" if word == "Z" else f"ZI {mark}"
            elif word != "TA":
                if not settled and word == "T":
                    return "T I"
                if not pan.set_tare(at_s):
                    return f"{word} -"
            mark = "A" if word == "TA" else mark
            return f"{word} {mark} {self._field(pan.tare_g)}"


def main(given: Sequence[str] | None = None) -> int:
    """Run one scale until interrupted."""
    options = argparse.ArgumentParser(description="Simulated MT-SICS scale")
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--control", type=int, default=0)
    options.add_argument("--capacity-g", type=Decimal, default=Decimal(60_000))
    options.add_argument("--d-g", type=Decimal, default=Decimal(1))
    options.add_argument("--serial", default="B0000001")
    options.add_argument("--unit", choices=sorted(GRAMS_PER), default="g")
    options.add_argument("--settle-s", type=float, default=0.8)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--tied", action="store_true", help="end when standard input closes")
    chosen = options.parse_args(given)
    model = ScaleModel(
        serial=chosen.serial,
        capacity_g=chosen.capacity_g,
        d_g=chosen.d_g,
        unit=chosen.unit,
        settle_s=chosen.settle_s,
        seed=chosen.seed,
    )
    scale = SimulatedScale(model, host=chosen.host, port=chosen.port, control=chosen.control)
    sys.stdout.write(f"ready port={scale.port} control={scale.control_port}\n")
    sys.stdout.flush()
    wait_until_ended(tied=chosen.tied)
    scale.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
