"""The steps in a record's layout: what was done, and what was changed since, struck through."""

from collections.abc import Sequence

from dashboards.record.blocks import (
    DASH,
    Card,
    Cell,
    Facts,
    Note,
    Table,
    Told,
    cell,
    deed,
    limits,
    lines,
    spoken,
    told,
)


def step(it: Facts, amended: Sequence[Facts] = ()) -> Card:
    """Return a step; `amended` holds what amendments changed in it after the decision."""
    late = it["late"]
    rows: list[tuple[str, object]] = [
        ("Phase, kind", f"{it['phase']}, {spoken(it['kind'])}"),
        ("Start, end", f"{it['started_at'] or DASH} to {it['completed_at'] or DASH}"),
        *([("Equipment", it["equipment"])] if it["equipment"] else []),
        *([("Material", it["material"])] if it["material"] else []),
        *([("Asked by QA", it["asked"])] if it["asked"] else []),
        *([("Net in total", cell(it["net"]["text"], "strong"))] if it["net"] else []),
        *((spoken(name).capitalize(), _value(it, name, one, amended=amended))
          for name, one in it["values"].items()),
        *([("Limits, both ends good", limits(it["limits"]) + (", as first recorded" if amended
                                                              else ""))] if it["limits"] else []),
        ("Done by", deed(it["performed"])),
        *([("LATE ENTRY", cell(f"happened {late['happened_at']}, recorded {late['recorded_at']}",
                               "strong"))] if late else []),
        *([("Verified by", deed(it["verified"]))]
          if it["verification_asked"] or it["verified"] else []),
        *([("Deviation", cell(it["deviation"], "strong"))] if it["deviation"] else []),
    ]  # fmt: skip
    blocks: list[Told | Table | Note] = [Note(it["instruction"]), told(*rows)]
    if it["weighings"]:
        blocks.append(_weighings(it))
    if it["corrections"]:
        blocks.append(corrections(it["corrections"]))
    if it["redone"]:
        blocks.append(_redone(it["redone"]))
    return Card(
        title=f"Step {it['step']}, {it['title']}",
        id=f"step-{it['step']}",
        light=it["light"],
        word=it["says"],
        blocks=tuple(blocks),
    )


def _value(it: Facts, name: str, value: Facts, *, amended: Sequence[Facts]) -> Cell:
    """Return a value with what it was before, struck through, the oldest first."""
    old = [one["old"]["text"] for one in it["corrections"] if one["what"] == name]
    later = [one for one in amended if one["what"] == name]
    texts: list[str] = [*old, value["text"], *(one["new"]["text"] for one in later)]
    by = [(f"by amendment {one['amendment']}, {one['state']}", "muted") for one in later[-1:]]
    return lines(*((text, "struck") for text in texts[:-1]), (texts[-1], "strong"), *by)


def _weighings(it: Facts) -> Table:
    head = ("Lot, container", "Gross", "Tare", "Net", "Scale, certificate", "Line as sent, by, at",
            "Entry")  # fmt: skip
    rows = tuple(_weighing(one) for one in it["weighings"])
    title = f"Weighings of step {it['step']}"
    widths = (1, 0, 0, 0, 1.3, 1.8, 0)
    return Table(title=title, head=head, rows=rows, widths=widths, right=(1, 2, 3, 6))


def _weighing(one: Facts) -> tuple[Cell, ...]:
    gone = one["void"]
    look = "struck" if gone else ""
    why: list[tuple[object, str]] = []
    if gone:
        why = [(f"NO LONGER COUNTS: {gone['why']}", "strong"), (deed(gone["by"]), "")]
    return (
        lines((one["lot"], look), (one["container"], look)),
        cell(one["gross"]["text"], look),
        cell(one["tare"]["text"], look),
        cell(one["net"]["text"], look or "strong"),
        lines((one["scale"], ""), (one["certificate"], "")),
        lines((one["raw"], "mono"), (f"{one['name']} ({one['by']})", ""), (one["at"], ""), *why),
        cell(one["entry"]),
    )


def corrections(found: Sequence[Facts], *, names_step: bool = False) -> Table:
    rows = tuple(
        (
            cell(spoken(one["what"]) + (f", step {one['step']}" if names_step else "")),
            cell(one["old"]["text"], "struck"),
            cell(one["new"]["text"], "strong"),
            lines((one["why"], ""), (deed(one["corrected"]), "muted")),
            cell(one["corrects"]),
        )
        for one in found
    )
    head = ("Changed", "Old", "New", "Reason, by, at", "Of entry")
    return Table(title="Corrections", head=head, rows=rows, widths=(1, 0, 0, 3, 0), right=(1, 2, 4))


def _redone(found: Sequence[Facts]) -> Table:
    rows = tuple(
        (
            lines(
                *((f"{spoken(name)} {one['text']}", "struck") for name, one in it["values"].items())
            ),
            cell(deed(it["performed"])),
            lines((f"Done again: {it['deviation']}", "strong"), (deed(it["set_aside"]), "muted")),
        )
        for it in found
    )
    head = ("Values before", "Done by", "Set aside for, by, at")
    return Table(title="Done before, no longer counts", head=head, rows=rows, widths=(1, 1.5, 2))
