"""Completeness of a batch record: each item of 21 CFR 211.188(b) leads to evidence, or is missing.

What this plant does not record is said to be missing, never assumed to be elsewhere.

Source:
    21 CFR 211.188(b)(1)-(13).
"""

from collections.abc import Sequence

from core.batch_record.model import DeviationRecord, Labels, MatrixRow, StepRecord, Weighing, Yield
from core.recipe import StepKind

CONTENT = (
    "dates",
    "major equipment and lines",
    "batches of components and in-process material",
    "weights and measures used",
    "in-process and laboratory results",
    "packaging and labelling area inspected before and after use",
    "actual yield and percentage of theoretical yield",
    "label control, with specimens or copies",
    "containers and closures",
    "sampling",
    "who performed, supervised or checked each step",
    "investigations under 211.192",
    "examinations under 211.134",
)
type Found = tuple[list[str], str | None]


def completeness(
    steps: Sequence[StepRecord],
    deviations: Sequence[DeviationRecord],
    yields: Sequence[Yield],
    *,
    labels: Sequence[Labels],
) -> tuple[MatrixRow, ...]:
    """Return the thirteen rows with their evidence and what is missing."""
    found: tuple[Found, ...] = (
        _dates(steps),
        _equipment(steps),
        _lots(steps),
        _weights(steps),
        _results(steps),
        _inspection(steps),
        _yields(steps, yields),
        _labels(labels),
        ([], "containers and closures are not recorded as lots"),
        ([], "no sample is recorded"),
        _people(steps),
        _investigations(deviations),
        ([], "no examination of finished packages is recorded"),
    )
    return tuple(
        MatrixRow(no=no, content=content, evidence=tuple(evidence), missing=missing)
        for no, (content, (evidence, missing)) in enumerate(zip(CONTENT, found, strict=True), 1)
    )


def _steps(word: str, names: Sequence[str]) -> str:
    return f"{word} {', '.join(names)}"


def _counted(step: StepRecord) -> list[Weighing]:
    """Return the weighings that count: one that was taken back or done again is no evidence."""
    return [one for one in step.weighings if one.void is None]


def _lacking(says: str, names: Sequence[str]) -> str | None:
    return f"{says} {', '.join(names)}" if names else None


def _dates(steps: Sequence[StepRecord]) -> Found:
    dated = [one.step for one in steps if one.started_at and one.completed_at]
    open_ = [one.step for one in steps if one.step not in dated]
    evidence = [_steps("start and end of steps", dated)] if dated else []
    return evidence, _lacking("start or end of steps", open_)


def _equipment(steps: Sequence[StepRecord]) -> Found:
    used = {one.equipment for one in steps if one.equipment and one.performed}
    used |= {weighing.scale for one in steps for weighing in one.weighings}
    if not used:
        return [], "no equipment is recorded"
    return [", ".join(sorted(used))], None


def _lots(steps: Sequence[StepRecord]) -> Found:
    evidence = [
        f"step {one.step}: lot {lot} of {one.material}"
        for one in steps
        for lot in sorted({weighing.lot for weighing in _counted(one)})
    ]
    idle = [one.step for one in steps if one.kind == StepKind.WEIGH and not _counted(one)]
    if not evidence and not idle:
        return [], "no component is recorded"
    return evidence, _lacking("lot at steps", idle)


def _weights(steps: Sequence[StepRecord]) -> Found:
    evidence = [
        f"entry {weighing.entry}: {weighing.net.text} on {weighing.scale}, {weighing.certificate}"
        for one in steps
        for weighing in _counted(one)
    ]
    idle = [one.step for one in steps if one.kind == StepKind.WEIGH and not _counted(one)]
    if not evidence and not idle:
        return [], "no weighing is recorded"
    return evidence, _lacking("weight at steps", idle)


def _results(steps: Sequence[StepRecord]) -> Found:
    evidence = [
        f"step {one.step}: {', '.join(amount.text for amount in one.values.values())}"
        for one in steps
        if one.kind == StepKind.CHECK and one.values
    ]
    idle = [one.step for one in steps if one.kind == StepKind.CHECK and not one.values]
    results = "laboratory results are not recorded here"
    return evidence, f"value at steps {', '.join(idle)}; {results}" if idle else results


def _inspection(steps: Sequence[StepRecord]) -> Found:
    at = [n for n, one in enumerate(steps) if one.kind == StepKind.LABELS]
    if not at:
        return [], "the recipe has no labelling step"
    phase = steps[at[0]].phase
    cleared = [
        n
        for n, one in enumerate(steps)
        if one.kind == StepKind.CLEARANCE and one.phase == phase and one.performed
    ]
    evidence = [f"clearance at step {steps[n].step}" for n in cleared]
    lacks = [
        word
        for word, there in (
            ("before", any(n < at[0] for n in cleared)),
            ("after", any(n > at[-1] for n in cleared)),
        )
        if not there
    ]
    return evidence, f"inspection {' and '.join(lacks)} labelling" if lacks else None


def _yields(steps: Sequence[StepRecord], yields: Sequence[Yield]) -> Found:
    evidence = [
        f"step {one.step}: {one.actual.text}, {one.percent} % of {one.theoretical.text}"
        for one in yields
    ]
    if not evidence:
        return [], "no yield is recorded"
    made = {one.step for one in yields}
    alone = [one.step for one in steps if one.step in made and one.verified is None]
    return evidence, _lacking("second person at steps", alone)


def _labels(labels: Sequence[Labels]) -> Found:
    evidence = [f"step {one.step}: counts reconciled, {one.issued} issued" for one in labels]
    specimen = "specimen or copy of the label"
    return evidence, specimen if evidence else f"label counts; {specimen}"


def _people(steps: Sequence[StepRecord]) -> Found:
    done = [one.step for one in steps if one.performed]
    evidence = [_steps("performer of steps", done)] if done else []
    checked = [one.step for one in steps if one.verified]
    if checked:
        evidence.append(_steps("verifier of steps", checked))
    undone = [one.step for one in steps if one.performed is None]
    unseen = [one.step for one in steps if one.verification_asked and one.verified is None]
    lacks = [_lacking("performer of steps", undone), _lacking("verifier of steps", unseen)]
    return evidence, "; ".join(one for one in lacks if one) or None


def _investigations(deviations: Sequence[DeviationRecord]) -> Found:
    evidence = [
        f"{one.deviation}: {one.disposition.replace('_', ' ')}"
        for one in deviations
        if one.disposition
    ]
    undecided = [one.deviation for one in deviations if not one.disposition]
    if not deviations:
        evidence = ["no deviation was raised"]
    return evidence, _lacking("disposition of", undecided)
