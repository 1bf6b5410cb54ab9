"""A signed period as one report: page, paper and workbook show the same parts, made here alone.

Values keep their types up to the last step, so that a workbook holds numbers as numbers. Every
quantity is exact; times are in the plant's zone on paper and screen.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from core.difference import NO_DIFFERENCE, ReasonCode
from core.ledger.store import Ledger
from core.quantity import plain
from core.reconciliation import ClassFigure, Figures, Revision
from dashboards.finance import words
from dashboards.finance.kept_rows import Record, spelled
from dashboards.record.blocks import Block, Cell, Note, Section, Table, Told, cell
from erp.messages import OUR_UNITS

type Value = str | int | Decimal | date | datetime | None

MOST_ON_PAPER = 500  # rows of one table on page and paper
CODES: dict[ReasonCode, str] = {
    ReasonCode.POSTED_BY_HAND: "Posted or changed by hand in the ERP",
    ReasonCode.REFUSED_BY_ERP: "Refused by the ERP",
    ReasonCode.ERP_MASTER_DATA: "Item, lot, unit or order is wrong in the ERP",
    ReasonCode.PERIOD_CLOSED: "Posting period closed or missing",
    ReasonCode.ENTRY_ERROR: "Wrong entry on the floor",
    ReasonCode.ORDER_NOT_LINKED: "Order not linked to the ERP",
    ReasonCode.LINK_FAULT: "Fault of the link",
    ReasonCode.TIMING: "Timing: booked late",
    ReasonCode.OTHER: "Other, see the note",
}
SUMS = ("Class", "Unit", "Rows", "Floor did", "Was sent", "ERP says", "Difference")
OPEN = (
    "Row", "Class", "Owner", "Reason", "Note", "What", "Item", "Lot", "ERP order", "Floor did",
    "Was sent", "ERP says", "Unit",
)  # fmt: skip
ROWS = (
    "Row", "Class", "What", "Posting date", "Order", "ERP order", "Batch", "Item", "Lot",
    "Movement", "Floor did", "Was sent", "ERP says", "Unit", "Documents", "Entry", "Message",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of the report: facts, or a table with its heading and the widths of its columns."""

    title: str
    facts: tuple[tuple[str, Value], ...] = ()
    head: tuple[str, ...] = ()
    rows: tuple[tuple[Value, ...], ...] = ()
    widths: tuple[float, ...] = ()
    empty: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """Who signed, when, with which words, and by which entry it is proven."""

    person: str
    name: str
    meaning: str
    at: datetime
    zone: str
    words: str
    ver: int
    entry: int
    manifest_sha256: str
    components: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A signed period with all that page, paper and workbook say."""

    plant: str
    period: str
    revision: int
    signing: Signing
    figures: Figures
    parts: tuple[Part, ...]

    @property
    def title(self) -> str:
        """What it is called everywhere."""
        return f"Reconciliation of {self.period}"


def signing_of(ledger: Ledger, it: Revision) -> Signing:
    """Return the signature of a sign-off, with its digest as the ledger holds it."""
    entry = ledger.entry(it.signature.seq)
    assert entry is not None, it
    return Signing(
        person=it.signature.person,
        name=it.signature.name,
        meaning=it.signature.meaning,
        at=it.signature.at,
        zone=it.signature.zone,
        words=it.signature.words,
        ver=it.signature.ver,
        entry=entry.seq,
        manifest_sha256=entry.data["manifest_sha256"],
        components=tuple(entry.data["components"]),
    )


def report(
    period: str,
    it: Revision,
    *,
    plant: str,
    signing: Signing,
    name: Callable[[str], str],
    rows: Iterable[Record],
) -> Report:
    """Return the report of one sign-off.

    Args:
        signing: its signature.
        name: the printed name of a person.
        rows: the differences that were signed, as they were kept.
    """
    open_ = [row for row in rows if row["class"] not in NO_DIFFERENCE]
    parts = (
        _period(period, it, plant=plant, signer=f"{signing.name} ({signing.person})"),
        _classes(it.figures),
        Part(
            title="Sums by class",
            head=SUMS,
            rows=tuple(_sum(one) for one in it.figures.sums),
            widths=(1.6, 0.7, 0.7, 1, 1, 1, 1),
        ),
        *_reasons(it),
        Part(
            title="Differences",
            head=OPEN,
            rows=_differences(it, open_, name=name),
            widths=(1.3, 1, 1, 1.2, 1.4, 1, 1, 1, 0.9, 1, 1, 1, 0.5),
            empty="None: every row matches or is on its way.",
        ),
        _signature(signing),
        _proof(it.figures),
    )
    return Report(
        plant=plant,
        period=period,
        revision=it.revision,
        signing=signing,
        figures=it.figures,
        parts=parts,
    )


def _period(period: str, it: Revision, *, plant: str, signer: str) -> Part:
    return Part(
        title="Period",
        facts=(
            ("Plant", plant),
            ("Period", period),
            ("First day", it.first),
            ("Last day", it.last),
            ("Revision", it.revision),
            *((("Reason of the revision", it.why),) if it.why else ()),
            ("Signed by", signer),
            ("Signed at", it.signed_at),
            ("Rows", it.figures.total),
            ("Differences", it.figures.differences),
            ("Tolerance", it.figures.tolerance),
            ("ERP's books read at", it.figures.books_at),
        ),
    )


def _classes(it: Figures) -> Part:
    """Return the classes in the order of screens; those without a row are left out."""
    named = {name: it.counts.get(name, 0) for name in words.CLASSES} | it.counts
    shown = [(words.of(name).label, n) for name, n in named.items() if n or name in NO_DIFFERENCE]
    return Part(
        title="Rows by class",
        head=("Class", "Rows"),
        rows=(*shown, ("Total", sum(n for _, n in shown))),
        widths=(3, 1),
    )


def _reasons(it: Revision) -> tuple[Part, ...]:
    """Return how many differences were cleared for which reason; nothing where none stands."""
    rows = tuple(
        (words.of(one.match_class).label, CODES[one.code], one.rows)
        for one in it.reasons
        if one.code is not None
    )
    part = Part(
        title="Differences by reason", head=("Class", "Reason", "Rows"), rows=rows,
        widths=(1.6, 2.4, 0.7),
    )  # fmt: skip
    return (part,) if rows else ()


def _differences(
    it: Revision, rows: Sequence[Record], *, name: Callable[[str], str]
) -> tuple[tuple[Value, ...], ...]:
    """Return the differences with owner, reason and note; older sign-offs name them themselves."""
    if it.differences:
        kept = {row["key"]: row for row in rows}
        return tuple(
            (one.difference, words.of(one.match_class).label, name(one.owner), CODES[one.code],
             one.note, *_sides(kept.get(one.difference)))
            for one in it.differences
        )  # fmt: skip
    return tuple(
        (row["key"], words.of(row["class"]).label, *_cleared(row, name), *_sides(row))
        for row in rows
    )


def _cleared(row: Record, name: Callable[[str], str]) -> tuple[Value, ...]:
    said = row["cleared"]
    return (name(said["owner"]), CODES[ReasonCode(said["code"])], said["note"])


def _sum(it: ClassFigure) -> tuple[Value, ...]:
    unit = None if it.unit is None else OUR_UNITS.get(it.unit, it.unit)
    difference = Decimal(spelled(it.floor - it.booked) or 0)
    sides: tuple[Value, ...] = (it.floor, it.sent, it.booked, difference)
    return (words.of(it.match_class).label, unit, it.rows, *(sides if unit else (None,) * 4))


def _sides(row: Record | None) -> tuple[Value, ...]:
    """Return what a kept row says after its owner and reason; dashes where it is not there."""
    if row is None:
        return (None,) * 8
    named = (row["what"], row["item"], row["lot"], row["erp_order"])
    return (*named, *quantities(row), unit_of(row))


def unit_of(row: Mapping[str, str | None]) -> str | None:
    """Return a kept row's unit in our word."""
    unit = row["unit"]
    return None if unit is None else OUR_UNITS.get(unit, unit)


def quantities(row: Record) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    """Return what floor, message and books say; several lines of the books are one sum."""
    booked = [Decimal(one["quantity"]) for one in row["booked"] if one["quantity"] is not None]
    told = (None if row[side] is None else Decimal(row[side]) for side in ("floor", "sent"))
    floor, sent = told
    return floor, sent, sum(booked, Decimal(0)) if booked else None


def row_values(row: Record) -> tuple[Value, ...]:
    """Return a kept row as the workbook lists it, under `ROWS`."""
    documents = ", ".join(one["document"] for one in row["booked"])
    return (
        row["key"], words.of(row["class"]).label, row["what"],
        date.fromisoformat(row["posting_date"]), row["order"], row["erp_order"], row["batch"],
        row["item"], row["lot"], row["movement"], *quantities(row), unit_of(row),
        documents or None, row["entry"], row["message"],
    )  # fmt: skip


def _signature(it: Signing) -> Part:
    return Part(
        title="Signature",
        facts=(
            ("Signed by", f"{it.name} ({it.person})"),
            ("Meaning", it.meaning),
            ("Words", it.words),
            ("When", it.at),
            ("Zone", it.zone),
            ("Signed with", ", ".join(it.components)),
            ("Ledger entry", it.entry),
            ("Digest of the manifest, SHA-256", it.manifest_sha256),
        ),
    )


def _proof(it: Figures) -> Part:
    return Part(
        title="Proof",
        facts=(
            ("Digest of the rows, SHA-256", it.rows_sha256),
            ("Ledger read up to entry", it.upto_seq),
            ("Checkpoint, entries", it.checkpoint_size),
            ("Checkpoint, root", it.checkpoint_root),
        ),
    )


def text_of(value: Value, time: Callable[[datetime], str]) -> str:
    """Return a value as page and paper write it.

    >>> text_of(Decimal("2.40"), str), text_of(None, str), text_of(1200, str)
    ('2.40', '–', '1200')
    """
    match value:
        case None | "":
            return "–"
        case Decimal():
            return plain(value)
        case datetime():
            return time(value)
        case date():
            return value.isoformat()
        case _:
            return str(value)


def sections(it: Report, time: Callable[[datetime], str]) -> tuple[Section, ...]:
    """Return the report's parts as page and paper lay them out."""
    return tuple(Section(one.title, _blocks(one, time)) for one in it.parts)


def _blocks(part: Part, time: Callable[[datetime], str]) -> tuple[Block, ...]:
    if part.facts:
        rows = ((label, _fact(label, value, time)) for label, value in part.facts)
        return (Told(tuple(rows)),)
    if not part.rows:
        return (Note(part.empty, "muted"),)
    shown = part.rows[:MOST_ON_PAPER]
    more = len(part.rows) - len(shown)
    rest = (Note(f"{more} more stand in the workbook and in the file of rows, whose SHA-256 is"
                 " signed.", "muted"),) if more else ()  # fmt: skip
    table = Table(
        title=part.title,
        head=part.head,
        rows=tuple(
            tuple(
                cell(text_of(one, time), "mono" if name == OPEN[0] else "")
                for name, one in zip(part.head, row, strict=True)
            )
            for row in shown
        ),
        widths=part.widths,
        right=_numbers(part.rows),
    )
    return (table, *rest)


def _fact(label: str, value: Value, time: Callable[[datetime], str]) -> Cell:
    is_hash = "SHA-256" in label or label.endswith("root")
    return cell(text_of(value, time), "mono" if is_hash else "")


def _numbers(rows: Sequence[Sequence[Value]]) -> tuple[int, ...]:
    """Return the columns that hold numbers in every row that says something there."""
    found = []
    for n in range(len(rows[0])):
        said = [row[n] for row in rows if row[n] is not None]
        if said and all(isinstance(one, int | Decimal) for one in said):
            found.append(n)
    return tuple(found)
