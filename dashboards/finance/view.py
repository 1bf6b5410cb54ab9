"""Draws the match: the verdict, classes as cards, ages, and the three sides of every row."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from markupsafe import Markup

from analytics.reconciliation.stock import StockClass
from dashboards import parts
from dashboards.finance import words
from dashboards.finance.compare import SIDES, MatchRow, odd
from dashboards.finance.reading import PAGE, Listing, Scope, Snapshot
from dashboards.palette import State
from dashboards.parts import chip, join, local_time, notice, paragraph, sign

HERE = "/reconcile"
VIEWS = ("stock", "periods", "link")
ALWAYS = ("matched", "in_flight", "not_compared")
SORT_WORDS = {
    "newest": "Newest first",
    "oldest": "Oldest first",
    "class": "By class",
    "order": "By ERP order",
    "item": "By item and lot",
}
NOTHING = Markup('<span class="none">nothing</span>')


@dataclass(frozen=True, slots=True)
class Ask:
    """What the URL asks for; every state of the page is in it."""

    view: str = ""
    match_class: str = ""
    day: date | None = None
    text: str = ""
    kind: str = ""
    sort: str = "newest"
    row: str = ""
    page: int = 1
    resend: bool = False
    period: str = ""

    @property
    def scope(self) -> Scope:
        """Which rows are asked for."""
        return Scope(match_class=self.match_class, first=self.day, last=self.day, text=self.text)

    def url(self, **change: object) -> str:
        """Return the address of this state with some of it changed."""
        it = replace(self, **change)  # type: ignore[arg-type]
        query = {
            "view": it.view,
            "class": it.match_class,
            "day": it.day.isoformat() if it.day else "",
            "find": it.text,
            "kind": it.kind,
            "sort": it.sort if it.sort != "newest" else "",
            "page": str(it.page) if it.page > 1 else "",
            "row": it.row,
            "ask": "resend" if it.resend and it.row else "",
            "period": it.period,
        }
        given = urlencode({name: value for name, value in query.items() if value})
        return f"{HERE}?{given}" if given else HERE


def ask_of(query: Mapping[str, str]) -> Ask:
    """Return what a query asks for; what cannot be read asks for nothing."""
    day, page = query.get("day", ""), query.get("page", "")
    try:
        found = date.fromisoformat(day) if day else None
    except ValueError:
        found = None
    return Ask(
        view=query.get("view", "") if query.get("view", "") in VIEWS else "",
        match_class=query.get("class", "") if query.get("class", "") in words.CLASSES else "",
        day=found,
        text=query.get("find", "").strip()[:80],
        kind=query.get("kind", "") if query.get("kind", "") in list(StockClass) else "",
        sort=query.get("sort", "") if query.get("sort", "") in SORT_WORDS else "newest",
        row=query.get("row", "")[:160],
        page=max(1, int(page)) if page.isascii() and page.isdigit() and len(page) < 6 else 1,
        resend=query.get("ask") == "resend",
        period=query.get("period", "").strip()[:10],
    )


def tabs(ask: Ask, waiting: int | None) -> Markup:
    """Return the views of this page."""
    link = "Link to the ERP"
    if waiting:
        link = f"{link}: {words.count(waiting, 'message')} waiting"
    made = [
        Markup('<li><a href="{}"{}>{}</a></li>').format(
            href, Markup(' aria-current="page"') if ask.view == view else "", label
        )
        for view, label, href in (
            ("", "Three-way match", Ask(day=ask.day).url()),
            ("stock", "Stock by lot", Ask(view="stock").url()),
            ("periods", "Signed periods", Ask(view="periods").url()),
            ("link", link, Ask(view="link").url()),
        )
    ]
    return Markup('<nav class="tabs" aria-label="Views"><ul>{}</ul></nav>').format(join(*made))


def overview(
    ask: Ask, snap: Snapshot | None, found: Listing | None, *, zone: ZoneInfo, today: date
) -> Markup:
    """Return the whole match as the URL asks for it, without the drawer."""
    if snap is None or found is None:
        return paragraph("Reading the ledger, the messages and the ERP's books …", muted=True)
    return join(
        Markup('<div class="top">{}{}</div>').format(_as_of(snap, zone), _days(ask, today)),
        _fault(snap),
        _verdict(found, ask, zone),
        _cards(found, ask),
        _ageing(found, snap),
        _list(found, ask, zone),
    )


def _as_of(snap: Snapshot, zone: ZoneInfo) -> Markup:
    at = local_time(snap.books_at, zone)
    read = f"read {at}" if snap.books_at else "never read yet"
    read = f"last {read}" if snap.fault and snap.books_at else read
    facts = [
        ("Ledger", f"as of entry {words.number(snap.upto_seq)}"),
        ("ERP's books", f"{'not now; ' if snap.fault else ''}{read}"),
        ("Tolerance", snap.tolerance),
    ]
    cells = (Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(*fact) for fact in facts)
    return Markup('<dl class="asof" data-testid="as-of">{}</dl>').format(join(*cells))


def _days(ask: Ask, today: date) -> Markup:
    near = [("All days", None), ("Today", today), ("Yesterday", today - timedelta(days=1))]
    links = (
        Markup('<a class="pick" href="{}"{}>{}</a>').format(
            replace(ask, row="").url(day=day, page=1),
            Markup(' aria-current="true"') if ask.day == day else "",
            label,
        )
        for label, day in near
    )
    kept = Markup('<input type="hidden" name="class" value="{}">').format(ask.match_class)
    form = Markup(
        '<form method="get" action="{}"><label for="day">Posting date</label>'
        '<input id="day" name="day" size="11" maxlength="10" placeholder="YYYY-MM-DD" '
        'pattern="[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}" title="A date as 2026-11-23" '
        'autocomplete="off" data-key="day" value="{}">{}'
        '<button type="submit" class="pick">Show</button></form>'
    ).format(HERE, ask.day.isoformat() if ask.day else "", kept if ask.match_class else "")
    return Markup('<div class="bar">{}{}</div>').format(join(*links), form)


def _fault(snap: Snapshot) -> Markup:
    if snap.fault is None:
        return Markup("")
    text = f"{snap.fault} Nothing is called matched until its books can be read again."
    return notice(State.UNKNOWN, "The ERP cannot be read.", text)


def _verdict(found: Listing, ask: Ask, zone: ZoneInfo) -> Markup:
    """Return the sum: the classes, added up, are the total."""
    counts, total = found.counts, found.total
    when = f" of {ask.day.isoformat()} ({zone.key})" if ask.day else ""
    if ask.text:
        when += f" with {ask.text}"
    if not total:
        return notice(
            State.INFO, "No facts", f"{when.strip() or 'yet'}. There is nothing to match."
        )
    terms = [
        f"{words.number(n)} {words.within(words.of(name).label)}" for name, n in counts.items() if n
    ]
    differ = total - sum(counts[name] for name in ALWAYS)
    if differ:
        state, word = State.BAD, f"{words.count(differ, 'row')} to clear{when}."
    elif counts["not_compared"]:
        state, word = State.UNKNOWN, f"Not proven{when}."
    elif counts["in_flight"]:
        state, word = State.INFO, f"No difference{when}; some are on their way."
    else:
        state, word = State.OK, f"Everything matches{when}."
    total_text = Markup('<span data-testid="sum">{} = <b>{}</b></span>').format(
        " + ".join(terms), words.count(total, "row")
    )
    return notice(state, word, total_text)


def _cards(found: Listing, ask: Ask) -> Markup:
    counts = found.counts
    shown = [name for name, n in counts.items() if n or name in ALWAYS or name == ask.match_class]
    quiet = [words.within(words.of(name).label) for name in counts if name not in shown]
    made = join(*(_card(name, counts[name], ask) for name in shown))
    none = paragraph(f"None: {', '.join(quiet)}.", muted=True) if quiet else Markup("")
    return Markup('<div class="classes">{}</div>{}').format(made, none)


def _card(name: str, n: int, ask: Ask) -> Markup:
    it, chosen = words.of(name), ask.match_class == name
    state = it.state if n else State.UNKNOWN
    body = Markup(
        '<span class="head">{}<span>{}</span></span><span class="figure">{}</span>'
        '<span class="means">{}</span>'
    ).format(sign(it.state), it.label, words.number(n), it.means)
    kind = f"class {state.value if n else 'zero'}{' chosen' if chosen else ''}"
    href = replace(ask, row="").url(match_class="" if chosen else name, page=1)
    return Markup(
        '<a class="{0}" href="{1}" data-key="class-{2}" data-testid="class-{2}" data-count="{3}"'
        "{4}>{5}</a>"
    ).format(kind, href, name, n, Markup(' aria-current="true"') if chosen else "", body)


def _ageing(found: Listing, snap: Snapshot) -> Markup:
    """Return how old what does not agree is; the widest bar is the largest count."""
    if found.oldest is None:
        return Markup("")
    labels = snap.buckets
    table: dict[str, list[int]] = {label: [0, 0] for label in labels}
    for name, ages in found.ages.items():
        for label, n in ages.items():
            table[label][0 if name in words.WAITING else 1] += n
    most = max(sum(pair) for pair in table.values()) or 1
    cells = join(*(_bucket(label, table[label], most) for label in labels))
    count = sum(sum(pair) for pair in table.values())
    return Markup(
        '<section class="ages" aria-label="Age of what is open" data-testid="ages"><h2>Age of what '
        "is open <small>{}, the oldest {}</small></h2><ul>{}</ul></section>"
    ).format(words.count(count, "row"), words.span(found.oldest), cells)


def _bucket(label: str, pair: Sequence[int], most: int) -> Markup:
    waits, differs = pair
    said = [f"{n} {word}" for n, word in ((differs, "to clear"), (waits, "open")) if n]
    text = ", ".join(said) or "none"
    bars = Markup(
        '<svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="differs" width="{}" height="6"/><rect class="waits" x="{}" width="{}" '
        'height="6"/></svg>'
    ).format(100 * differs // most, 100 * differs // most, 100 * waits // most)
    return Markup("<li><b>{}</b>{}<span>{}</span></li>").format(label, bars, text)


def _list(found: Listing, ask: Ask, zone: ZoneInfo) -> Markup:
    title = words.of(ask.match_class).label if ask.match_class else "All rows"
    step = words.of(ask.match_class).step if ask.match_class else ""
    clear = (
        Markup('<a class="pick" href="{}">Show all classes</a>').format(
            ask.url(match_class="", page=1, row="")
        )
        if ask.match_class
        else Markup("")
    )
    head = Markup('<div class="bar list-head"><h2>{} <small>{}</small></h2>{}</div>{}').format(
        title, words.count(found.shown, "row"), clear, paragraph(step) if step else Markup("")
    )
    head = join(head, _finder(ask))
    body = join(*(_row(row, ask, zone) for row in found.rows)) or Markup(
        '<tr><td colspan="5" class="muted">No row here.</td></tr>'
    )
    return Markup(
        '{}<div class="scroll" data-scroll="list" tabindex="0" role="region" aria-label="Rows of '
        'the match"><table data-testid="rows"><caption class="hidden">What the floor did, what '
        'was sent, what the ERP says</caption><thead><tr><th scope="col">Fact</th>'
        '<th scope="col">Floor did</th><th scope="col">Was sent</th><th scope="col">ERP says</th>'
        '<th scope="col">Class and probable cause</th></tr></thead><tbody>{}</tbody></table>'
        "</div>{}"
    ).format(head, body, _pager(ask, found.page, found.pages))


def _finder(ask: Ask) -> Markup:
    """Return the forms that look for rows and put them in order."""
    day = ask.day.isoformat() if ask.day else ""
    kept = {"class": ask.match_class, "day": day}
    hidden = join(
        *(
            Markup('<input type="hidden" name="{}" value="{}">').format(name, value)
            for name, value in kept.items()
            if value
        )
    )
    choices = join(
        *(
            Markup('<option value="{}"{}>{}</option>').format(
                name, Markup(" selected") if name == ask.sort else "", label
            )
            for name, label in SORT_WORDS.items()
        )
    )
    clear = (
        Markup('<a class="pick" href="{}">Clear</a>').format(ask.url(text="", page=1, row=""))
        if ask.text
        else Markup("")
    )
    return Markup(
        '<form class="bar finder" method="get" action="{}">{}<label for="find">Order, item, lot or '
        'batch</label><input id="find" name="find" type="text" maxlength="80" autocomplete="off" '
        'data-key="find" value="{}"><button type="submit" class="pick">Find</button>{}'
        '<label for="sort">Rows</label><select id="sort" name="sort" data-go data-key="sort">{}'
        "</select></form>"
    ).format(HERE, hidden, ask.text, clear, choices)


def _pager(ask: Ask, page: int, pages: int) -> Markup:
    if pages == 1:
        return Markup("")
    back = (
        Markup('<a class="pick" href="{}" data-key="newer">Newer</a>').format(
            ask.url(page=page - 1, row="")
        )
        if page > 1
        else Markup("")
    )
    on = (
        Markup('<a class="pick" href="{}" data-key="older">Older</a>').format(
            ask.url(page=page + 1, row="")
        )
        if page < pages
        else Markup("")
    )
    words_ = Markup("<span>Page {} of {}, {} rows each</span>").format(page, pages, PAGE)
    return Markup('<nav class="bar" aria-label="Pages">{}{}{}</nav>').format(back, words_, on)


def _row(row: MatchRow, ask: Ask, zone: ZoneInfo) -> Markup:
    it = words.of(row.match_class)
    what = Markup(
        '<th scope="row"><a href="{}" data-testid="row-{}">{}</a><span class="sub">{}</span>'
        '<span class="sub">{}</span></th>'
    ).format(
        ask.url(row=row.key, resend=False),
        row.key,
        row.title,
        row.subject,
        local_time(row.at, zone),
    )
    sides = (row.floor, row.sent, row.booked)
    marks = {name: odd(sides, name) for name in row.differs}
    cells = (
        _side(side, [name for name in row.differs if marks[name][n]])
        for n, side in enumerate(sides)
    )
    last = Markup("<td>{}<span class='sub cause'>{}</span></td>").format(
        chip(it.state, it.label), row.cause
    )
    return Markup('<tr data-class="{}">{}{}{}</tr>').format(
        row.match_class, what, join(*cells), last
    )


def _side(side: Mapping[str, str] | None, differs: Iterable[str]) -> Markup:
    """Return one side's cell: quantity first, then the fields that differ, marked with a word."""
    if side is None:
        return Markup("<td>{}</td>").format(NOTHING)
    marked = set(differs)
    lines = [_value("quantity", side["quantity"], marked, strong=True)]
    lines += [_value(name, side[name], marked) for name in SIDES[1:] if name in marked]
    if side.get("note"):
        lines.append(Markup('<span class="sub">{}</span>').format(side["note"]))
    return Markup("<td>{}</td>").format(join(*lines))


def _value(name: str, value: str, marked: set[str], *, strong: bool = False) -> Markup:
    if name not in marked:
        return Markup('<span class="qty">{}</span>').format(value) if strong else parts.safe(value)
    return Markup(
        '<span class="differs{}"><b aria-hidden="true">≠</b> {} <i>{} differs</i></span>'
    ).format(" qty" if strong else "", value, "posting date" if name == "day" else name)
