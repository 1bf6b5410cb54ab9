"""The page `/audit`: how far the ledger is proven, its check at a press, search, one entry."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import panel.ui as pu
from markupsafe import Markup

from core.clock import iso, now
from core.ledger.search import Found, Wanted, search
from dashboards import parts, visit
from dashboards.audit import checks, entry
from dashboards.audit.checks import Exposure, Verdict
from dashboards.names import Names
from dashboards.palette import State
from dashboards.plant import PlantServices
from dashboards.review.dossier import age
from dashboards.review.evidence import Draw, pane
from dashboards.review.strip import block
from dashboards.session import Viewer
from dashboards.theme import Frame, frame

PAGE, VERIFY = 100, "Verify the whole ledger"
FIELDS = ("actor", "stream", "type", "text", "start", "end")
# name: label, example, width
LABELS = {
    "actor": ("Who, by id", "quinn", 140),
    "stream": ("Record", "batch/B26-0001 or batch/", 240),
    "type": ("Type", "deviation.", 190),
    "text": ("Text", "2.467", 180),
    "start": ("From, plant time", "2026-11-23 06:00", 180),
    "end": ("Up to, plant time", "2026-11-23", 180),
}
FORMAT = "%Y-%m-%d %H:%M"


def audit_page(plant: PlantServices, viewer: Viewer) -> Frame:
    """Draw the audit trail."""
    newest = plant.hub.newest
    page = AuditPage(plant)
    plant.hub.subscribe(["ledger"], lambda _news: page.grew(), after=newest)
    return frame(
        "Audit trail", page.body(), viewer=viewer, nav="/audit", plant=plant.name, zone=plant.zone
    )


def instant(text: str, zone: ZoneInfo, *, is_end: bool = False) -> str:
    """Return a plant time as the ledger spells instants, empty for none.

    A day alone is its first instant, or for an end the first one of the next day.

    Raises:
        ValueError: the text is no day, and no day with hour and minute.
    """
    given = text.strip().replace("T", " ")
    if not given:
        return ""
    if len(given) <= 10:
        at = datetime.strptime(given, "%Y-%m-%d").replace(tzinfo=zone)
        return iso(at + timedelta(days=1) if is_end else at)
    return iso(datetime.strptime(given[:16], FORMAT).replace(tzinfo=zone))


def wanted_of(query: Mapping[str, str], zone: ZoneInfo) -> tuple[Wanted, str]:
    """Return the search a URL asks for, and a sentence where a time cannot be read."""
    plain = {name: query.get(name, "").strip() for name in ("actor", "stream", "type", "text")}
    try:
        start = instant(query.get("start", ""), zone)
        end = instant(query.get("end", ""), zone, is_end=True)
    except ValueError:
        fault = f"Time: write it as 2026-11-23 or 2026-11-23 14:30, in {zone}. It was left out."
        return Wanted(**plain), fault
    return Wanted(**plain, start=start, end=end), ""


class AuditPage:
    """Search fields, results, one opened entry, and the check."""

    def __init__(self, plant: PlantServices) -> None:
        self._plant, self._execution = plant, plant.execution
        self._names = Names(plant.execution)
        self._draw = Draw(plant.execution, self._names, plant.zone)
        self._query = {name: visit.query(name) for name in (*FIELDS, "before", "entry")}
        self._exposure, self._result, self._found = pane(), pane(), pane()
        self._opened, self._news = pane(), pane()
        self._verify = pu.Button(
            label=VERIFY, color="primary", on_click=self._on_verify,
            margin=(0, 10, 12, 10), width=260, height=48,
        )  # fmt: skip
        self._fields = {
            name: pu.TextInput(
                label=label, placeholder=example, width=width, value=self._query[name],
                margin=(0, 12, 10, 0), size="small", max_length=200,
            )
            for name, (label, example, width) in LABELS.items()
        }  # fmt: skip
        for field in self._fields.values():
            field.param.watch(self._changed, "value")
        self._busy = False
        self._listed = 0
        self._search()
        self.grew()
        self._open()

    def body(self) -> list[Any]:
        bar = pu.FlexBox(*self._fields.values(), align_items="center", margin=(6, 10, 0, 10))
        return [
            self._opened, self._exposure, self._verify, self._result, bar, self._news, self._found
        ]  # fmt: skip

    def grew(self) -> None:
        """Show how far the ledger is proven now; entries found stay as they are."""
        shown = checks.exposure(self._execution)
        self._exposure.object = parts.markup(exposure(shown, self._plant.zone))
        came = shown.size - self._listed
        self._news.visible = came > 0 and not self._query["before"]
        if self._news.visible:
            self._news.object = parts.markup(since_listed(came, self._kept()))

    def _kept(self) -> dict[str, str]:
        return {name: self._query[name] for name in FIELDS if self._query[name]}

    def _changed(self, *_: Any) -> None:
        self._query |= {name: field.value or "" for name, field in self._fields.items()}
        self._query["before"] = ""
        visit.set_query(**{name: self._query[name] or None for name in (*FIELDS, "before")})
        self._search()

    def _search(self) -> None:
        self._listed, self._news.visible = self._execution.ledger.size(), False
        wanted, fault = wanted_of(self._query, self._plant.zone)
        before = int(self._query["before"]) if self._query["before"].isdigit() else 0
        found = search(self._execution.ledger, wanted, before=before, limit=PAGE)
        pieces = [parts.notice(State.NEAR, "Not understood.", fault)] if fault else []
        pieces.append(self._results(found, before))
        self._found.object = parts.markup(*pieces)

    def _results(self, found: Found, before: int) -> Markup:
        count = len(found.entries)
        newest = found.entries[0].seq if found.entries else 0
        caption = f"{entries(count)}, the newest first"
        kept = self._kept()
        here = urlencode(kept | ({"before": str(before)} if before else {}))
        own = int(self._query["entry"]) if self._query["entry"].isdigit() else 0
        table = self._draw.entries(
            found.entries,
            caption if count else "No entry fits. Empty a field, or look further back.",
            own=own,
            keep=f"{here}&" if here else "",
        )
        links = []
        if before and newest:
            links.append(parts.link("Newest", "/audit?" + urlencode(kept)))
        if found.more:
            older = urlencode(kept | {"before": str(found.older)})
            links.append(parts.link("Older entries", f"/audit?{older}"))
        note = f"Searched back to entry {found.looked_back_to}."
        line = Markup(
            '<div class="tools" data-testid="pages"><span class="muted">{}</span>{}</div>'
        )
        return Markup("").join((table, line.format(note, Markup("").join(links))))

    def _open(self) -> None:
        asked = self._query["entry"]
        if not asked:
            self._opened.visible = False
            return
        found = entry.open_entry(self._execution, int(asked)) if asked.isdigit() else None
        if found is None:
            says = f"Entry {asked}: there is no such number. Choose one in the list."
            self._opened.object = parts.markup(parts.notice(State.NEAR, "Not found.", says))
            return
        kept = {name: self._query[name] for name in (*FIELDS, "before") if self._query[name]}
        close = parts.link("Close", "/audit" + (f"?{urlencode(kept)}" if kept else ""))
        drawn = entry.drawn(found, self._names, self._plant.zone, close=close)
        self._opened.object = parts.markup(drawn)

    async def _on_verify(self, _: Any) -> None:
        """Check the whole ledger in a thread, and show how far it is."""
        if self._busy:
            return
        self._busy = True  # a second press does nothing; what is disabled would drop the focus
        self._verify.label = "Verifying …"
        far = [0, max(self._execution.ledger.size(), 1)]

        def told(done: int, whole: int) -> None:
            far[:] = [done, max(whole, 1)]

        task = asyncio.create_task(asyncio.to_thread(self._checked, told))
        try:
            while not task.done():
                self._result.object = parts.markup(progress(*far))
                await asyncio.wait({task}, timeout=0.25)
            self._result.object = parts.markup(verdict(task.result(), self._plant.zone))
        finally:
            self._busy, self._verify.label = False, VERIFY
            self.grew()

    def _checked(self, told: Callable[[int, int], None]) -> Verdict:
        return checks.verify(self._execution, told, stampers=self._plant.stampers)


def entries(count: int) -> str:
    """Return a number of entries in words.

    >>> entries(1), entries(0)
    ('1 entry', '0 entries')
    """
    return "1 entry" if count == 1 else f"{count} entries"


def since_listed(came: int, kept: Mapping[str, str]) -> Markup:
    """Return how many entries were written since the list was made, and the way to a new list."""
    again = parts.link("List again", "/audit" + (f"?{urlencode(kept)}" if kept else ""))
    return Markup(
        '<p class="tools" data-testid="came">{} came since this list was made. {}</p>'
    ).format(entries(came), again)


def progress(done: int, whole: int) -> Markup:
    """Return how far the check is."""
    words = f"Checking entry {done} of {whole} …"
    if done >= whole:
        words = f"All {whole} entries read. Comparing what screens show with a replay …"
    return Markup('<div role="status" data-testid="verify-progress">{}</div><br>').format(
        parts.progress(words, done, whole)
    )


def verdict(it: Verdict, zone: ZoneInfo) -> Markup:
    """Return the result of the check."""
    state, word = (State.OK, "It holds.") if it.holds else (State.BAD, "It does not hold.")
    told: list[tuple[str, object]] = [
        ("Checked", f"{parts.local_time(it.at, zone)}, in {it.took_s}"),
        ("Size", entries(it.size)),
    ]
    if it.root:
        told.append(("Root", Markup('<code class="hash">{}</code>').format(it.root)))
    return Markup('<div role="status" data-testid="verdict">{}{}</div>').format(
        parts.notice(state, word, it.says), parts.facts(told)
    )


def exposure(it: Exposure, zone: ZoneInfo) -> Markup:
    """Return how much of the ledger is proven outside the database, and its newest checkpoint."""
    newest = now()
    if it.anchored_at is None:
        outside = ("Never", "No outside place has confirmed a checkpoint yet.")
    else:
        outside = (
            f"{age(it.anchored_at, newest)} ago",
            f"{it.place} confirmed {entries(it.anchored)},"
            f" {parts.local_time(it.anchored_at, zone)}",
        )
    exposed = it.entries
    since = f"the oldest for {_seconds(it.since, newest)}" if exposed and it.since else "all are"
    copies = f"newest at {entries(it.newest_copy)}" if it.copies else "none kept"
    exposed_by = State.NEAR if exposed else State.OK
    blocks = (
        block("Entries in the ledger", str(it.size), "without gaps, in commit order"),
        block("Without an outside anchor", entries(exposed), since, state=exposed_by,
              id="exposed"),
        block("Last outside anchor", outside[0], outside[1]),
        block("Copies beside the database", str(it.copies), copies),
    )  # fmt: skip
    note = Markup("")
    if it.checkpoint is not None:
        note = Markup(
            "<details><summary>Newest checkpoint: {}, as signed</summary>"
            '<pre tabindex="0" role="region" aria-label="Newest checkpoint"'
            ' data-testid="checkpoint">{}</pre></details>'
        ).format(entries(it.checkpoint.size), it.checkpoint.note)
    strip = Markup('<div class="strip">{}</div>').format(Markup("").join(blocks))
    return Markup("").join((strip, _held(it, zone), note))


def _held(it: Exposure, zone: ZoneInfo) -> Markup:
    """Return the places outside that hold a checkpoint, each kind by its newest."""
    rows = [
        (
            one.kind,
            one.place,
            entries(one.size),
            entries(it.size - one.size),
            parts.local_time(one.at, zone),
        )
        for one in it.held
    ]
    return parts.table(
        "Places outside that hold a checkpoint",
        ("Place", "Newest", "It covers", "After it", "Since"),
        rows,
        empty="None yet. An ERP, a time-stamp authority or a printed record becomes one.",
        testid="held",
    )


def _seconds(since: datetime, until: datetime) -> str:
    span = max((until - since).total_seconds(), 0)  # the clock may have been set back
    return f"{span:.0f} s" if span < 120 else age(since, until)
