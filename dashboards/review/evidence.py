"""What stands beside an exception: values, limits, devices, lots, people, entries around it."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import panel as pn
from markupsafe import Markup

from core.batch.state import BatchException, Signed
from core.capa import CapaLinks
from core.clock import parse_iso
from core.deviation import Deviation, DeviationState
from core.execution import Execution
from core.ledger.entry import Entry
from core.order import Gate
from core.quantity import kg_text, plain
from core.recipe import StepKind
from core.signature_check import current_version, signature_in
from dashboards import parts
from dashboards.entry_words import is_risky, summary
from dashboards.names import Names
from dashboards.palette import State
from dashboards.review import dossier, figures
from dashboards.review.dossier import Dossier

LOOK_CSS = (Path(__file__).parent / "look.css").read_text("utf-8")


def pane(*pieces: Markup, **params: Any) -> pn.pane.HTML:
    """Return a pane with the look of review and audit."""
    made = parts.html(*pieces, **params)
    made.stylesheets = [*made.stylesheets, LOOK_CSS]
    return made


def panel(title: Markup | str, *pieces: Markup, testid: str = "") -> Markup:
    """Return a framed block that can be given the focus."""
    return Markup(
        '<section class="panel" tabindex="-1" data-testid="{}" aria-labelledby="{}-title">'
        '<h2 id="{}-title">{}</h2>{}</section>'
    ).format(testid, testid, testid, title, Markup("").join(pieces))


def inside(words: object, at: str, batch: str) -> Markup:
    """Return a link to another item of the same review; the page follows it without loading."""
    return Markup('<a href="/review/batch/{}?at={}" data-at="{}">{}</a>').format(
        batch, at, at, words
    )


class Draw:
    """Draws pieces of a dossier for one plant."""

    def __init__(self, execution: Execution, names: Names, zone: ZoneInfo) -> None:
        self.execution, self.names, self.zone = execution, names, zone

    def time(self, at: Any) -> str:
        return parts.local_time(at, self.zone)

    def exception(self, file: Dossier, it: BatchException) -> Markup:
        """Return the evidence of one exception, what decides first."""
        step = file.batch.recipe_step(it.step)
        title = Markup("{} {}").format(
            f"{it.exception} · {it.kind} · step {it.step}, {step.title}", self.mark(file, it)
        )
        return panel(
            title,
            Markup('<p class="says-so">{}</p>').format(it.says),
            self._value(file, it),
            self._decided(file, it),
            testid="evidence",
        )

    def mark(self, file: Dossier, it: BatchException) -> Markup:
        """Return an exception's state as a chip."""
        deviation = file.deviations.get(it.deviation or "")
        if deviation is not None and deviation.state is DeviationState.OPEN:
            return parts.chip(State.HELD, f"{deviation.deviation} open")
        if it.reviewed_by is not None:
            return parts.chip(State.OK, "Reviewed")
        return parts.chip(State.NEAR, "To review")

    def _value(self, file: Dossier, it: BatchException) -> Markup:
        batch = file.batch
        step, run = batch.recipe_step(it.step), batch.run(it.step)
        value = dossier.measured(step, run)
        if run is None or value is None:
            return parts.facts(self._people(file, it))
        told: list[tuple[str, object]] = [
            ("Value", figures.amount(value.value, value.unit)),
            ("Limits, both ends good", figures.limits_text(value)),
            ("Target", figures.amount(value.target, value.unit)),
            ("Difference", figures.excess(value) or "within limits"),
        ]
        return Markup("").join(
            (
                figures.limit_bar(value),
                parts.facts([*told, *self._device(file, it), *self._people(file, it)]),
                self._lots(file, it),
            )
        )

    def _device(self, file: Dossier, it: BatchException) -> list[tuple[str, object]]:
        """Return the scale with its certificate and the raw line of the last weighing."""
        run = file.batch.run(it.step)
        if run is None or not run.partials:
            return []
        last = run.partials[-1]
        scale = dossier.scale_of(self.execution, last.scale)
        name = last.scale if scale is None else f"{scale.name}, {last.scale}"
        serial = "–" if scale is None or scale.serial is None else scale.serial
        due = None if scale is None else scale.calibration_due_on
        return [
            (
                "Scale",
                parts.link(f"{name}, serial {serial}", f"/audit?stream=equipment/{last.scale}"),
            ),
            ("Certificate then in force", last.certificate or "–"),
            ("Calibration now due on", "–" if due is None else due.isoformat()),
            ("Gross, tare, net of the last weighing", _weights(last)),
            ("Line as the scale sent it", Markup('<code class="raw">{}</code>').format(last.raw)),
        ]

    def _capas(self, deviation: str) -> list[tuple[str, object]]:
        """Return what the quality system does about a deviation, as it last told."""
        found = self.execution.nouns.get(CapaLinks, deviation)
        return [
            (
                f"In the quality system: {one.capa}",
                parts.join(
                    "linked" if one.status is None else one.status.replace("_", " "),
                    f", {self.time(one.status_at or one.linked_at)}",
                    parts.safe("" if one.address is None else f", {one.address}"),
                ),
            )
            for one in (found.capas if found else ())
        ]

    def _people(self, file: Dossier, it: BatchException) -> list[tuple[str, object]]:
        run, entry = file.batch.run(it.step), file.entry(it.seq)
        deviation = file.deviations.get(it.deviation or "")
        told: list[tuple[str, object]] = [
            ("Recorded by", self.names.full(it.by)),
            ("When", self.time(it.at)),
            ("Station", (entry.station if entry else None) or "none"),
        ]
        if deviation is not None:
            told.append(("Reason given", deviation.why))
            told += self._capas(deviation.deviation)
        if run is not None and run.verified_by is not None:
            when = self.time(run.verified_at)
            told.append(("Verified by", f"{self.names.full(run.verified_by)}, {when}"))
        link = parts.link(f"Entry {it.seq}", f"/audit?entry={it.seq}")
        return [*told, ("In the ledger", link)]

    def _lots(self, file: Dossier, it: BatchException) -> Markup:
        run = file.batch.run(it.step)
        if run is None or not run.partials:
            return Markup("")
        rows = []
        for one in dossier.lots_of(self.execution, file.batch, [p.lot for p in run.partials]):
            lot = one.lot
            others = Markup(", ").join(
                parts.link(name, f"/review/batch/{name}") for name in one.others
            )
            expires = "–" if lot.expires_on is None else lot.expires_on.isoformat()
            status = lot.status.value.replace("_", " ")
            rows.append(
                (lot.lot, lot.material, lot.supplier, status, expires, others or "no other batch")
            )
        head = ("Lot", "Material", "Supplier", "Status now", "Good until", "Also used by")
        return parts.table("Lots of this step", head, rows, testid="lots")

    def _decided(self, file: Dossier, it: BatchException) -> Markup:
        """Return the decision about the deviation and the reviewer's assessment, where made."""
        pieces = []
        deviation = file.deviations.get(it.deviation or "")
        if deviation is not None and deviation.disposition is not None:
            pieces.append(self.decision(deviation))
        if it.reviewed_by is not None:
            pieces.append(Markup("<h3>Reviewed by {}</h3>").format(self.names.full(it.reviewed_by)))
            pieces.append(Markup('<p class="quote">{}</p>').format(it.assessment))
        return Markup("").join(pieces)

    def decision(self, it: Deviation) -> Markup:
        """Return a disposition with its signature in full."""
        what = (it.disposition or "").replace("_", " ")
        head = Markup("<h3>{}: {}</h3>").format(it.deviation, what)
        quote = Markup('<p class="quote">{}</p>').format(it.assessment)
        return Markup("").join((head, quote, *(self.signature(one) for one in it.signatures)))

    def signature(self, it: Signed) -> Markup:
        """Return a signature as 21 CFR 11.50 asks: printed name, time with zone, meaning."""
        entry = self.execution.ledger.entry(it.seq)
        assert entry is not None, it
        manifest = signature_in(entry).manifest
        record = self.execution.ledger.stream(manifest.record)
        current = current_version(record, it.ver, idem=entry.idem)
        versions = f"signed version {it.ver} of the record"
        remark = parts.paragraph(f"Comment: {manifest.comment}") if manifest.comment else ""
        return Markup(
            '<div class="signed"><p><b>{}</b> ({}): {}.</p><p>{}</p>{}'
            '<p class="muted">{} · {} · {}</p></div>'
        ).format(
            it.name, it.person, it.meaning, it.words, remark, self.time(it.at),
            versions if current == it.ver else f"{versions}; current {current}",
            parts.link(f"entry {it.seq}", f"/audit?entry={it.seq}"),
        )  # fmt: skip

    def context(self, file: Dossier, it: BatchException) -> Markup:
        """Return what helps to judge: the same step earlier, attempts, the entries around."""
        step = file.batch.recipe_step(it.step)
        pieces = []
        rows = dossier.trend(self.execution, file.batch, it.step)
        if len(rows) > 1:
            title = f"Step {it.step}, {step.title}"
            pieces.append(Markup("<h3>{} in the last {} batches</h3>").format(title, len(rows)))
            pieces.append(figures.trend_figure(rows, file.batch.batch, title))
        elif dossier.measured(step, file.batch.run(it.step)) is not None:
            first = "This is the first batch with a value at this step; there is no trend yet."
            pieces.append(parts.paragraph(first, muted=True))
        tried = [one for one in file.attempts if one.step == it.step]
        if tried:
            pieces.append(self.attempts(tried, f"Refused attempts at step {it.step}"))
        around = self.entries(
            file.around(it.seq), f"Entries before and after {it.exception}", own=it.seq
        )
        more = parts.link(
            "The batch's whole trail in the audit search", f"/audit?stream={file.seen.stream}"
        )
        return panel(
            "Around it", *pieces, around, Markup("<p>{}</p>").format(more), testid="around"
        )

    def attempts(self, rows: Sequence[Any], caption: str) -> Markup:
        """Return refused attempts: who tried what, and what the rule said."""
        head = ("When", "Who", "What was tried", "What the rule said", "Station", "Entry")
        return parts.table(
            caption,
            head,
            [
                (
                    self.time(one.at),
                    self.names.full(one.by),
                    one.command.replace(".", ": ").replace("-", " "),
                    one.says,
                    one.station or "none",
                    parts.link(one.seq, f"/audit?entry={one.seq}"),
                )
                for one in rows
            ],
            row_head=False,
            testid="attempts",
        )

    def entries(
        self, rows: Iterable[Entry], caption: str, *, own: int = 0, keep: str = ""
    ) -> Markup:
        """Return entries of the ledger, the given one marked; `keep` goes on in their links."""
        body = []
        for entry in rows:
            kind = "own" if entry.seq == own else "risk" if is_risky(entry) else ""
            body.append(
                Markup(
                    '<tr class="{}"><td class="number">{}</td><td class="nowrap">{}</td>'
                    '<td class="nowrap">{}</td><td>{}{}<br><span class="type">{}</span></td></tr>'
                ).format(
                    kind,
                    parts.link(entry.seq, f"/audit?{keep}entry={entry.seq}"),
                    self.time(parse_iso(entry.at)),
                    self.names.name(entry.actor),
                    summary(entry),
                    _why(entry),
                    entry.type,
                )
            )
        head = Markup("").join(
            Markup('<th scope="col"{}>{}</th>').format(
                Markup(' class="number"') if name == "Entry" else "", name
            )
            for name in ("Entry", "When", "Who", "What")
        )
        return Markup(
            '<div class="scroll" tabindex="0" role="region" aria-label="{0}"><table>'
            "<caption>{0}</caption><thead><tr>{1}</tr></thead><tbody>{2}</tbody></table></div>"
        ).format(caption, head, Markup("").join(body))

    def gates(self, file: Dossier) -> Markup:
        """Return the release gates with owner and a link to what each one is about."""
        rows = [
            (
                gate.gate,
                parts.chip(*((State.OK, "Green") if gate.passed else (State.BAD, "Red"))),
                gate.says,
                owner(gate),
                _evidence_of(file, gate),
            )
            for gate in file.gates
        ]
        head = ("Gate", "State", "What it says", "Owner", "Evidence")
        return parts.table("Release gates", head, rows, show_caption=False, testid="gates")


def owner(gate: Gate) -> str:
    """Return who can mend a gate, as people say it."""
    return "QA" if gate.owner == "qa" else gate.owner


def _why(entry: Entry) -> Markup:
    if not entry.reason or entry.reason in summary(entry):
        return Markup("")
    return Markup('<br><span class="muted">Reason: {}</span>').format(entry.reason)


def _weights(it: Any) -> str:
    told = f"{kg_text(it.gross_g)} − {kg_text(it.tare_g)} = {kg_text(it.net_g)}"
    return told.replace(" kg", "\N{NO-BREAK SPACE}kg")


def _evidence_of(file: Dossier, gate: Gate) -> Markup:
    """Return a link to what a gate is about."""
    batch = file.batch.batch
    if gate.gate in ("deviations decided", "nothing rejected", "exceptions reviewed"):
        waits = [one for one in file.batch.exceptions if one.reviewed_by is None]
        first = next(iter(waits or file.batch.exceptions), None)
        return inside(first.exception, first.exception, batch) if first else Markup("none raised")
    if gate.gate in ("amended", "corrections assessed"):
        return inside("Amendment", "amendment", batch)
    if gate.gate == "audit trail reviewed":
        return inside("Audit trail", "trail", batch)
    kinds = {"yield": StepKind.YIELD, "labels": StepKind.LABELS}
    step = next(
        (one.step for one in file.batch.content.steps if one.kind is kinds.get(gate.gate)), ""
    )
    anchor = f"#step-{step}" if step else ""
    words = f"Step {step}" if step else "All steps"
    return parts.link(words, f"/review/batch/{batch}?view=record{anchor}")


def values_text(values: dict[str, Any], unit: str | None) -> str:
    """Return what was entered at a step, in words."""
    suffix = f" {unit}" if unit else ""
    return ", ".join(f"{name} {plain(value)}{suffix}" for name, value in values.items())
