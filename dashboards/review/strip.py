"""The top of a batch under review: what it is, and how it stands, in five blocks."""

from collections import Counter

from markupsafe import Markup

from core.batch.state import BatchState
from core.correction_request import CorrectionRequest, RequestState
from core.quantity import plain
from dashboards import parts
from dashboards.palette import State
from dashboards.review.dossier import Dossier

STATES = {
    BatchState.IDLE: (State.UNKNOWN, "Not started"),
    BatchState.RUNNING: (State.INFO, "Running"),
    BatchState.HELD: (State.HELD, "Held"),
    BatchState.COMPLETE: (State.NEAR, "Complete, to review"),
    BatchState.RELEASED: (State.OK, "Released"),
    BatchState.REJECTED: (State.BAD, "Rejected"),
    BatchState.REOPENED: (State.NEAR, "Reopened"),
}


ASKED = {
    RequestState.OPEN: (State.NEAR, "A correction is asked for."),
    RequestState.MADE: (State.OK, "Corrected as asked."),
    RequestState.DECLINED: (State.INFO, "A correction was asked for and declined."),
}


def state_chip(state: BatchState) -> Markup:
    """Return a batch's state as a chip."""
    return parts.chip(*STATES[state], testid="batch-state")


def about(file: Dossier, *, whole: bool) -> Markup:
    """Return the line that says which batch this is, with the way to its other view."""
    batch, content = file.batch, file.batch.content
    here = f"/review/batch/{batch.batch}"
    other = (
        parts.link("Review by exception", here)
        if whole
        else parts.link("Full record", f"{here}?view=record")
    )
    done = sum(run.state.value == "complete" for run in batch.steps)
    return Markup(
        '<div class="about">{} <span>Order <b>{}</b></span><span>Recipe <b>{}</b></span>'
        "<span>Size <b>{}</b></span><span>Room <b>{}</b></span><span>Steps <b>{} of {}</b></span>"
        "{} {}</div>"
    ).format(
        state_chip(batch.state),
        batch.order,
        batch.recipe,
        f"{plain(content.quantity)} {content.unit}",
        batch.room,
        done,
        len(batch.steps),
        other,
        parts.link("Review queue", "/review"),
    ) + parts.join(*(_asked(one) for one in file.asked))


def _asked(it: CorrectionRequest) -> Markup:
    """Return what finance asked to have corrected in this batch, and what became of it."""
    tone, word = ASKED[it.state]
    says = f"{it.asked_by} asked {it.to} about entry {it.entry}, until {it.due_on}: {it.what}"
    if it.answer:
        says += f" Answer of {it.answered_by}: {it.answer}"
    return Markup('<div data-testid="asked">{}</div>').format(parts.notice(tone, word, says))


def block(
    title: str, count: Markup | str, says: str, *, state: State | None = None, id: str = ""
) -> Markup:
    """Return one block of a strip: a figure and what it says."""
    return Markup(
        '<section class="{0}" data-testid="{1}"><h2>{2}</h2><p class="count">{3}</p>'
        '<p class="says{4}">{5}{6}</p></section>'
    ).format(
        state.value if state else "",
        id,
        title,
        count,
        " state" if state else "",
        Markup("{} ").format(parts.sign(state)) if state else "",
        says,
    )


def _of(done: int, whole: int) -> Markup:
    return Markup("{} <small>of {}</small>").format(done, whole)


def _some(names: list[str]) -> str:
    """Return the first two names and how many more there are."""
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return ", ".join(names[:2]) + more


def strip(file: Dossier) -> Markup:
    """Return the verdict: rules, exceptions by class, deviations, refused attempts, gates."""
    exceptions, waits = file.batch.exceptions, len(file.open_exceptions)
    classes = ", ".join(f"{kind} {count}" for kind, count in file.classes)
    opened = len(file.open_deviations)
    green = len(file.gates) - len(file.red)
    red = _some([gate.gate for gate in file.red])
    blocks = (
        block(
            "Rules passed",
            _of(len(file.passed), file.judged),
            "every rule held" if not exceptions else f"{len(exceptions)} broken, see exceptions",
            state=State.OK if not exceptions else None,
            id="rules",
        ),
        block(
            "Exceptions reviewed",
            _of(len(exceptions) - waits, len(exceptions)),
            classes or "none raised",
            state=State.NEAR if waits else State.OK,
            id="exceptions",
        ),
        block(
            "Deviations dispositioned",
            _of(len(file.deviations) - opened, len(file.deviations)),
            f"open: {', '.join(one.deviation for one in file.open_deviations)}"
            if opened
            else "none open",
            state=State.HELD if opened else State.OK,
            id="deviations",
        ),
        block(
            "Refused attempts",
            str(len(file.attempts)),
            "recorded, changed nothing" if file.attempts else "none",
            state=None,
            id="refused",
        ),
        block(
            "Release gates green",
            _of(green, len(file.gates)),
            f"red: {red}" if red else "all green",
            state=State.BAD if red else State.OK,
            id="gates-strip",
        ),
    )
    return Markup('<div class="strip" data-testid="verdict">{}</div>').format(
        Markup("").join(blocks)
    )


def rules(file: Dossier) -> Markup:
    """Return the rules that held, by rule, with the steps they were applied to."""
    counts = Counter(one.rule for one in file.passed)
    rows = []
    for rule, count in counts.most_common():
        steps = dict.fromkeys(one.step for one in file.passed if one.rule == rule)
        rows.append((rule, count, ", ".join(steps)))
    return parts.table(
        f"Rules that held, {len(file.passed)}",
        ("Rule", "Times", "Steps"),
        rows,
        numbers=("Times",),
        empty="Nothing was done yet.",
        testid="rules-list",
    )
