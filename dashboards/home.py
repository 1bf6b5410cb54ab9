"""The first page after signing in: what waits for this person, by role."""

from pathlib import Path
from typing import Any

from markupsafe import Markup

from analytics.oee import percent
from core.clock import now
from dashboards import menu, parts, visit
from dashboards.asked_sheet import AskedSheet
from dashboards.finance import words as finance
from dashboards.finance.owned import owned, to_clear
from dashboards.names import Names
from dashboards.office.seals import seal_rows, seals_waiting
from dashboards.palette import State
from dashboards.plant import PlantServices
from dashboards.session import Viewer
from dashboards.theme import Frame, frame
from dashboards.waiting import MOST, Here, Section, Task, waiting

CSS = (Path(__file__).parent / "home.css").read_text("utf-8")
SEAL_KEEPERS = {"qa", "admin"}
TOPICS = (
    "kind/order",
    "kind/batch",
    "kind/deviation",
    "kind/equipment",
    "kind/lot",
    "kind/person",
    "kind/difference",
)


def home_page(plant: PlantServices, viewer: Viewer) -> Frame:
    """Draw the home page."""
    page = HomePage(plant, viewer)
    return frame(
        "What waits for you", page.body(), viewer=viewer, nav="/", plant=plant.name, zone=plant.zone
    )


class HomePage:
    """One visit; drawn anew when something of the floor has moved."""

    def __init__(self, plant: PlantServices, viewer: Viewer) -> None:
        self._plant, self._viewer = plant, viewer
        self._names = Names(plant.execution) if plant.execution is not None else None
        self.pane = parts.html()
        self.pane.stylesheets = [*self.pane.stylesheets, CSS]
        topics = [*TOPICS, "oee"] if "director" in viewer.roles else list(TOPICS)
        plant.hub.subscribe(topics, lambda _news: self.draw(), after=plant.hub.newest)
        self.asked = None if self._names is None else AskedSheet(plant, viewer, self._names)
        self._follow_match()
        self.draw()

    def body(self) -> list[Any]:
        return [self.pane] if self.asked is None else [self.asked.sheet, self.pane]

    def _seals(self) -> list[Section]:
        """Return the certificates of seals that need this viewer."""
        if self._viewer.roles.isdisjoint(SEAL_KEEPERS):
            return []
        plant = self._plant
        found = seals_waiting(
            seal_rows(plant.keys, plant.stampers, now(), zone=plant.zone), plant.zone
        )
        return [] if found is None else [found]

    def _follow_match(self) -> None:
        """Hear of the ERP match, which is made in a thread while somebody looks."""
        reader = self._plant.readers.get("reconcile")
        execution, person = self._plant.execution, self._viewer.person
        is_theirs = "finance" in self._viewer.roles or (
            execution is not None and bool(owned(execution, person))
        )
        if reader is None or not is_theirs:
            return
        document = visit.document()
        visit.on_leave(reader.watch(lambda: visit.later(document, self.draw)))

    def draw(self) -> None:
        """Read what waits and show it."""
        plant, viewer, pieces = self._plant, self._viewer, []
        if self._names is not None:
            here = Here(
                execution=plant.execution,
                viewer=viewer,
                zone=plant.zone,
                at=now(),
                names=self._names,
            )
            reader = plant.readers.get("reconcile")
            mine = to_clear(plant.execution, viewer.person, reader)
            pieces += [section(one, viewer) for one in (*mine, *waiting(here), *self._seals())]
        if "director" in viewer.roles:
            pieces.insert(0, lines_now(plant.readers.get("figures")))
        if "finance" in viewer.roles:
            pieces.append(match_now(plant.readers.get("reconcile")))
        self.pane.object = parts.markup(*pieces)


def section(it: Section, viewer: Viewer) -> Markup:
    """Return a heading with its tasks, or the sentence that there are none."""
    number = len(it.tasks) if it.count is None else it.count
    count = f"{number}" if it.tasks else "none"
    words, href = it.more
    more = parts.link(words, href) if href and menu.may_open(href, viewer.roles) else ""
    head = Markup('<div class="head"><h2>{} <small>{}</small></h2>{}</div>').format(
        it.title, count, more
    )
    if not it.tasks:
        return Markup('{}<p class="none">{}</p>').format(head, it.empty)
    rows = Markup("").join(_task(one, viewer) for one in it.tasks[:MOST])
    rest = Markup("")
    if number > MOST:
        told = f"The first {MOST} of {number} are shown."
        rest = Markup('<p class="none">{} {}</p>').format(told, more)
    return Markup('{}<ul class="waits" aria-label="{}">{}</ul>{}').format(
        head, it.title, rows, rest
    )


def _task(it: Task, viewer: Viewer) -> Markup:
    can = it.href and menu.may_open(it.href.partition("?")[0], viewer.roles)
    name = parts.link(it.title, it.href) if can else it.title
    lines = Markup("").join(parts.paragraph(line) for line in it.lines)
    red = Markup("").join(
        Markup("<li>{}{} Owner: {}.</li>").format(parts.sign(State.BAD), gate.says, gate.owner)
        for gate in it.red
    )
    gates = Markup('<ul class="gates" aria-label="Red gates">{}</ul>').format(red) if red else ""
    waits = Markup('<span class="age">{}</span>').format(it.since) if it.since else ""
    return Markup(
        '<li class="{}"><div class="name">{}</div><div>{}{}</div><div class="how">{}{}</div></li>'
    ).format(it.tone.value, name, lines, gates, parts.chip(it.tone, it.word), waits)


def lines_now(reader: Any) -> Markup:
    """Return the lines with what they do and their OEE of the shift, where it is computed."""
    head = Markup('<div class="head"><h2>Lines now</h2>{}</div>').format(
        parts.link("OEE by line and shift", "/oee")
    )
    if reader is None:
        none = "No machine data is read here. The floor's records are below."
        return Markup('{}<p class="none">{}</p>').format(head, none)
    view = reader.oee("", None, "")
    cards = [
        parts.card(
            f"{one.line} · {one.name}",
            percent(one.row.oee if one.row is not None and one.row.valid else None),
            unit="OEE",
            state=_tone(one.now),
            word=_does(one.now),
            note=_parts_of(one.row),
            href=f"/oee?line={one.line}",
        )
        for one in view.lines
    ]
    when = f"{view.shift.capitalize()} shift of {view.day}" if view.day else "No shift is known yet"
    return Markup("").join((head, parts.paragraph(when, muted=True), parts.cards(*cards)))


def _tone(it: Any) -> State:
    if it is None or it.category == "unknown":
        return State.UNKNOWN
    return State.INFO if it.category in ("run", "planned_stop", "off") else State.NEAR


def _does(it: Any) -> str:
    if it is None:
        return "Nothing known"
    known = {"run": "Running", "off": "Not planned", "unlabeled": "Unlabelled stop"}
    said = known.get(it.category, it.category.replace("_", " ").capitalize())
    return f"{said}: {it.reason.replace('_', ' ')}" if it.reason else said


def _parts_of(row: Any) -> str:
    if row is None:
        return "No figures for this shift."
    if row.coverage is None:
        return "No time was planned in this shift so far."
    if not row.valid:
        return (
            f"The state is known for {percent(row.coverage)} of planned time: no figure is valid."
        )
    return (
        f"A {percent(row.availability)}, P {percent(row.performance)}, Q {percent(row.quality)},"
        f" coverage {percent(row.coverage)}"
    )


def match_now(reader: Any) -> Markup:
    """Return the classes of the three-way match, where the ERP is connected."""
    head = Markup('<div class="head"><h2>Floor, messages and ERP</h2>{}</div>').format(
        parts.link("Reconcile", "/reconcile")
    )
    if reader is None:
        none = "No ERP is connected here. Nothing is compared, and nothing is called matched."
        return Markup('{}<p class="none">{}</p>').format(head, none)
    snap = reader.newest
    if snap is None:
        return Markup('{}<p class="none">Reading the three sides …</p>').format(head)
    counts = snap.counts
    cards = [
        parts.card(
            finance.of(name).label,
            count,
            unit="facts",
            state=finance.of(name).state if count else None,
            word=finance.of(name).label if count else "",
            href=f"/reconcile?class={name}",
        )
        for name, count in counts.items()
        if count or name in ("matched", "in_flight")
    ]
    fault = Markup("")
    if snap.fault:
        fault = parts.notice(State.UNKNOWN, "The ERP cannot be read.", snap.fault)
    return Markup("").join((head, fault, parts.cards(*cards)))
