"""The batch record made from the states that the ledger folds to. Pure: it reads nothing."""

from collections.abc import Sequence
from decimal import Decimal

from core.batch.state import Batch, Partial
from core.batch_record.changes import amendment, changed, risks, signatures
from core.batch_record.matrix import completeness
from core.batch_record.model import (
    FORM,
    AttemptRecord,
    BatchRecord,
    CapaRecord,
    CheckpointShown,
    DeviationRecord,
    ExceptionRecord,
    Header,
    Labels,
    MaterialLot,
    PrintLogged,
    RevisionRecord,
    RuleHeld,
    SealLogged,
    Yield,
)
from core.batch_record.sources import Sources
from core.batch_record.steps import amount, step_record
from core.deviation import Deviation
from core.material import Lot
from core.quantity import plain
from core.recipe import StepKind
from core.record_print import Sealing
from core.refusal import Attempt
from core.release import RulePassed


def batch_record(it: Sources) -> BatchRecord:
    """Return the record of a batch."""
    steps = tuple(step_record(it, step) for step in it.batch.content.steps)
    deviations = tuple(_deviation(it, one) for one in it.deviations)
    yields, labels = _yields(it.batch), _labels(it.batch)
    return BatchRecord(
        form=FORM,
        header=_header(it),
        materials=_materials(it),
        steps=steps,
        exceptions=_exceptions(it),
        deviations=deviations,
        amendments=tuple(amendment(it, one) for one in it.amendments),
        signatures=signatures(it),
        attempts=tuple(_attempt(it, one) for one in it.attempts),
        risks=risks(it),
        yields=yields,
        labels=labels,
        gates=tuple(it.gates),
        rules=_rules(it.passed),
        completeness=completeness(steps, deviations, yields, labels=labels),
        revisions=_revisions(it),
        prints=_prints(it),
        checkpoint=CheckpointShown(
            size=it.checkpoint.size, root=it.checkpoint.root.hex(), note=it.checkpoint.note
        ),
    )


def _header(it: Sources) -> Header:
    batch, content = it.batch, it.batch.content
    return Header(
        batch=batch.batch,
        state=batch.state.value,
        stands=it.stands.state.value,
        changed=changed(it),
        product=content.product,
        product_name=content.product_name,
        size=amount(content.quantity, content.unit),
        pieces=content.pieces,
        order=batch.order,
        order_quantity=None if it.order is None else amount(it.order.quantity, it.order.unit),
        erp_order=batch.erp_order,
        recipe=batch.recipe,
        recipe_sha256=batch.recipe_sha256,
        room=batch.room,
        created_at=batch.created_at,
        started_at=batch.started_at,
        completed_at=batch.completed_at,
        decided_at=batch.decided_at,
        zone=it.zone,
        entries=len(it.entries),
        head=it.head,
    )


def _materials(it: Sources) -> tuple[MaterialLot, ...]:
    used: dict[str, list[tuple[str, Partial]]] = {}
    for run in it.batch.steps:
        for one in run.partials:
            used.setdefault(one.lot, []).append((run.step, one))
    return tuple(_material(it.lots[lot], uses) for lot, uses in used.items())


def _material(lot: Lot, uses: list[tuple[str, Partial]]) -> MaterialLot:
    assay = None
    if lot.assay_percent is not None:
        basis = f", {lot.assay_basis}" if lot.assay_basis else ""
        assay = f"{plain(lot.assay_percent)} %{basis}"
    return MaterialLot(
        material=lot.material,
        lot=lot.lot,
        supplier=lot.supplier,
        expires_on=None if lot.expires_on is None else lot.expires_on.isoformat(),
        assay=assay,
        containers=tuple(dict.fromkeys(one.container for _, one in uses)),
        used=amount(sum((one.net_g for _, one in uses), Decimal(0)), "g"),
        steps=tuple(dict.fromkeys(step for step, _ in uses)),
    )


def _exceptions(it: Sources) -> tuple[ExceptionRecord, ...]:
    return tuple(
        ExceptionRecord(
            exception=one.exception,
            step=one.step,
            kind=one.kind,
            says=one.says,
            deviation=one.deviation,
            raised=it.deed(one.by, one.at, entry=one.seq),
            reviewed_by=None if one.reviewed_by is None else it.name(one.reviewed_by),
            assessment=one.assessment,
        )
        for one in it.batch.exceptions
    )


def _deviation(it: Sources, one: Deviation) -> DeviationRecord:
    decided = None
    if one.dispositioned_by is not None:
        decided = it.deed(one.dispositioned_by, one.dispositioned_at)
    return DeviationRecord(
        deviation=one.deviation,
        step=one.step,
        kind=one.kind,
        severity=one.severity.value,
        says=one.says,
        why=one.why,
        state=one.state.value,
        raised=it.deed(one.raised_by, one.raised_at),
        lots=one.lots,
        scale=one.scale,
        disposition=None if one.disposition is None else one.disposition.value,
        assessment=one.assessment,
        dispositioned=decided,
        capas=tuple(
            CapaRecord(
                capa=each.capa,
                address=each.address,
                status=each.status,
                linked=it.deed(each.linked_by, each.linked_at),
            )
            for each in it.capas.get(one.deviation, ())
        ),
    )


def _attempt(it: Sources, one: Attempt) -> AttemptRecord:
    return AttemptRecord(
        command=one.command,
        rule=one.rule,
        says=one.says,
        step=one.step,
        station=one.station,
        tried=it.deed(one.by, one.at, entry=one.seq),
    )


def _yields(batch: Batch) -> tuple[Yield, ...]:
    found = []
    for step in batch.content.steps:
        run = batch.run(step.step)
        if step.kind is StepKind.YIELD and run is not None and "quantity" in run.values:
            made = run.values["quantity"]
            found.append(
                Yield(
                    step=step.step,
                    actual=amount(made, batch.content.unit),
                    theoretical=amount(batch.content.quantity, batch.content.unit),
                    percent=f"{made * 100 / batch.content.quantity:.1f}",
                )
            )
    return tuple(found)


def _labels(batch: Batch) -> tuple[Labels, ...]:
    return tuple(
        Labels(step=step.step, **{name: run.values[name] for name in Labels.__struct_fields__[1:]})
        for step in batch.content.steps
        if step.kind is StepKind.LABELS
        and (run := batch.run(step.step)) is not None
        and "issued" in run.values
    )


def _rules(passed: Sequence[RulePassed]) -> tuple[RuleHeld, ...]:
    steps: dict[str, list[str]] = {}
    for one in passed:
        steps.setdefault(one.rule, []).append(one.step)
    return tuple(
        RuleHeld(rule=rule, steps=tuple(dict.fromkeys(at)), times=len(at))
        for rule, at in steps.items()
    )


def _prints(it: Sources) -> tuple[PrintLogged, ...]:
    return tuple(
        PrintLogged(
            copy=one.copy,
            size=one.size,
            content_sha256=one.content_sha256,
            why=one.why,
            printed=it.deed(one.by, one.at, entry=one.seq),
            sealed=None if one.sealed is None else _sealed(one.sealed),
        )
        for one in (it.prints.copies if it.prints else ())
    )


def _sealed(it: Sealing) -> SealLogged:
    return SealLogged(
        file_sha256=it.file_sha256, until=it.until, stamped_by=it.stamped_by, why=it.why
    )


def _revisions(it: Sources) -> tuple[RevisionRecord, ...]:
    return tuple(
        RevisionRecord(
            revision=one.revision,
            size=one.size,
            content_sha256=one.content_sha256,
            closed=it.deed(one.by, one.at, entry=one.seq),
        )
        for one in (it.prints.closings if it.prints else ())
    )
