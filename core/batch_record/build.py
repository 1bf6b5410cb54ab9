"""The batch record made from the states that the ledger folds to. Pure: it reads nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from core.batch.state import Batch, Partial, Signed, StepRun
from core.batch_record.matrix import completeness
from core.batch_record.model import (
    FORM,
    Amount,
    AttemptRecord,
    BatchRecord,
    CheckpointShown,
    Deed,
    DeviationRecord,
    ExceptionRecord,
    Header,
    Labels,
    Limits,
    MaterialLot,
    PrintLogged,
    RuleHeld,
    Signature,
    StepRecord,
    Weighing,
    Yield,
)
from core.clock import parse_iso
from core.deviation import Deviation
from core.ledger.checkpoint import Checkpoint
from core.ledger.entry import Entry
from core.material import Lot
from core.order import Gate, Order
from core.quantity import kg_text, plain
from core.recipe import Step, StepKind
from core.record_print import Prints
from core.refusal import Attempt
from core.release import RulePassed

type Name = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Everything a record is made from, as of one moment."""

    batch: Batch
    entries: Sequence[Entry]
    head: str
    deviations: Sequence[Deviation]
    order: Order | None
    lots: Mapping[str, Lot]
    attempts: Sequence[Attempt]
    gates: Sequence[Gate]
    passed: Sequence[RulePassed]
    prints: Prints | None
    checkpoint: Checkpoint
    zone: str
    name: Name


def batch_record(it: Sources) -> BatchRecord:
    """Return the record of a batch."""
    steps = tuple(_step(it, step) for step in it.batch.content.steps)
    deviations = tuple(_deviation(it, one) for one in it.deviations)
    yields, labels = _yields(it.batch), _labels(it.batch)
    return BatchRecord(
        form=FORM,
        header=_header(it),
        materials=_materials(it),
        steps=steps,
        exceptions=_exceptions(it),
        deviations=deviations,
        signatures=_signatures(it),
        attempts=tuple(_attempt(it, one) for one in it.attempts),
        yields=yields,
        labels=labels,
        gates=tuple(it.gates),
        rules=_rules(it.passed),
        completeness=completeness(steps, deviations, yields, labels=labels),
        prints=_prints(it),
        checkpoint=CheckpointShown(
            size=it.checkpoint.size, root=it.checkpoint.root.hex(), note=it.checkpoint.note
        ),
    )


def amount(value: Decimal, unit: str | None) -> Amount:
    """Return a quantity with the text that people read: grams as kilograms."""
    text = kg_text(value) if unit == "g" else f"{plain(value)} {unit or ''}".strip()
    return Amount(value=value, unit=unit or "", text=text)


def _maybe(value: Decimal | None, unit: str | None) -> Amount | None:
    return None if value is None else amount(value, unit)


def _deed(it: Sources, by: str, at: datetime | None, *, entry: int | None = None) -> Deed:
    return Deed(by=by, name=it.name(by), at=at, entry=entry)


def _header(it: Sources) -> Header:
    batch, content = it.batch, it.batch.content
    return Header(
        batch=batch.batch,
        state=batch.state.value,
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


def _at(it: Sources, kind: str, step: str) -> datetime | None:
    found = [one.at for one in it.entries if one.type == kind and one.data.get("step") == step]
    return parse_iso(found[-1]) if found else None


def _limits(step: Step, run: StepRun) -> Limits | None:
    if step.low is None and step.high is None and step.target is None:
        return None
    return Limits(
        low=_maybe(step.low, step.unit),
        high=_maybe(step.high, step.unit),
        target=_maybe(step.target, step.unit),
        within=run.within if run.performed_by else None,
    )


def _step(it: Sources, step: Step) -> StepRecord:
    run = it.batch.run(step.step) or StepRun(step=step.step)
    performed = verified = None
    if run.performed_by:
        performed = _deed(it, run.performed_by, run.performed_at)
    if run.verified_by:
        verified = _deed(it, run.verified_by, run.verified_at)
    return StepRecord(
        step=step.step,
        phase=step.phase,
        title=step.title,
        instruction=step.instruction,
        kind=step.kind.value,
        state=run.state.value,
        equipment=step.work_center,
        material=step.material,
        started_at=_at(it, "step.started", step.step),
        completed_at=_at(it, "step.completed", step.step),
        limits=_limits(step, run),
        net=amount(run.net_g, "g") if run.partials else None,
        values={name: amount(value, step.unit) for name, value in run.values.items()},
        weighings=tuple(_weighing(it, one) for one in run.partials),
        performed=performed,
        verification_asked=step.verify,
        verified=verified,
        deviation=run.deviation,
    )


def _weighing(it: Sources, one: Partial) -> Weighing:
    return Weighing(
        lot=one.lot,
        container=one.container,
        gross=amount(one.gross_g, "g"),
        tare=amount(one.tare_g, "g"),
        net=amount(one.net_g, "g"),
        scale=one.scale,
        certificate=one.certificate,
        raw=one.raw,
        by=one.by,
        name=it.name(one.by),
        at=one.at,
        entry=one.seq,
    )


def _exceptions(it: Sources) -> tuple[ExceptionRecord, ...]:
    return tuple(
        ExceptionRecord(
            exception=one.exception,
            step=one.step,
            kind=one.kind,
            says=one.says,
            deviation=one.deviation,
            raised=_deed(it, one.by, one.at, entry=one.seq),
            reviewed_by=None if one.reviewed_by is None else it.name(one.reviewed_by),
            assessment=one.assessment,
        )
        for one in it.batch.exceptions
    )


def _deviation(it: Sources, one: Deviation) -> DeviationRecord:
    decided = None
    if one.dispositioned_by is not None:
        decided = _deed(it, one.dispositioned_by, one.dispositioned_at)
    return DeviationRecord(
        deviation=one.deviation,
        step=one.step,
        kind=one.kind,
        severity=one.severity.value,
        says=one.says,
        why=one.why,
        state=one.state.value,
        raised=_deed(it, one.raised_by, one.raised_at),
        lots=one.lots,
        scale=one.scale,
        disposition=None if one.disposition is None else one.disposition.value,
        assessment=one.assessment,
        dispositioned=decided,
    )


def _signatures(it: Sources) -> tuple[Signature, ...]:
    found = [_signature(one, f"batch/{it.batch.batch}") for one in it.batch.signatures]
    for deviation in it.deviations:
        record = f"deviation/{deviation.deviation}"
        found += [_signature(one, record) for one in deviation.signatures]
    return tuple(sorted(found, key=lambda one: one.entry))


def _signature(one: Signed, record: str) -> Signature:
    return Signature(
        name=one.name,
        person=one.person,
        meaning=one.meaning,
        words=one.words,
        at=one.at,
        zone=one.zone,
        record=record,
        version=one.ver,
        step=one.step,
        entry=one.seq,
    )


def _attempt(it: Sources, one: Attempt) -> AttemptRecord:
    return AttemptRecord(
        command=one.command,
        rule=one.rule,
        says=one.says,
        step=one.step,
        station=one.station,
        tried=_deed(it, one.by, one.at, entry=one.seq),
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
            printed=_deed(it, one.by, one.at, entry=one.seq),
        )
        for one in (it.prints.copies if it.prints else ())
    )
