"""A signed period as a workbook: the report's parts as sheets, and every row that was signed.

A text is written as a text, whatever it begins with, so no cell can hold somebody's formula. A
quantity is a number where a spreadsheet's number says the same, else a text, never a rounded one.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from html import escape
from io import BytesIO
from itertools import batched, islice
from typing import Self
from zipfile import ZIP_DEFLATED, ZipFile
from zoneinfo import ZoneInfo

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from core.quantity import plain
from dashboards.finance.kept_rows import Record
from dashboards.finance.report import ROWS, Part, Report, Value, row_values

LARGEST = 1_000_000  # rows of one sheet
DIGITS = 15  # that a spreadsheet's number keeps
LONGEST = 32_767  # characters of one cell
BATCH = 1000
ROWS_SHEET = "Rows"
DAY_ZERO = date(1899, 12, 30)  # of a spreadsheet's calendar
NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
NO_GUESSING = {
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
    "in_memory": True,
}
CUT = "Only the first {:,} rows fit into a sheet; the file of rows holds all."


class Exact(float):
    """A number that is written digit by digit as its decimal, where a float would be spelled."""

    text: str

    def __new__(cls, value: Decimal) -> Self:
        """Make the number of a decimal."""
        made = super().__new__(cls, value)
        made.text = plain(value)
        return made

    def __format__(self, _spec: str) -> str:
        """Return the decimal's own digits, whatever form is asked for."""
        return self.text


def number_of(value: Decimal) -> Exact | None:
    """Return the spreadsheet number that equals a decimal, None where there is none.

    >>> number_of(Decimal("1.8090")), number_of(Decimal("0.1234567890123456"))
    (1.809, None)
    """
    digits = len(value.normalize().as_tuple().digits)
    return Exact(value) if digits <= DIGITS else None


class _Book:
    """A workbook under way, with the few formats that it uses."""

    def __init__(self, zone: ZoneInfo, title: str, made_at: datetime) -> None:
        self.out, self._zone = BytesIO(), zone
        self.book = xlsxwriter.Workbook(self.out, NO_GUESSING)
        created = made_at.astimezone(zone).replace(tzinfo=None)
        self.book.set_properties({"title": title, "author": "Batchwright", "created": created})
        self.head = self.book.add_format({"bold": True, "bottom": 1, "text_wrap": True})
        self._label = self.book.add_format({"bold": True, "valign": "top"})
        self._text = self.book.add_format({"text_wrap": True, "valign": "top"})
        self._number = self.book.add_format({"valign": "top"})
        self._day = self.book.add_format({"num_format": "yyyy-mm-dd", "valign": "top"})
        self._time = self.book.add_format(
            {"num_format": "yyyy-mm-dd hh:mm:ss", "valign": "top", "align": "left"}
        )

    def write(self, sheet: Worksheet, row: int, column: int, *, value: Value) -> None:
        """Write one value as what it is."""
        match value:
            case None | "":
                sheet.write_blank(row, column, None)
            case datetime():
                local = value.astimezone(self._zone).replace(tzinfo=None)
                sheet.write_datetime(row, column, local, self._time)
            case date():
                sheet.write_datetime(row, column, datetime(
                    value.year, value.month, value.day, tzinfo=self._zone
                ).replace(tzinfo=None), self._day)  # fmt: skip
            case int():
                sheet.write_number(row, column, value, self._number)
            case Decimal():
                number = number_of(value)
                if number is None:
                    sheet.write_string(row, column, plain(value), self._text)
                else:
                    sheet.write_number(row, column, number, self._number)
            case _:
                sheet.write_string(row, column, value[:LONGEST], self._text)

    def label(self, sheet: Worksheet, row: int, text: str) -> None:
        """Write the name of a fact."""
        sheet.write_string(row, 0, text, self._label)

    def part(self, part: Part) -> None:
        """Add one part of the report as a sheet."""
        sheet = self.book.add_worksheet(part.title)
        if part.facts:
            sheet.set_column(0, 0, 34)
            sheet.set_column(1, 1, 80)
            for n, (label, value) in enumerate(part.facts):
                self.label(sheet, n, label)
                self.write(sheet, n, 1, value=value)
            return
        _headed(sheet, part.head, self.head)
        for n, width in enumerate(part.widths):
            sheet.set_column(n, n, max(8, 16 * width))
        for n, row in enumerate(part.rows, 1):
            for column, value in enumerate(row):
                self.write(sheet, n, column, value=value)

    def rows(self, first: Iterable[Record], total: int) -> None:
        """Add a sheet for so many rows, with the first of them; `filled` adds the others."""
        sheet = self.book.add_worksheet(ROWS_SHEET)
        _headed(sheet, ROWS, self.head)
        sheet.set_column(0, len(ROWS) - 1, 16)
        for n, row in enumerate(first, 1):
            for column, value in enumerate(row_values(row)):
                self.write(sheet, n, column, value=value)
        sheet.autofilter(0, 0, min(total, LARGEST), len(ROWS) - 1)


def _headed(sheet: Worksheet, head: Iterable[str], style: Format) -> None:
    for column, text in enumerate(head):
        sheet.write_string(0, column, text, style)
    sheet.freeze_panes(1, 0)


@dataclass(frozen=True, slots=True)
class Looks:
    """How cells of the rows look, as a sheet's text names it."""

    text: str
    day: str


def workbook(it: Report, rows: Iterable[Record]) -> bytes:
    """Return the workbook of a signed period: the report's parts, then every row."""
    made, found = _Book(ZoneInfo(it.signing.zone), it.title, it.signing.at), iter(rows)
    for part in it.parts:
        made.part(part)
    made.rows(islice(found, 1), it.figures.total)
    made.book.close()
    return filled(made.out.getvalue(), len(it.parts) + 1, found)


def filled(book: bytes, sheet: int, rows: Iterator[Record]) -> bytes:
    """Return a workbook with rows added to a sheet that has its first one.

    A month has millions of cells, and the library takes some microseconds for each. The sheet is
    text in an archive: its rows are written there as they are spelled, in the first row's styles.
    """
    out, place = BytesIO(), f"xl/worksheets/sheet{sheet}.xml"
    with ZipFile(BytesIO(book)) as before, ZipFile(out, "w", ZIP_DEFLATED, compresslevel=1) as now:
        for info in before.infolist():
            body = before.read(info)
            if info.filename != place:
                now.writestr(info, body)
                continue
            head, end, tail = body.partition(b"</sheetData>")
            looks = Looks(text=_style(head, b"A"), day=_style(head, b"D"))
            with now.open(place, "w") as file:
                file.write(head)
                for some in batched(islice(rows, LARGEST - 1), BATCH):
                    file.write("".join(_row(row_values(row), looks) for row in some).encode())
                if next(rows, None) is not None:
                    file.write(_row((CUT.format(LARGEST),), looks).encode())
                file.write(end + tail)
    return out.getvalue()


def _style(head: bytes, column: bytes) -> str:
    """Return the style of a column's cell in the first row, as cells name it."""
    found = re.search(rb'<c r="' + column + rb'2"( s="[0-9]+")', head)
    return found[1].decode() if found else ""


def _row(values: Iterable[Value], looks: Looks) -> str:
    return f"<row>{''.join(_cell(value, looks) for value in values)}</row>"


def _cell(value: Value, looks: Looks) -> str:
    """Return one cell: a number where a spreadsheet's number says the same, else a text."""
    match value:
        case None | "":
            return "<c/>"
        case str():
            text = value[:LONGEST]
        case date():
            return f"<c{looks.day}><v>{(value - DAY_ZERO).days}</v></c>"
        case Decimal():
            text = plain(value)
            if number_of(value) is not None:
                return f"<c><v>{text}</v></c>"
        case _:
            return f"<c><v>{value}</v></c>"
    text = NOT_XML.sub(lambda sign: f"_x{ord(sign[0]):04X}_", escape(text, quote=False))
    return f'<c{looks.text} t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'
