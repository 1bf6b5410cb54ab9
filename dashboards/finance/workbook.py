"""A signed period as a workbook: the report's parts as sheets, and every row that was signed.

A text is written as a text, whatever it begins with, so no cell can hold somebody's formula. A
quantity is a number where a spreadsheet's number says the same, else a text, never a rounded one.
"""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO
from itertools import islice
from typing import Self
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

    def rows(self, rows: Iterable[Record]) -> None:
        """Add every row that was signed as a sheet."""
        sheet, found = self.book.add_worksheet("Rows"), iter(rows)
        _headed(sheet, ROWS, self.head)
        sheet.set_column(0, len(ROWS) - 1, 16)
        n = 0
        for n, row in enumerate(islice(found, LARGEST), 1):
            for column, value in enumerate(row_values(row)):
                self.write(sheet, n, column, value=value)
        if next(found, None) is not None:
            self.label(sheet, n + 1, CUT.format(LARGEST))
        sheet.autofilter(0, 0, n, len(ROWS) - 1)


def _headed(sheet: Worksheet, head: Iterable[str], style: Format) -> None:
    for column, text in enumerate(head):
        sheet.write_string(0, column, text, style)
    sheet.freeze_panes(1, 0)


def workbook(it: Report, rows: Iterable[Record]) -> bytes:
    """Return the workbook of a signed period: the report's parts, then every row."""
    made = _Book(ZoneInfo(it.signing.zone), it.title, it.signing.at)
    for part in it.parts:
        made.part(part)
    made.rows(rows)
    made.book.close()
    return made.out.getvalue()
