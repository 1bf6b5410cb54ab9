"""The whole record of a batch for reading: every step in order, every signature in full."""

from markupsafe import Markup

from core.batch.state import StepRun, StepState
from core.quantity import kg_text, plain
from core.recipe import Step
from dashboards import parts
from dashboards.palette import State
from dashboards.review import dossier, figures
from dashboards.review.dossier import Dossier
from dashboards.review.evidence import Draw, panel, values_text

STATES = {
    StepState.COMPLETE: State.OK,
    StepState.HELD: State.HELD,
    StepState.DONE: State.INFO,
    StepState.RUNNING: State.INFO,
    StepState.IDLE: State.UNKNOWN,
}


def record(draw: Draw, file: Dossier) -> Markup:
    """Return the record: head, steps, signatures, refused attempts, audit trail."""
    batch = file.batch
    steps = Markup("").join(
        _step(draw, file, step=one, number=n) for n, one in enumerate(batch.content.steps, 1)
    )
    signatures = [draw.signature(one) for one in batch.signatures]
    for deviation in file.deviations.values():
        signatures += [draw.signature(one) for one in deviation.signatures]
    none = parts.paragraph("Nobody has signed yet.", muted=True)
    return Markup("").join(
        (
            panel("Batch", _head(draw, file), testid="record-head"),
            Markup('<section class="steps" data-testid="record-steps">{}</section>').format(steps),
            panel("Exceptions and deviations", _exceptions(draw, file), testid="record-exceptions"),
            panel("Signatures", *(signatures or [none]), testid="record-signatures"),
            panel("Release gates", draw.gates(file), testid="record-gates"),
            draw.attempts(file.attempts, f"Refused attempts, {len(file.attempts)}"),
            draw.entries(file.trail, f"Audit trail, {len(file.trail)} entries"),
        )
    )  # fmt: skip


def _head(draw: Draw, file: Dossier) -> Markup:
    batch, content = file.batch, file.batch.content
    return parts.facts(
        [
            ("Batch", batch.batch),
            ("Product", f"{content.product_name} ({content.product})"),
            ("Batch size", f"{plain(content.quantity)} {content.unit}, {content.pieces} EA"),
            ("Order", batch.order),
            ("Order in the ERP", batch.erp_order or "opened here, not in the ERP"),
            ("Room", batch.room),
            ("Recipe version", batch.recipe),
            ("Content hash of the recipe", Markup('<span class="hash">{}</span>').format(
                batch.recipe_sha256)),
            ("Made", draw.time(batch.created_at)),
            ("Started", draw.time(batch.started_at)),
            ("Completed", draw.time(batch.completed_at)),
            ("Decided", draw.time(batch.decided_at)),
            ("Record", f"{len(file.entries)} entries, version {file.seen.ver}"),
            ("Head of the record", Markup('<span class="hash">{}</span>').format(file.seen.head)),
        ]
    )  # fmt: skip


def _step(draw: Draw, file: Dossier, *, step: Step, number: int) -> Markup:
    run = file.batch.run(step.step) or StepRun(step=step.step)
    state = STATES[run.state]
    value = dossier.measured(step, run)
    chips = [parts.chip(state, run.state.value.capitalize())]
    if value is not None:
        chips.append(figures.verdict_chip(value))
    if run.deviation:
        chips.append(parts.chip(State.HELD, run.deviation))
    return Markup(
        '<article class="step {}" id="step-{}"><h3><span>{} of {} · step {}, {}</span>{}</h3>'
        '<p class="muted">{} · {}</p>{}{}</article>'
    ).format(
        state.value if state is not State.INFO else "",
        step.step,
        number,
        len(file.batch.content.steps),
        step.step,
        step.title,
        Markup(" ").join(chips),
        step.phase,
        step.instruction,
        parts.facts(_told(draw, file, step=step, run=run)),
        _partials(draw, run),
    )


def _told(draw: Draw, file: Dossier, *, step: Step, run: StepRun) -> list[tuple[str, object]]:
    told: list[tuple[str, object]] = []
    value = dossier.measured(step, run)
    if value is not None:
        told += [
            ("Value", figures.amount(value.value, value.unit)),
            ("Limits, both ends good", figures.limits_text(value)),
            ("Target", figures.amount(value.target, value.unit)),
        ]
    elif run.values:
        told.append(("Entered", values_text(run.values, step.unit)))
    if run.performed_by:
        told.append(
            ("Done by", f"{draw.names.full(run.performed_by)}, {draw.time(run.performed_at)}")
        )
    if run.verified_by:
        told.append(
            ("Verified by", f"{draw.names.full(run.verified_by)}, {draw.time(run.verified_at)}")
        )
    elif step.verify and run.performed_by:
        told.append(("Verified by", "nobody yet"))
    for one in file.batch.signatures:
        if one.step == step.step:
            told.append(("Signed", f"{one.name}: {one.meaning}, {draw.time(one.at)}"))
    return told  # fmt: skip


def _partials(draw: Draw, run: StepRun) -> Markup:
    if not run.partials:
        return Markup("")
    head = ("Lot", "Container", "Gross", "Tare", "Net", "Scale", "Certificate", "Raw line",
            "By", "When", "Entry")  # fmt: skip
    rows = [
        (
            one.lot, one.container, kg_text(one.gross_g), kg_text(one.tare_g), kg_text(one.net_g),
            one.scale, one.certificate, Markup('<code class="raw">{}</code>').format(one.raw),
            draw.names.name(one.by), draw.time(one.at),
            parts.link(one.seq, f"/audit?entry={one.seq}"),
        )
        for one in run.partials
    ]  # fmt: skip
    caption = f"Weighings of step {run.step}"
    return parts.table(
        caption, head, rows, numbers=("Gross", "Tare", "Net", "Entry"), show_caption=False
    )


def _exceptions(draw: Draw, file: Dossier) -> Markup:
    pieces = []
    for one in file.batch.exceptions:
        pieces.append(
            Markup("<h3>{} · {} · step {} {}</h3><p>{}</p>").format(
                one.exception, one.kind, one.step, draw.mark(file, one), one.says
            )
        )
        deviation = file.deviations.get(one.deviation or "")
        if deviation is not None:
            pieces.append(parts.paragraph(f"Reason given: {deviation.why}"))
            if deviation.disposition is not None:
                pieces.append(draw.decision(deviation))
        if one.reviewed_by:
            pieces.append(
                Markup('<p class="quote">{}<br><span class="muted">{}</span></p>').format(
                    one.assessment, f"Reviewed by {draw.names.full(one.reviewed_by)}"
                )
            )
    return Markup("").join(pieces) or parts.paragraph("None: every rule held.", muted=True)
