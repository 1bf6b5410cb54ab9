"""The amendments of a batch as evidence: why, what was corrected, what was said, who decided."""

from markupsafe import Markup

from core.batch.amendment import Amendment, AmendmentState
from core.batch.state import Batch
from core.quantity import plain
from dashboards import parts
from dashboards.palette import State
from dashboards.review.dossier import Dossier
from dashboards.review.evidence import Draw, panel

CHIPS = {
    AmendmentState.OPEN: (State.NEAR, "Open"),
    AmendmentState.RELEASED: (State.OK, "Released as amended"),
    AmendmentState.REJECTED: (State.BAD, "Rejected as amended"),
}


def amendments_panel(draw: Draw, file: Dossier) -> Markup:
    """Return every amendment of a batch, the last one first."""
    found = [amendment_text(draw, file.batch, one) for one in reversed(file.amendments)]
    return panel("After the decision", *found, testid="evidence")


def amendment_text(draw: Draw, batch: Batch, it: Amendment) -> Markup:
    """Return one amendment with its signatures in full."""
    names = draw.names
    told: list[tuple[str, object]] = [
        ("Reopened by", f"{names.full(it.opened_by)}, {draw.time(it.opened_at)}"),
        ("Reason", it.why),
        ("Decision before", it.before),
        ("Closed record", f"batch/{it.batch}, version {it.closed_ver}"),
    ]
    return Markup("").join(
        (
            Markup("<h3>Amendment {} {}</h3>").format(it.amendment, parts.chip(*CHIPS[it.state])),
            parts.facts(told),
            _corrections(draw, batch, it),
            _comments(draw, it),
            *(draw.signature(one) for one in it.signatures),
        )
    )


def _corrections(draw: Draw, batch: Batch, it: Amendment) -> Markup:
    rows = []
    for one in it.corrections:
        unit = batch.recipe_step(one.step).unit
        suffix = f"\N{NO-BREAK SPACE}{unit}" if unit else ""
        rows.append(
            (
                one.step,
                one.what,
                f"{plain(one.old)}{suffix}",
                f"{plain(one.new)}{suffix}",
                one.why,
                draw.names.full(one.by),
                draw.time(one.at),
                parts.link(one.entry, f"/audit?entry={one.entry}"),
            )
        )
    head = ("Step", "Value", "Was", "Is", "Reason", "By", "When", "Entry")
    return parts.table(
        "Corrections", head, rows, numbers=("Was", "Is"), empty="No value was corrected.",
        testid="corrections",
    )  # fmt: skip


def _comments(draw: Draw, it: Amendment) -> Markup:
    rows = [
        (
            "Batch" if one.step is None else f"Step {one.step}",
            one.text,
            draw.names.full(one.by),
            draw.time(one.at),
            parts.link(one.entry, f"/audit?entry={one.entry}"),
        )
        for one in it.comments
    ]
    head = ("About", "Comment", "By", "When", "Entry")
    return parts.table("Comments", head, rows, empty="No comment was made.", testid="comments")
