"""The report as people read it: results first, then every test with its script, then the trace."""

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from core.clock import parse_iso
from dashboards.record.blocks import Block, Card, Cell, Line, Note, Section, Table, cell, told
from dashboards.record.typeset import local, printed, qr

TEMPLATE = Path(__file__).with_name("report.typ")
UTC = ZoneInfo("UTC")
LIGHTS = {"passed": "green", "failed": "red", "not run": "yellow"}
LOOKS = {"passed": "", "failed": "strong", "not run": "muted"}
TITLE = "Qualification report"


def pdf(report: dict[str, Any], *, sha256: str) -> bytes:
    """Return the report as PDF/A; `sha256` is that of `report.json`, which it was made from."""
    at = parse_iso(report["made_at"])
    about = {
        "title": TITLE,
        "host": report["host"],
        "version": report["version"],
        "sha256": sha256,
        "at": local(at, UTC),
        "by": report["by"],
        "key": report["signed_with"]["vkey"],
    }
    code = f"{TITLE}\nreport.json {sha256}\n{report['signed_with']['vkey']}"
    return printed(TEMPLATE, sections(report), about, at=at, inputs={"qr": qr(code)})


def sections(report: dict[str, Any]) -> tuple[Section, ...]:
    """Return the report's layout."""
    tests = report["tests"]
    parts = {"IQ": "Installation qualification (IQ)", "OQ": "Operational qualification (OQ)"}
    each = (
        Section(title, tuple(_card(one) for one in tests if one["id"].startswith(part)))
        for part, title in parts.items()
        if any(one["id"].startswith(part) for one in tests)
    )
    return (
        _result(report),
        _list(tests),
        _people(report),
        *each,
        _trace(report),
        *_packages(tests),
    )


def verdict(report: dict[str, Any]) -> str:
    """Return the result in one sentence; what was not run is never left out."""
    counts = report["counts"]
    whole = sum(counts.values())
    said = f"{counts['passed']} of {whole} tests passed"
    said += f", {counts['failed']} failed" if counts["failed"] else ""
    return said + (f", {counts['not run']} were not run" if counts["not run"] else "") + "."


def _result(report: dict[str, Any]) -> Section:
    where = report["data"] or "a scratch plant, made for this run"
    only = f"{report['only']} alone was asked for" if report["only"] else "IQ and OQ"
    rows = told(
        ("Result", (Line(verdict(report), "strong"),)),
        ("Part", only),
        ("Program", f"Batchwright {report['version']}"),
        ("Host", report["host"]),
        ("Plant pack", report["plant"]),
        ("IQ looked at the data of", where),
        ("OQ ran on", f"a scratch plant of its own, ledger in {report['oq_on']}"),
        ("Run by", report["by"]),
        ("From", _time(report["started_at"])),
        ("To", _time(report["made_at"])),
        ("Signed with", f"{report['signed_with']['whose']}"),
        ("Public key", (Line(report["signed_with"]["vkey"], "mono"),)),
    )
    return Section("Result", (rows,))


def _list(tests: list[dict[str, Any]]) -> Section:
    rows = tuple(
        (cell(one["id"]), cell(one["name"]), cell(one["outcome"], LOOKS[one["outcome"]]),
         cell(one["why"]))
        for one in tests
    )  # fmt: skip
    head = ("Test", "Title", "Outcome", "Why, where it did not pass")
    table = Table(title="All tests", head=head, rows=rows, widths=(0.5, 2.2, 0.6, 2.2))
    return Section("All tests", (table,))


def _people(report: dict[str, Any]) -> Section:
    says = "This run gives evidence. It does not validate the plant; for people remain:"
    notes = (Note(f"{number}. {one}") for number, one in enumerate(report["for_people"], 1))
    return Section("What is left for people", (Note(says), *notes))


def _card(it: dict[str, Any]) -> Card:
    steps = tuple(Line(f"{number}. {one}") for number, one in enumerate(it["steps"], 1))
    why = (("Why", cell(it["why"], "strong")),) if it["why"] else ()
    rows = told(
        ("Purpose", it["purpose"]),
        ("Requirements", ", ".join(it["requirements"])),
        ("Clauses", ", ".join(it["clauses"])),
        ("Steps", steps),
        ("Expected", it["expected"]),
        ("From, to", f"{_time(it['started_at'])} – {_time(it['ended_at'])[11:19]}"),
        *why,
    )
    seen = tuple(
        (cell(number), cell(one["says"], "" if one["holds"] else "strong"),
         cell("as it must be" if one["holds"] else "FAILS", "muted" if one["holds"] else "strong"))
        for number, one in enumerate(it["actual"], 1)
    )  # fmt: skip
    blocks: list[Any] = [rows]
    if seen:
        head = ("", "Actual", "Judged")
        blocks.append(Table(title="Actual", head=head, rows=seen, widths=(0.25, 6, 1), right=(0,)))
    return Card(
        title=f"{it['id']} {it['name']}", blocks=tuple(blocks), light=LIGHTS[it["outcome"]],
        word=it["outcome"],
    )  # fmt: skip


def _trace(report: dict[str, Any]) -> Section:
    def outcomes(tests: list[dict[str, str]]) -> Cell:
        return tuple(
            Line(f"{one['name'].split()[0]} {one['outcome']}", LOOKS[one["outcome"]])
            for one in tests
        )

    rows = tuple(
        (cell(one["id"]), cell(one["title"]), tuple(Line(c) for c in one["clauses"]),
         outcomes(one["tests"]))
        for one in report["requirements"]
    )  # fmt: skip
    head = ("Id", "Requirement", "Clauses", "Tests")
    table = Table(title="Trace", head=head, rows=rows, widths=(0.3, 1.7, 1.8, 1))
    says = Note(
        "Requirement, clause and test. The ids are those of the product's own tests, which its"
        " manual lists by clause. Clauses are cited by number: compare the current official text."
    )
    return Section("Trace matrix", (says, table))


def _packages(tests: list[dict[str, Any]]) -> tuple[Section, ...]:
    found = next((one["values"].get("packages") for one in tests if one["id"] == "IQ-03"), None)
    if not found:
        return ()
    rows = tuple(
        (cell(one["name"]), cell(one["version"]), cell(one["files"]),
         cell("all as released" if one["holds"] else "DIFFERS", "" if one["holds"] else "strong"),
         cell(one["record_sha256"][:16], "mono"))
        for one in found
    )  # fmt: skip
    head = ("Package", "Version", "Files", "Hashes", "RECORD, SHA-256")
    table: Block = Table(
        title="Packages", head=head, rows=rows, widths=(2, 1.1, 0.6, 1.2, 1.4), right=(2,)
    )
    says = Note("Of the last column report.json holds the whole hash, and the hash of the lock.")
    return (Section("Installed packages", (says, table)),)


def _time(text: str) -> str:
    at: datetime = parse_iso(text)
    return local(at, UTC)
