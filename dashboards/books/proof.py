"""A book's head and its end: status, parameters, watermark, SQL and digests."""

from zoneinfo import ZoneInfo

from markupsafe import Markup

from analytics.books.params import ParamField
from analytics.books.provenance import QueryProof
from analytics.books.run import Rendered
from dashboards import parts
from dashboards.operations import words
from dashboards.operations.kpi import at
from dashboards.operations.sections import folded
from dashboards.palette import State

DRAFT = "DRAFT - not for GxP decisions"


def status(found: Rendered) -> Markup:
    """Return the badge: approved, or a draft that says what it is not for."""
    it = found.provenance
    if it.status == "approved":
        return Markup('<span class="status approved ok" data-testid="status">{}<span>APPROVED v{}'
                      "</span></span>").format(parts.sign(State.OK), it.version)  # fmt: skip
    return Markup('<span class="status near" data-testid="status">{}<span>{}</span></span>').format(
        parts.sign(State.NEAR), DRAFT
    )


def head(found: Rendered, zone: ZoneInfo, *, newer: bool) -> Markup:
    """Return what the book is, how far it has read, and whether there is more by now."""
    it = found.provenance
    facts = [
        ("Version", it.version),
        ("As of entry", words.count(it.as_of)),
        ("Figures as of", parts.local_time(at(it.watermark.at_us), zone)),
        ("Book digest", Markup("<code>{}</code>").format(it.book_sha256[:12])),
    ]
    cells = Markup("").join(
        Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(*fact) for fact in facts
    )
    again = Markup("")
    if newer:
        again = Markup(
            '<p class="flag info" data-testid="newer">{}<span>The ledger has gone on since. '
            '<a href="?{}">Read again</a></span></p>'
        ).format(parts.sign(State.INFO), _query(found))
    return Markup('<p>{}</p><dl class="asof" data-testid="as-of">{}</dl>{}').format(
        status(found), cells, again
    )


def _query(found: Rendered) -> str:
    return "&".join(f"{one.name}={one.value}" for one in found.params)


def form(found: Rendered, base: str) -> Markup:
    """Return the parameters as a form whose answers are the URL."""
    if not found.params:
        return Markup("")
    fields = Markup("").join(_field(one) for one in found.params)
    return Markup(
        '<div class="bar"><form method="get" action="{}/{}">{}'
        '<button type="submit" class="pick">Show</button></form></div>'
    ).format(base, found.book.id, fields)


def _field(one: ParamField) -> Markup:
    label = Markup('<label for="p-{0}">{1}</label>').format(one.name, one.label)
    same = Markup('id="p-{0}" name="{0}" data-go data-key="{0}"').format(one.name)
    if one.kind == "choice":
        options = Markup("").join(
            Markup('<option value="{0}"{1}>{0}</option>').format(
                value, Markup(" selected") if value == one.value else ""
            )
            for value in one.options
        )
        return Markup("{}<select {}>{}</select>").format(label, same, options)
    if one.kind == "int":
        return Markup('{}<input type="number" {} value="{}" min="{}" max="{}">').format(
            label, same, one.value, one.low, one.high
        )
    return Markup('{}<input type="date" {} value="{}">').format(label, same, one.value)


def accordion(found: Rendered, zone: ZoneInfo) -> Markup:
    """Return SQL and provenance of every query, folded."""
    it = found.provenance
    facts = parts.facts(
        [
            ("Book", f"{it.book}, version {it.version}"),
            ("Status", DRAFT if it.status != "approved" else f"approved, version {it.version}"),
            ("Ledger", f"as of entry {words.count(it.watermark.seq)}"),
            (
                "Machine data",
                f"interval {words.count(it.watermark.interval_id)}, "
                f"count {words.count(it.watermark.produced_id)}",
            ),
            ("Engine", it.engine),
            ("Drawn", parts.local_time(it.rendered_at, zone)),
            ("Sources", ", ".join(found.book.sources)),
            ("Book sha256", Markup("<code>{}</code>").format(it.book_sha256)),
        ]
    )
    summary = f"SQL and provenance of {len(it.queries)} queries"
    body = Markup("").join(_query_proof(one) for one in it.queries)
    return folded("provenance", summary, facts, body)


def _query_proof(one: QueryProof) -> Markup:
    given = ", ".join(f"{name} = {value}" for name, value in one.params.items()) or "none"
    facts = parts.facts(
        [
            ("Rows", words.count(one.rows) + (", cut" if one.cut else "")),
            ("Time", f"{one.ms} ms"),
            ("Parameters", given),
            ("SQL sha256", Markup("<code>{}</code>").format(one.sql_sha256)),
            ("Result sha256", Markup("<code>{}</code>").format(one.result_sha256)),
        ],
        wide=True,
    )
    sql = Markup('<pre tabindex="0" role="region" aria-label="SQL of {}">{}</pre>').format(
        one.name, one.sql
    )
    return folded(f"sql-{one.name}", f"{one.name}: {one.rows} rows", sql, facts)
