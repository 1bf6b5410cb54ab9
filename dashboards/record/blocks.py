"""What a record's layout is made of: sections, cards, tables, facts, and the words between them."""

from dataclasses import dataclass
from typing import Any

type Facts = dict[str, Any]
type Row = tuple[str, Cell]
DASH = "–"


@dataclass(frozen=True, slots=True)
class Line:
    """A text and how it stands out: plain, strong, mono, muted or struck through."""

    text: str
    look: str = ""


type Cell = tuple[Line, ...]
type Block = Told | Table | Note | Card


@dataclass(frozen=True, slots=True)
class Told:
    """Facts, one label and value each."""

    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under headings; `widths` are shares, 0 takes what the column needs."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    widths: tuple[float, ...]
    right: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """A paragraph."""

    text: str
    look: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Something with a name: a step, an exception, a signature; `light` as in the model."""

    title: str
    blocks: tuple[Told | Table | Note, ...]
    id: str = ""
    light: str = ""
    word: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the record under its heading."""

    title: str
    blocks: tuple[Block, ...]


def cell(value: object, look: str = "") -> Cell:
    """Return one value as the only line of a cell; nothing is a dash, a list is joined."""
    if isinstance(value, tuple):
        return value
    if isinstance(value, list):
        value = ", ".join(str(one) for one in value)
    return (Line(DASH if value in (None, "") else str(value), look),)


def lines(*pairs: tuple[object, str]) -> Cell:
    """Return a cell of several lines, those without text left out."""
    return tuple(Line(str(text), look) for text, look in pairs if text not in (None, ""))


def told(*rows: tuple[str, object]) -> Told:
    """Return facts; a plain value becomes a plain cell."""
    return Told(tuple((label, cell(value)) for label, value in rows))


def deed(it: Facts | None) -> str:
    """Return who, when and at which entry, in one line."""
    if it is None:
        return "nobody yet"
    who = it["name"] if it["name"] == it["by"] else f"{it['name']} ({it['by']})"
    when = f", {it['at']}" if it["at"] else ""
    return who + when + (f", entry {it['entry']}" if it["entry"] is not None else "")


def limits(it: Facts) -> str:
    """Return closed limits with their target."""
    low, high, target = it["low"], it["high"], it["target"]
    if low and high:
        ends = f"{low['text']} to {high['text']}"
    elif low or high:
        ends = f"at least {low['text']}" if low else f"at most {high['text']}"
    else:
        ends = "no limits"
    judged = {None: "", True: ": within", False: ": OUTSIDE"}[it["within"]]
    return ends + (f", target {target['text']}" if target else "") + judged


def spoken(name: str) -> str:
    """Return a stored word as people read it."""
    return name.replace("_", " ")
