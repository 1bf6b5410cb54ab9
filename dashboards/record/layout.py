"""The record as sections in reading order: every word that page and paper show is chosen here.

A layout is plain values. The page draws it as HTML, the print as PDF; neither adds a fact, leaves
one out or words it again, so the two cannot differ. `record.json` holds the same facts as values.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from core.batch_record.model import BatchRecord, facts_of
from dashboards.record.blocks import (
    Block,
    Card,
    Cell,
    Facts,
    Note,
    Section,
    Table,
    Told,
    cell,
    deed,
    lines,
    spoken,
    told,
)
from dashboards.record.signs import mapped, visible
from dashboards.record.steps import corrections, step


def layout(record: BatchRecord, time: Callable[[datetime], str]) -> tuple[Section, ...]:
    """Return the record's sections, with every instant written by `time`."""
    it: Facts = mapped(facts_of(record, time), visible)
    amended = _amended(it["amendments"])
    return (
        Section("Batch", (_header(it["header"]),)),
        Section("Materials", _materials(it["materials"])),
        Section("Steps", tuple(step(one, amended.get(one["step"], ())) for one in it["steps"])),
        Section("Yield and labels", _yields(it, amended)),
        Section("Exceptions", _cards(it["exceptions"], _exception, "None: every rule held.")),
        Section("Deviations", _cards(it["deviations"], _deviation, "None.")),
        Section("Amendments", _cards(it["amendments"], _amendment, "None: nothing was changed"
                                     " after the decision.")),
        Section("Signatures", _cards(it["signatures"], _signature, "Nobody has signed yet.")),
        Section("Refused attempts", _attempts(it["attempts"])),
        Section("Audit trail, entries of higher risk", _risks(it["risks"])),
        Section("Release gates", (_gates(it["gates"]),)),
        Section("Rules that held", _rules(it["rules"])),
        Section("Completeness, 21 CFR 211.188(b)", (_completeness(it["completeness"]),)),
        Section("Closed revisions", _revisions(it["revisions"])),
        Section("Printed copies before this one", _prints(it["prints"])),
        Section("Checkpoint", _checkpoint(it)),
    )  # fmt: skip


def _header(it: Facts) -> Told:
    state = it["state"] if it["stands"] == it["state"] else f"{it['state']}, now {it['stands']}"
    return told(
        ("Batch", cell(it["batch"], "strong")),
        ("State", cell(state, "strong")),
        ("Changed since first recorded", cell(it["changed"] or "nothing", "strong")),
        ("Product", f"{it['product_name']} ({it['product']})"),
        ("Batch size", f"{it['size']['text']}, {it['pieces']} EA"),
        ("Order", it["order"] + (f", {it['order_quantity']['text']}" if it["order_quantity"]
                                 else "")),
        ("Order in the ERP", it["erp_order"] or "opened here, not in the ERP"),
        ("Recipe version", it["recipe"]),
        ("Hash of the recipe", cell(it["recipe_sha256"], "mono")),
        ("Room", it["room"]),
        ("Made", it["created_at"]),
        ("Started", it["started_at"]),
        ("Completed", it["completed_at"]),
        ("Decided", it["decided_at"]),
        ("Times", f"in {it['zone']}, each with its distance from UTC"),
        ("Entries of the batch", it["entries"]),
        ("Newest entry, hash", cell(it["head"], "mono")),
    )  # fmt: skip


def _materials(found: Sequence[Facts]) -> tuple[Block, ...]:
    if not found:
        return (Note("No material was used.", "muted"),)
    head = ("Material", "Lot", "Supplier", "Expiry", "Assay", "Containers", "Used", "Steps")
    rows = tuple(
        (
            cell(one["material"]), cell(one["lot"]), cell(one["supplier"]),
            cell(one["expires_on"]), cell(one["assay"]), cell(one["containers"]),
            cell(one["used"]["text"], "strong"), cell(one["steps"]),
        )
        for one in found
    )  # fmt: skip
    widths = (1.3, 1, 1.3, 0, 1, 0.9, 0, 0.5)
    return (Table(title="Lots used", head=head, rows=rows, widths=widths, right=(6,)),)


def _amended(found: Sequence[Facts]) -> dict[str, list[Facts]]:
    """Return by step what amendments changed, in their order."""
    changed: dict[str, list[Facts]] = {}
    for it in found:
        for one in it["corrections"]:
            by = {"amendment": it["amendment"], "state": it["state"]}
            changed.setdefault(one["step"], []).append({**one, **by})
    return changed


def _yields(it: Facts, amended: Mapping[str, Sequence[Facts]]) -> tuple[Block, ...]:
    made = [
        Note(
            f"Yield at step {one['step']}: {one['actual']['text']} of"
            f" {one['theoretical']['text']}, {one['percent']} %."
        )
        for one in it["yields"]
    ] or [Note("No yield is recorded.", "muted")]
    counted = [
        Note(
            f"Labels at step {one['step']}: {one['issued']} issued, {one['used']} used,"
            f" {one['returned']} returned, {one['destroyed']} destroyed."
        )
        for one in it["labels"]
    ] or [Note("No labels were reconciled.", "muted")]
    steps = {one["step"] for one in (*it["yields"], *it["labels"])}
    later = [
        Note(
            f"Amendment {one['amendment']}, {one['state']}: {spoken(one['what'])} at step {name}"
            f" is {one['new']['text']}, was {one['old']['text']}."
        )
        for name, found in amended.items()
        if name in steps
        for one in found
    ]
    return (*made, *counted, *later)


def _cards(found: Iterable[Facts], draw: Callable[[Facts], Card], empty: str) -> tuple[Block, ...]:
    return tuple(draw(one) for one in found) or (Note(empty, "muted"),)


def _exception(it: Facts) -> Card:
    facts = told(
        ("Raised", deed(it["raised"])),
        *([("Deviation", it["deviation"])] if it["deviation"] else []),
        ("Reviewed by", it["reviewed_by"]),
        ("Assessment", it["assessment"]),
    )
    return Card(
        title=f"{it['exception']}, step {it['step']}: {it['kind']}",
        blocks=(Note(it["says"]), facts),
        light="green" if it["reviewed_by"] else "yellow",
        word="reviewed" if it["reviewed_by"] else "to review",
    )


def _deviation(it: Facts) -> Card:
    facts = told(
        ("Severity", it["severity"]),
        ("Reason given", it["why"]),
        ("Raised", deed(it["raised"])),
        *([("Lots", it["lots"])] if it["lots"] else []),
        *([("Scale", it["scale"])] if it["scale"] else []),
        ("Disposition", cell(spoken(it["disposition"] or ""), "strong")),
        ("Assessment", it["assessment"]),
        *([("Decided", deed(it["dispositioned"]))] if it["dispositioned"] else []),
        *(("In the quality system", _capa(one)) for one in it.get("capas", ())),
    )
    return Card(
        title=f"{it['deviation']}, step {it['step']}: {it['kind']}",
        blocks=(Note(it["says"]), facts),
        light="green" if it["disposition"] else "red",
        word=it["state"],
    )


def _capa(it: Facts) -> Cell:
    status = spoken(it["status"]) if it["status"] else "not told yet how it stands"
    return lines(
        (f"{it['capa']}, {status}", "strong"), (f"linked by {deed(it['linked'])}", ""),
        (it["address"], "mono"),
    )  # fmt: skip


def _amendment(it: Facts) -> Card:
    facts = told(
        ("Reopened", deed(it["opened"])),
        ("Reason", it["why"]),
        ("Decision before", it["before"]),
        ("Of the closed record", f"version {it['closed_ver']}"),
        ("Its hash", cell(it["closed_leaf"], "mono")),
        ("Decision now", cell(it["state"], "strong")),
        ("Decided", deed(it["decided"])),
        *((f"Comment{' at step ' + one['step'] if one['step'] else ''}",
           lines((one["text"], ""), (deed(one["said"]), "muted"))) for one in it["comments"]),
    )  # fmt: skip
    table = (corrections(it["corrections"], names_step=True),) if it["corrections"] else ()
    return Card(
        title=f"Amendment {it['amendment']}, revision {it['number'] + 1}",
        blocks=(facts, *table),
        light="yellow" if it["decided"] is None else "green",
        word=it["state"],
    )


def _signature(it: Facts) -> Card:
    at = f", step {it['step']}" if it["step"] else ""
    comment = (("Comment", it["comment"]),) if it["comment"] else ()
    seals = (("Decides as", it["seals"]),) if it["seals"] else ()
    facts = told(
        ("Meaning", cell(it["meaning"], "strong")),
        ("Words", it["words"]),
        *comment,
        *seals,
        ("When", f"{it['at']}, {it['zone']}"),
        ("Of", f"{it['record']}, version {it['version']}{at}, entry {it['entry']}"),
        ("Signed with", it["components"]),
        *((("Proven by", it["proof"]),) if "proof" in it else ()),
    )
    return Card(title=f"{it['name']} ({it['person']})", blocks=(facts,), light="signed")


def _attempts(found: Sequence[Facts]) -> tuple[Block, ...]:
    if not found:
        return (Note("None.", "muted"),)
    rows = tuple(
        (
            cell(one["step"]),
            lines((one["rule"], ""), (one["command"], "muted")),
            cell(one["says"]),
            lines((deed(one["tried"]), ""), (one["station"], "muted")),
        )
        for one in found
    )
    head = ("Step", "Rule, command", "What was said", "By, at, entry, from")
    table = Table(title="Refused attempts", head=head, rows=rows, widths=(0, 1.4, 2.6, 1.5))
    return (Note("A rule refused each of them; nothing was changed."), table)


def _risks(found: Sequence[Facts]) -> tuple[Block, ...]:
    if not found:
        return (Note("None.", "muted"),)
    rows = tuple((cell(one["kind"]), cell(deed(one["done"])), cell(one["reason"])) for one in found)
    head = ("What", "Who, when, entry", "Reason")
    return (
        Note("Exceptions, decisions about them, refused attempts, changes, values outside limits."),
        Table(title="Entries of higher risk", head=head, rows=rows, widths=(1.2, 2, 2)),
    )


def _gates(found: Sequence[Facts]) -> Table:
    rows = tuple(
        (
            cell(one["gate"]),
            cell("green") if one["passed"] else cell("RED", "strong"),
            cell(one["says"]),
            cell(one["owner"]),
        )
        for one in found
    )
    head = ("Gate", "State", "What is known", "Owner")
    return Table(title="Release gates", head=head, rows=rows, widths=(0, 0, 1, 0))


def _rules(found: Sequence[Facts]) -> tuple[Block, ...]:
    if not found:
        return (Note("No rule was applied yet.", "muted"),)
    rows = tuple((cell(one["rule"]), cell(one["steps"]), cell(one["times"])) for one in found)
    head = ("Rule", "Steps", "Times")
    return (Table(title="Rules that held", head=head, rows=rows, widths=(1.4, 2, 0), right=(2,)),)


def _completeness(found: Sequence[Facts]) -> Table:
    rows = tuple(
        (
            cell(f"({one['no']})"),
            cell(one["content"]),
            cell("; ".join(one["evidence"])),
            cell(f"missing: {one['missing']}", "strong") if one["missing"] else cell(None),
        )
        for one in found
    )
    head = ("No.", "Content", "Evidence in this record", "Missing")
    return Table(title="Completeness", head=head, rows=rows, widths=(0, 1.3, 2.2, 1.4))


def _revisions(found: Sequence[Facts]) -> tuple[Block, ...]:
    if not found:
        return (Note("None: this record is not closed yet.", "muted"),)
    rows = tuple(
        (
            cell(one["revision"]),
            cell(deed(one["closed"])),
            cell(one["content_sha256"], "mono"),
            cell(one["size"]),
        )
        for one in found
    )
    head = ("Revision", "Closed by, at, entry", "SHA-256 of its JSON", "Ledger size")
    return (Table(title="Closed revisions", head=head, rows=rows, widths=(0, 1.5, 2.5, 0),
                  right=(3,)),)  # fmt: skip


def _prints(found: Sequence[Facts]) -> tuple[Block, ...]:
    if not found:
        return (Note("None.", "muted"),)
    rows = tuple(
        (
            cell(one["copy"]),
            cell(deed(one["printed"])),
            cell(one["why"] or "first copy"),
            lines((one["content_sha256"], "mono"), (f"at {one['size']} entries", "muted")),
            _file(one.get("sealed")),
        )
        for one in found
    )
    head = ("Copy", "Printed by, at, entry", "Reason", "SHA-256 of its JSON, ledger size",
            "SHA-256 of its file, seals")  # fmt: skip
    return (Table(title="Print log", head=head, rows=rows, widths=(0, 1.2, 1, 1.6, 1.6)),)


def _file(it: Facts | None) -> Cell:
    """Return what is known of a copy's file."""
    if it is None:
        return cell("not recorded")
    by = f", time-stamped by {it['stamped_by']}" if it["stamped_by"] else ""
    until = f"can be checked until {it['until']}{by}"
    why = [(f"no time stamp: {it['why']}", "muted")] if it["why"] else []
    return lines((it["file_sha256"], "mono"), (until, ""), *why)


def _checkpoint(it: Facts) -> tuple[Block, ...]:
    seen = it["checkpoint"]
    facts = told(
        ("Entries of the ledger", seen["size"]),
        ("Root", cell(seen["root"], "mono")),
        ("Note, signed by the plant's key", cell(seen["note"].strip(), "mono")),
        ("Form of this record", it["form"]),
    )
    return (facts,)
