"""Draws the boundary policy: what is in force in plain words, ready profiles, every version."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from markupsafe import Markup

from config.boundary import CHOICES, TITLES, in_words
from core.authority import PlantRules
from core.policy import Decisions
from dashboards import parts
from dashboards.names import Names
from dashboards.office.policy import Shown, Standing, change_lines, in_force
from dashboards.palette import State
from dashboards.parts import chip, heading, join, local_time, notice, paragraph

STANDINGS = {
    Standing.PAST: (State.UNKNOWN, "Past"),
    Standing.IN_FORCE: (State.OK, "In force"),
    Standing.FUTURE: (State.INFO, "Future"),
}
SUB = Markup('<span class="sub">{}</span>')


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How this plant and this reader see things."""

    zone: ZoneInfo
    names: Names
    opens: Callable[[object, str], Markup]

    def time(self, at: datetime) -> str:
        """Return an instant in the plant's zone."""
        return local_time(at, self.zone, seconds=False)


def standing_view(rules: PlantRules | None, at: datetime, look: Look) -> Markup:
    """Return what is in force now and what is signed to come."""
    future = [one for one in rules.policies if one.effective_at > at] if rules else []
    columns = [("In force", in_force(rules, at))]
    columns += [
        (f"Version {one.version}, from {look.time(one.effective_at)}", one.decisions)
        for one in future
    ]
    return join(_headline(rules, at, look), _decisions(columns))


def _headline(rules: PlantRules | None, at: datetime, look: Look) -> Markup:
    version = None if rules is None else rules.policy(at)
    if version is None:
        text = "Until one is, everything that a policy could refuse is allowed."
        return notice(State.NEAR, "No boundary policy is in force.", text)
    text = (
        f"Since {look.time(version.effective_at)}, from the profile {version.profile}; signed by"
        f" {look.names.full(version.signed_by)}. Rules, messages and the contract for the ERP's"
        " team follow it."
    )
    return notice(State.OK, f"Version {version.version} is in force.", text)


def _decisions(columns: Sequence[tuple[str, Decisions]]) -> Markup:
    """Return the seven decisions, one column for each version that rules now or later."""
    told = [(name, {one.name: one for one in in_words(it)}) for name, it in columns]
    rows = []
    for name, title in TITLES.items():
        cells: list[object] = [title]
        for n, (_, decisions) in enumerate(told):
            it, first = decisions[name], told[0][1][name]
            if n and it.value == first.value:
                cells.append(Markup('<span class="muted">as now</span>'))
            else:
                cells.append(
                    join(Markup("<b>{}</b>").format(_upper(it.choice)), SUB.format(it.says))
                )
        rows.append(cells)
    return parts.table(
        "The seven decisions", ("Decision", *(name for name, _ in columns)), rows,
        testid="decisions",
    )  # fmt: skip


def profiles_view(ready: Mapping[str, tuple[str, Decisions]], now: Decisions) -> Markup:
    """Return the ready profiles side by side; what differs from what is in force is marked."""
    held = {one.name: one.value for one in in_words(now)}
    told = {name: {one.name: one for one in in_words(it)} for name, (_, it) in ready.items()}
    rows = []
    for name, title in TITLES.items():
        cells: list[object] = [title]
        for decisions in told.values():
            it = decisions[name]
            if it.value == held[name]:
                cells.append(it.choice)
            else:
                cells.append(
                    Markup('<b><span aria-hidden="true">≠ </span>{}</b>').format(it.choice)
                )
        rows.append(cells)
    table = parts.table(
        "Ready profiles; ≠ marks what differs from what is in force",
        ("Decision", *(name for name in ready)),
        rows,
        testid="profiles",
    )
    says = join(*(Markup("<li><b>{}</b>: {}</li>").format(*_said(name, ready)) for name in ready))
    return Markup(
        '<details data-key="profiles"><summary>Ready profiles: {}</summary><ul>{}</ul>{}</details>'
    ).format(", ".join(ready), says, table)


def _said(name: str, ready: Mapping[str, tuple[str, Decisions]]) -> tuple[str, str]:
    return name, ready[name][0]


def history_view(shown: Sequence[Shown], look: Look) -> Markup:
    """Return every version with its signature, the newest first."""
    rows = [_version(one, look) for one in shown]
    table = parts.table(
        "Versions", ("Version", "Stands", "From", "What it changed", "Signed"), rows,
        empty="Nobody has signed a policy yet.", testid="versions", show_caption=False,
    )  # fmt: skip
    note = paragraph(
        "A version is never changed. What happened is judged by the version of its time."
    )
    return join(heading("Versions and signatures"), note, table)


def _version(it: Shown, look: Look) -> tuple[object, ...]:
    version = it.version
    before = None if it.before is None else it.before.decisions
    state, word = STANDINGS[it.standing]
    ended = ""
    if it.until is not None:
        never = it.until <= version.effective_at
        ended = "never, another one took its place" if never else f"until {look.time(it.until)}"
        if never:
            state, word = State.UNKNOWN, "Replaced"
    changed = change_lines(before, version.decisions)
    listed = Markup("<ul class='plain'>{}</ul>").format(
        join(*(Markup("<li>{}: {}</li>").format(*line) for line in changed))
    )
    if it.before is None:
        listed = Markup(
            "<details data-key='v{}'><summary>The first: all seven</summary>{}</details>"
        ).format(version.version, listed)
    return (
        join(version.version, SUB.format(version.profile)),
        chip(state, word),
        join(look.time(version.effective_at), SUB.format(ended) if ended else ""),
        listed,
        _signed(it, look),
    )


def _signed(it: Shown, look: Look) -> Markup:
    """Return the signature as 21 CFR 11.50 asks: printed name, time with zone, meaning."""
    version, signature = it.version, it.signature
    entry = look.opens(f"entry {version.seq}", f"/audit?entry={version.seq}")
    when = local_time(version.signed_at, look.zone)
    if signature is None:
        text = f"Adopted by {look.names.full(version.signed_by)} without a signature, {when}"
        return join(text, SUB.format(entry))
    manifest = signature.manifest
    return join(
        Markup("<b>{}</b> ({}): {}.").format(manifest.name, manifest.signer, manifest.meaning),
        SUB.format(manifest.words),
        SUB.format(f"Comment: {manifest.comment}") if manifest.comment else "",
        SUB.format(join(f"{when} · ", entry)),
    )


def preview(before: Decisions | None, after: Decisions) -> Markup:
    """Return what a draft would change, as it is being made."""
    changed = change_lines(before, after)
    if not changed:
        text = "Choose another profile, or change a decision."
        return notice(State.INFO, "Nothing changes yet.", text)
    told = {one.title: one.says for one in in_words(after)}
    lines = join(
        *(
            Markup("<li><b>{}</b>: {}{}</li>").format(title, line, SUB.format(told[title]))
            for title, line in changed
        )
    )
    count = "1 decision changes" if len(changed) == 1 else f"{len(changed)} decisions change"
    return Markup('<div data-testid="preview"><h3>{}</h3><ul>{}</ul></div>').format(count, lines)


def choice_titles(name: str) -> dict[str, str]:
    """Return the choices of a decision as a menu offers them: title, value."""
    return {
        _upper(title): value for (decision, value), title in CHOICES.items() if decision == name
    }


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
