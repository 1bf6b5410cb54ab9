"""Draws the comparison of stock: what each side has of a lot, what is on its way, what is left."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

from markupsafe import Markup

from analytics.reconciliation.stock import CLASS_PAGE, StockRow
from dashboards import parts
from dashboards.finance import words
from dashboards.finance.reading import StockListing
from dashboards.finance.view import HERE, Ask
from dashboards.palette import State
from dashboards.parts import chip, join, local_time, notice, paragraph, sign


@dataclass(frozen=True, slots=True)
class StockWords:
    """One class of the comparison in words."""

    label: str
    state: State
    means: str


CLASSES: Mapping[str, StockWords] = {
    "negative": StockWords(
        "Below zero", State.BAD, "One side has less than nothing: something was not booked in."
    ),
    "differs": StockWords(
        "Differs", State.BAD, "More is between them than the rows of the match say."
    ),
    "mes_only": StockWords("Not in the ERP", State.BAD, "The floor has it, the ERP does not."),
    "erp_only": StockWords("Not on the floor", State.BAD, "The ERP has it, the floor does not."),
    "explained": StockWords(
        "Explained", State.NEAR, "Differs by exactly what rows of the match say."
    ),
    "equal": StockWords("Equal", State.OK, "Both have the same, with what is on its way."),
}
COLUMNS = ("Item and lot", "Floor has", "ERP has", "On its way", "Difference", "Class and cause")


def stock_view(ask: Ask, found: StockListing | None, *, zone: ZoneInfo) -> Markup:
    """Return the comparison as the URL asks for it."""
    if found is None:
        return paragraph("Reading the books, the stock, and the books again …", muted=True)
    if found.at is None:
        text = found.fault or "The stock was not read yet."
        return notice(State.UNKNOWN, "Stock is not compared.", text)
    return join(
        _as_of(found, zone),
        _fault(found),
        _verdict(found),
        _cards(found, ask),
        _list(found, ask),
    )


def _as_of(found: StockListing, zone: ZoneInfo) -> Markup:
    facts = (
        ("Both as of", join(local_time(found.at, zone))),
        ("Ledger", f"entry {words.number(found.upto_seq)}"),
        ("Tolerance", "0"),
    )
    cells = (Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(*fact) for fact in facts)
    return Markup('<dl class="asof" data-testid="stock-as-of">{}</dl>').format(join(*cells))


def _fault(found: StockListing) -> Markup:
    if found.fault is None:
        return Markup("")
    text = f"{found.fault} What is shown is of the time above."
    return notice(State.UNKNOWN, "Not compared just now.", text)


def _verdict(found: StockListing) -> Markup:
    counts, total = found.found.counts, found.found.total
    if not total:
        return notice(State.INFO, "No lots.", "Neither side has a lot that the other could have.")
    terms = [f"{words.number(n)} {words.within(CLASSES[k].label)}" for k, n in counts.items() if n]
    odd = total - counts["equal"] - counts["explained"]
    if odd:
        state, word = State.BAD, f"{words.count(odd, 'lot')} to clear."
    elif counts["explained"]:
        state, word = State.NEAR, "Every difference is explained by rows of the match."
    else:
        state, word = State.OK, "Both have the same of every lot."
    text = Markup('<span data-testid="stock-sum">{} = <b>{}</b></span>').format(
        " + ".join(terms), words.count(total, "lot")
    )
    return notice(state, word, text)


def _cards(found: StockListing, ask: Ask) -> Markup:
    cards = []
    for name, it in CLASSES.items():
        n, chosen = found.found.counts[name], ask.kind == name
        kind = f"class {it.state.value if n else 'zero'}{' chosen' if chosen else ''}"
        cards.append(
            Markup(
                '<a class="{0}" href="{1}" data-key="stock-{2}" data-testid="stock-{2}" '
                'data-count="{3}"{4}><span class="head">{5}<span>{6}</span></span>'
                '<span class="figure">{7}</span><span class="means">{8}</span></a>'
            ).format(
                kind,
                ask.url(kind="" if chosen else name, page=1, row=""),
                name,
                n,
                Markup(' aria-current="true"') if chosen else "",
                sign(it.state),
                it.label,
                words.number(n),
                it.means,
            )
        )
    return Markup('<div class="classes">{}</div>').format(join(*cards))


def _list(found: StockListing, ask: Ask) -> Markup:
    heads = join(*(Markup('<th scope="col">{}</th>').format(name) for name in COLUMNS))
    body = join(*(_row(one) for one in found.found.rows)) or Markup(
        '<tr><td colspan="6" class="muted">No lot here.</td></tr>'
    )
    label = CLASSES[ask.kind].label if ask.kind else "All lots"
    head = Markup("<h2>{} <small>{}</small></h2>").format(
        label, words.count(found.found.shown, "lot")
    )
    return Markup(
        '{}{}<div class="scroll" data-scroll="stock" tabindex="0" role="region" '
        'aria-label="Stock by lot"><table data-testid="stock-rows"><caption class="hidden">Stock '
        "of both sides by lot</caption><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>{}"
    ).format(head, _finder(ask), heads, body, _pager(found, ask))


def _finder(ask: Ask) -> Markup:
    kept = Markup('<input type="hidden" name="kind" value="{}">').format(ask.kind)
    clear = Markup('<a class="pick" href="{}">Clear</a>').format(ask.url(text="", page=1))
    return Markup(
        '<form class="bar finder" method="get" action="{}"><input type="hidden" name="view" '
        'value="stock">{}<label for="find">Item or lot</label><input id="find" name="find" '
        'type="text" maxlength="80" autocomplete="off" data-key="find" value="{}">'
        '<button type="submit" class="pick">Find</button>{}</form>'
    ).format(HERE, kept if ask.kind else "", ask.text, clear if ask.text else "")


def _pager(found: StockListing, ask: Ask) -> Markup:
    if found.pages == 1:
        return Markup("")
    links = [
        Markup('<a class="pick" href="{}">{}</a>').format(ask.url(page=page, row=""), text)
        for page, text in ((found.page - 1, "Back"), (found.page + 1, "On"))
        if 1 <= page <= found.pages
    ]
    said = Markup("<span>Page {} of {}, {} lots each</span>").format(
        found.page, found.pages, CLASS_PAGE
    )
    return Markup('<nav class="bar" aria-label="Pages">{}{}</nav>').format(join(*links), said)


def _row(it: StockRow) -> Markup:
    about = CLASSES[it.stock_class]
    statuses = ", ".join(
        f"{name} {words.quantity(amount, it.unit)}"
        for name, amount in it.statuses.items()
        if amount
    )
    rows = Ask(text=it.lot or it.item).url()
    what = Markup('<th scope="row"><a href="{}">{}</a><span class="sub">lot {}</span></th>').format(
        rows, it.item, it.lot or "none"
    )
    cells = join(
        _amount(it.mes, it.unit),
        _amount(it.erp, it.unit, note=statuses if len(it.statuses) > 1 else ""),
        _amount(it.in_flight or None, it.unit),
        _amount(it.difference or None, it.unit, odd=it.stock_class not in ("equal", "explained")),
    )
    return Markup(
        '<tr data-class="{}">{}{}<td>{}<span class="sub cause">{}</span></td></tr>'
    ).format(it.stock_class, what, cells, chip(about.state, about.label), _causes(it))


def _amount(value: Decimal | None, unit: str, *, note: str = "", odd: bool = False) -> Markup:
    if value is None:
        return Markup('<td class="muted">–</td>')
    text = parts.safe(words.quantity(value, unit))
    if odd:
        text = Markup('<span class="differs"><b aria-hidden="true">≠</b> {}</span>').format(text)
    sub = Markup('<span class="sub">{}</span>').format(note) if note else ""
    return Markup('<td><span class="qty">{}</span>{}</td>').format(text, sub)


def _causes(it: StockRow) -> str:
    """Return what rows of the match say of a difference, and what they do not say."""
    said = [
        f"{words.of(name).label}: {words.quantity(amount, it.unit)}"
        for name, amount in it.causes.items()
    ]
    if it.rest:
        left = words.quantity(it.rest, it.unit)
        said.append(f"not on any row of the match: {left}. Compare the receipts of the lot")
    return "; ".join(said) + ("." if said else "")
