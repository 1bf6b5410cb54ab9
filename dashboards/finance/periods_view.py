"""Draws the periods: what is signed, what changed since, what keeps one from being signed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from markupsafe import Markup

from core.errors import LedgerBroken, Refused
from core.quantity import plain
from core.reconciliation import Reconciliation, Revision
from dashboards import parts
from dashboards.finance import words
from dashboards.finance.actions import Name
from dashboards.finance.forms import choice
from dashboards.finance.kept_rows import Record
from dashboards.finance.periods import AT_ONCE, Change, PeriodNow, Periods
from dashboards.finance.report import CODES, Report, quantities, sections, unit_of
from dashboards.finance.row_state import people
from dashboards.finance.view import HERE, Ask
from dashboards.palette import State
from dashboards.parts import heading, join, local_time, notice, paragraph
from dashboards.record.draw import drawn

MOST = 50  # rows of one table here; the match itself lists all


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodShown:
    """One period as a page shows it; `fault` says why what was signed cannot be compared."""

    now: PeriodNow
    signed: Reconciliation | None
    people: tuple[tuple[str, str], ...] = ()
    report: Report | None = None
    changes: tuple[Change, ...] = ()
    fault: str = ""


def period_shown(periods: Periods, period: str) -> PeriodShown:
    """Read a period: as it stands, as it was signed, and what changed; does I/O.

    Raises:
        NoPeriod: the calendar has no such period.
    """
    now, signed = periods.now(period), periods.signed(period)
    able = people(periods.execution) if now.unexplained else ()
    if signed is None:
        return PeriodShown(now=now, signed=None, people=able)
    try:
        report = periods.report(period, signed.newest)
        return PeriodShown(
            now=now,
            signed=signed,
            people=able,
            report=report,
            changes=periods.changed(signed.newest),
        )
    except (LedgerBroken, Refused) as fault:
        return PeriodShown(now=now, signed=signed, fault=str(fault))


def periods_view(
    ask: Ask,
    shown: PeriodShown | Refused | None,
    signed: Sequence[Reconciliation],
    *,
    zone: ZoneInfo,
    today: date,
    name: Name,
) -> Markup:
    """Return the view: one period where one is asked for, else those that are signed."""
    head = _choose(ask, today)
    if isinstance(shown, Refused):
        return join(head, notice(State.BAD, "No such period.", str(shown)))
    if ask.period and shown is None:
        return join(head, paragraph("Reading the period …", muted=True))
    if shown is None:
        return join(head, _list(signed, zone, name))
    return join(head, _period(shown, zone, name))


def _choose(ask: Ask, today: date) -> Markup:
    last_month = today.replace(day=1) - timedelta(days=1)
    near = [
        ("Signed periods", ""),
        ("Today", today.isoformat()),
        ("Yesterday", (today - timedelta(days=1)).isoformat()),
        ("This month", f"{today:%Y-%m}"),
        ("Last month", f"{last_month:%Y-%m}"),
    ]
    links = (
        Markup('<a class="pick" href="{}"{}>{}</a>').format(
            Ask(view="periods", period=period).url(),
            Markup(' aria-current="true"') if ask.period == period else "",
            label,
        )
        for label, period in near
    )
    form = Markup(
        '<form method="get" action="{}"><input type="hidden" name="view" value="periods">'
        '<label for="period">Day or month</label><input id="period" name="period" size="11" '
        'maxlength="10" placeholder="YYYY-MM-DD" pattern="[0-9]{{4}}-[0-9]{{2}}(-[0-9]{{2}})?" '
        'title="A day as 2026-11-23, or a month as 2026-11" autocomplete="off" '
        'data-key="period" value="{}"><button type="submit" class="pick">Show</button></form>'
    ).format(HERE, ask.period)
    return Markup('<div class="bar">{}{}</div>').format(join(*links), form)


def _list(signed: Sequence[Reconciliation], zone: ZoneInfo, name: Name) -> Markup:
    rows = [
        (
            parts.link(one.period, Ask(view="periods", period=one.period).url()),
            one.newest.revision,
            name(one.newest.signed_by),
            local_time(one.newest.signed_at, zone),
            words.number(one.newest.figures.total),
            words.number(one.newest.figures.differences),
            _downloads(one.period, one.newest),
        )
        for one in signed
    ]
    return parts.table(
        "Signed periods",
        ("Period", "Revision", "Signed by", "At", "Rows", "Differences", "As signed"),
        rows,
        numbers=("Revision", "Rows", "Differences"),
        empty="None yet. Choose a day or a month above, clear its differences, sign it.",
        testid="periods",
    )


def _downloads(period: str, it: Revision) -> Markup:
    forms = (("PDF", "pdf"), ("Workbook", "xlsx"), ("Rows", "jsonl"))
    links = (
        Markup('<a href="/reconcile/period/{}/{}.{}" download data-key="{}-{}">{}</a>').format(
            period, it.revision, form, form, it.revision, label
        )
        for label, form in forms
    )
    return Markup(" · ").join(links)


def _period(it: PeriodShown, zone: ZoneInfo, name: Name) -> Markup:
    signed = it.signed
    if signed is None:
        return join(_standing(it, zone), _now(it, name), _sign(it))
    frozen = Markup("")
    if it.report is not None:
        frozen = Markup('<section class="frozen" data-testid="frozen">{}{}</section>').format(
            heading(f"As signed, revision {signed.newest.revision}"),
            drawn(sections(it.report, lambda at: local_time(at, zone))),
        )
    pieces = [_standing(it, zone), _revisions(signed, zone, name), _changes(it)]
    if it.changes or it.fault:
        pieces += [_now(it, name), _sign(it)]
    return join(*pieces, frozen)


def _standing(it: PeriodShown, zone: ZoneInfo) -> Markup:
    now, signed = it.now, it.signed
    if signed is None:
        days = f"{now.first} to {now.last}" if now.first != now.last else f"{now.first}"
        text = f"{words.count(now.total, 'row')} of {days}, as the match stands now."
        return notice(State.INFO, f"{now.period} is not signed.", text)
    last = signed.newest
    by = (
        f"Revision {last.revision}, signed by {last.signature.name},"
        f" {local_time(last.signed_at, zone)}, entry {words.number(last.seq)}."
    )
    if it.fault:
        return notice(State.BAD, "Signed, and not to be compared.", f"{by} {it.fault}")
    if it.changes:
        n = words.count(len(it.changes), "row")
        below = "Below: what changed, how it stands now, and the figures as signed."
        return notice(State.NEAR, f"Changed after sign-off: {n}.", f"{by} {below}")
    return notice(State.OK, f"{now.period} is signed.", f"{by} Nothing has changed since.")


def _revisions(signed: Reconciliation, zone: ZoneInfo, name: Name) -> Markup:
    rows = [
        (
            one.revision,
            f"{one.signature.name} ({one.signature.person})",
            local_time(one.signed_at, zone),
            one.why or "first sign-off",
            words.number(one.figures.total),
            words.number(one.figures.differences),
            _downloads(signed.period, one),
        )
        for one in reversed(signed.revisions)
    ]
    return parts.table(
        "Sign-offs of this period",
        ("Revision", "Signed by", "At", "Reason", "Rows", "Differences", "As signed"),
        rows,
        numbers=("Revision", "Rows", "Differences"),
        testid="revisions",
    )


def _changes(it: PeriodShown) -> Markup:
    if not it.changes:
        return Markup("")
    rows = []
    for one in it.changes[:MOST]:
        row = one.now or one.was
        assert row is not None, one
        key = Ask(row=one.key).url()
        rows.append((parts.link(row["what"], key), _said(one.was), _said(one.now)))
    table = parts.table(
        "Changed after sign-off", ("Row", "As signed", "Now"), rows, testid="changed"
    )
    more = len(it.changes) - MOST
    return join(table, paragraph(f"{more} more.", muted=True) if more > 0 else Markup(""))


def _said(row: Record | None) -> Markup:
    if row is None:
        return Markup('<span class="none">not there</span>')
    floor, _, booked = quantities(row)
    unit = unit_of(row) or ""
    told = [f"floor {plain(floor)} {unit}"] if floor is not None else []
    told += [f"ERP {plain(booked)} {unit}"] if booked is not None else []
    about = words.of(row["class"])
    text = ", ".join(told) or "no quantity"
    return join(parts.chip(about.state, about.label), Markup('<span class="sub">{}</span>')
                .format(text))  # fmt: skip


def _now(it: PeriodShown, name: Name) -> Markup:
    now = it.now
    counted = [(words.of(one).label, words.number(n)) for one, n in now.counts.items() if n]
    total = (Markup("<b>Total</b>"), Markup("<b>{}</b>").format(words.number(now.total)))
    counts = parts.table(
        "Rows by class, now", ("Class", "Rows"), (*counted, total), numbers=("Rows",),
        testid="counts",
    )  # fmt: skip
    return join(counts, _open(now, name), _assign(it))


def _assign(it: PeriodShown) -> Markup:
    """Return the form that gives all differences of a class an owner and a reason at once."""
    nobody = [one for one in it.now.reasons if one.code is None]
    if not nobody:
        return Markup("")
    classes = (
        (one.match_class, f"{words.of(one.match_class).label}, {words.number(one.rows)}")
        for one in nobody
    )
    codes = ((str(code), text) for code, text in CODES.items())
    fields = join(
        choice("match_class", classes, label="Class", none="Choose a class"),
        choice("owner", it.people, label="Owner", none="Choose a person"),
        choice("code", codes, label="Reason", none="Choose a root cause"),
    )
    return Markup(
        '<details class="fix" data-key="fix-all" data-testid="fix-all"><summary data-key="s-all">'
        'Assign all of a class …</summary><form class="act"><p>{}</p>{}<label class="wide">Note: '
        'what is known, what is done<textarea name="note" data-key="all-note" rows="2" '
        'maxlength="2000" required></textarea></label><button type="button" class="pick primary" '
        'data-act="assign-class" data-key="do-all" data-label="Assign all" data-busy="Recording …">'
        "Assign all</button></form></details>"
    ).format(
        f"Each difference of the class without owner gets an entry of its own, up to {AT_ONCE} at"
        " a time.",
        fields,
    )


def _open(now: PeriodNow, name: Name) -> Markup:
    if not now.differences:
        return Markup("")
    rows = []
    for one in now.differences:
        about, known = words.of(one.row.match_class), one.known
        owner: object = parts.chip(State.BAD, "Nobody yet")
        reason: object = "–"
        if known is not None and known.owner and known.code:
            owner = name(known.owner)
            reason = join(CODES[known.code], Markup('<span class="sub">{}</span>').format(
                known.note
            ))  # fmt: skip
        rows.append(
            (
                join(parts.link(one.row.title, Ask(row=one.row.key).url()), Markup(
                    '<span class="sub">{}</span>').format(one.row.subject)),
                parts.chip(about.state, about.label),
                owner,
                reason,
            )
        )  # fmt: skip
    more = now.open - len(now.differences)
    table = parts.table(
        f"Differences, {words.number(now.open)}",
        ("Row", "Class", "Owner", "Reason"),
        rows,
        testid="open",
    )
    says = f"{words.number(more)} more, listed by class on the three-way match."
    rest = paragraph(says, muted=True) if more > 0 else Markup("")
    return join(_by_reason(now), table, rest)


def _by_reason(now: PeriodNow) -> Markup:
    rows = [
        (
            words.of(one.match_class).label,
            CODES[one.code] if one.code else parts.chip(State.BAD, "Nobody yet"),
            words.number(one.rows),
        )
        for one in now.reasons
    ]
    head = ("Class", "Reason", "Rows")
    return parts.table("Differences by reason", head, rows, numbers=("Rows",), testid="reasons")


def _sign(it: PeriodShown) -> Markup:
    """Return the form of a sign-off, or what keeps the period from it."""
    now = it.now
    if not now.total:
        return paragraph("Nothing was done and nothing was posted: there is nothing to sign.")
    missing = []
    if now.unread:
        missing.append(
            f"{words.count(now.unread, 'row')} not compared: {now.fault or 'see why in the list'}"
        )
    if now.unexplained:
        n = words.count(now.unexplained, "difference")
        missing.append(f"{n} without owner and reason: open each above and assign it.")
    if missing:
        return Markup('<div data-testid="blocked">{}</div>').format(
            notice(State.BAD, "Cannot be signed yet.", " ".join(missing))
        )
    revision = 1 if it.signed is None else it.signed.newest.revision + 1
    why = Markup("")
    if it.signed is not None:
        why = Markup(
            '<label class="wide">Reason of revision {0}<textarea name="why" data-key="why-{0}" '
            'rows="2" maxlength="2000" required></textarea></label>'
        ).format(revision)
    label = f"Sign {now.period} …" if revision == 1 else f"Sign revision {revision} …"
    return Markup(
        '<form class="act sign-off"><p>{}</p>{}<button type="button" class="pick primary" '
        'data-act="sign" data-key="sign" data-label="{}" data-busy="Reading …">{}</button></form>'
    ).format(
        "Your signature freezes these figures, the tolerance, the rows and their owners. What"
        " comes later shows as changed after sign-off.",
        why,
        label,
        label,
    )
