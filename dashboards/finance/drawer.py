"""Draws the drawer of one row: floor, message and ERP beside each other, with their proof."""

import json
from zoneinfo import ZoneInfo

from markupsafe import Markup

from core.clock import parse_iso
from dashboards import parts
from dashboards.finance import words
from dashboards.finance.actions import Name, Opens, actions
from dashboards.finance.compare import SIDES, MatchRow, odd
from dashboards.finance.evidence import Proof, RowEvidence, Told, pretty
from dashboards.finance.exchange import exchange_href, is_signed
from dashboards.finance.row_state import RowState
from dashboards.finance.view import Ask
from dashboards.palette import State
from dashboards.parts import chip, facts, heading, join, local_time, notice, paragraph, sign
from erp.reconcile import PostingRow
from erp.rows import AttemptRow

LABELS = {
    "quantity": "Quantity", "item": "Item", "lot": "Lot", "order": "ERP order",
    "movement": "Movement", "day": "Posting date",
}  # fmt: skip


def drawer(
    it: RowEvidence,
    ask: Ask,
    state: RowState,
    *,
    zone: ZoneInfo,
    opens: Opens,
    name: Name,
    note: Markup,
) -> Markup:
    """Return the drawer; `opens` makes a link where the viewer may follow it, else plain text."""
    row, about = it.row, words.of(it.row.match_class)
    head = Markup(
        '<div class="drawer-head" data-record="{}"><div><h2 id="drawer-title" tabindex="-1" '
        'data-first data-key="title">{}</h2><p class="muted">{}, {}</p></div>{}'
        '<a class="pick" href="{}" data-close data-key="close">Close</a></div>'
    ).format(
        row.key, row.title, row.subject, local_time(row.at, zone),
        chip(about.state, about.label, testid="drawer-class"), ask.url(row="", resend=False),
    )  # fmt: skip
    cause = notice(about.state, about.label + ".", row.cause or about.means)
    sides = Markup('<div class="sides">{}{}{}</div>').format(
        _floor(it, zone, opens), _sent(it, zone), _booked(row, zone)
    )
    can = actions(row, state, zone=zone, name=name, opens=opens, resend=ask.resend)
    return join(head, note, cause, _side_by_side(row), can, sides, _bytes(it))


def gone(ask: Ask) -> Markup:
    """Return the drawer of a row that is not there."""
    return Markup(
        '<div class="drawer-head" data-record="none"><div><h2 id="drawer-title" tabindex="-1" '
        'data-first>No such row</h2><p class="muted">{} is in none of the three lists now.</p>'
        '</div><a class="pick" href="{}" data-close>Close</a></div>'
    ).format(ask.row, ask.url(row="", resend=False))


def _side_by_side(row: MatchRow) -> Markup:
    sides = (row.floor, row.sent, row.booked)
    lines = []
    for name in SIDES:
        cells = [side[name] or "–" if side else None for side in sides]
        differs = name in row.differs
        marks = odd(sides, name)
        drawn = [_cell(cell, differs and mark) for cell, mark in zip(cells, marks, strict=True)]
        if not any(cell not in (None, "–") for cell in cells):
            continue
        verdict = "differs" if differs else "equal"
        if sum(side is not None for side in sides) < len(sides):
            verdict = verdict if differs else "not on all sides"
        kind = Markup(' class="odd"') if differs else ""
        lines.append(
            Markup('<tr{}><th scope="row">{}</th>{}<td>{}</td></tr>').format(
                kind, LABELS[name], join(*drawn), verdict
            )
        )
    return Markup(
        '<div class="scroll" data-scroll="sides" tabindex="0" role="region" aria-label="Side by '
        'side"><table data-testid="three-sides"><caption class="hidden">The three sides of this '
        'row</caption><thead><tr><th scope="col">Field</th><th scope="col">Floor did</th>'
        '<th scope="col">Was sent</th><th scope="col">ERP says</th><th scope="col">Verdict</th>'
        "</tr></thead><tbody>{}</tbody></table></div>"
    ).format(join(*lines))


def _cell(value: str | None, differs: bool) -> Markup:
    if value is None:
        return Markup('<td><span class="none">nothing</span></td>')
    if not differs:
        return Markup("<td>{}</td>").format(value)
    return Markup('<td class="differs"><b aria-hidden="true">≠</b> {}</td>').format(value)


def _floor(it: RowEvidence, zone: ZoneInfo, opens: Opens) -> Markup:
    entry = it.entry
    if entry is None:
        text = "The floor made no such movement: no entry of the ledger names it."
        return _side("What the floor did", State.UNKNOWN, paragraph(text))
    at = parse_iso(entry.at)
    batch = it.row.batch
    rows: list[tuple[str, object]] = [
        ("Ledger entry", opens(words.number(entry.seq), f"/audit?entry={entry.seq}")),
        ("Type", entry.type),
        ("Recorded", local_time(at, zone)),
        ("In UTC", local_time(at, ZoneInfo("UTC"))),
        ("By", it.who),
        ("Station", entry.station or "none"),
    ]
    if batch:
        rows.append(("Batch record", opens(batch, f"/review/batch/{batch}")))
    data = [_datum(name, value) for name, value in entry.data.items() if name != "manifest"]
    more = _more("entry-data", "All data of the entry", facts(data))
    return _side("What the floor did", State.INFO, facts(rows), more)


def _datum(name: str, value: object) -> tuple[str, str]:
    """Return one member of an entry's data with its unit."""
    is_mass = name.endswith("_g")
    label = name.removesuffix("_g").replace("_", " ").capitalize().replace("Erp", "ERP")
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return label, "–" if value is None else f"{text} g" if is_mass else text


def _sent(it: RowEvidence, zone: ZoneInfo) -> Markup:
    message = it.message
    if message is None:
        text = "No message was made: the ERP was told nothing of this."
        return _side("What was sent", State.UNKNOWN, paragraph(text))
    state, word = words.SENT[message.state]
    rows: list[tuple[str, object]] = [
        ("State", chip(state, word)),
        ("Idempotency key", _code(message.event_id)),
        ("ERP reference", _code(message.erp_ref)),
        ("Place in its order", f"{message.lane}, number {message.lane_seq}"),
        ("Made", local_time(parse_iso(message.made_at), zone)),
        ("SHA-256 of the bytes", _code(message.sha256)),
        ("Checked now", _yes(it.digest_holds, "the stored bytes have this digest",
                             "the stored bytes do NOT have this digest")),
    ]  # fmt: skip
    tries = _more(
        "attempts",
        words.count(len(it.attempts), "attempt"),
        parts.table(
            "Attempts", ("At", "Outcome", "Answer"), (_attempt(one, zone) for one in it.attempts),
            show_caption=False, empty="Not sent yet.",
        ),
    )  # fmt: skip
    proofs = join(*(_receipt(proof, zone) for proof in it.proofs))
    if not it.proofs:
        proofs = paragraph("No receipt yet: the ERP has not confirmed it.", muted=True)
    before = join(*(_other(one, zone) for one in it.others))
    return _side(
        "What was sent", State.INFO, facts(rows), tries, heading("Receipt", 4), proofs, before
    )


def _other(it: Told, zone: ZoneInfo) -> Markup:
    """Return a message that told the fact before, or undid its posting, under its own title."""
    one = it.message
    state, word = words.SENT[one.state]
    rows: list[tuple[str, object]] = [
        ("State", chip(state, word)),
        ("Idempotency key", _code(one.event_id)),
        ("Place in its order", f"{one.lane}, number {one.lane_seq}"),
        ("Entry", words.number(one.entry_seq)),
        ("SHA-256 of the bytes", _code(one.sha256)),
    ]
    title = f"{words.type_words(one.type)}, number {one.lane_seq} of its order"
    receipts = join(*(_receipt(proof, zone) for proof in it.proofs))
    return _more(f"other-{one.lane_seq}", title, facts(rows), receipts)


def _attempt(one: AttemptRow, zone: ZoneInfo) -> tuple[object, ...]:
    answer = " ".join(str(part) for part in (one.status, one.code, one.error) if part)
    return local_time(parse_iso(one.at), zone), one.outcome, answer or "–"


def _receipt(proof: Proof, zone: ZoneInfo) -> Markup:
    it = proof.receipt
    documents = ", ".join(f"{doc.id}/{doc.year} line {doc.line}" for doc in it.documents)
    mark = f"{words.number(it.checkpoint[0])} entries, root" if it.checkpoint else "none came back"
    root = _code(it.checkpoint[1]) if it.checkpoint else ""
    return facts(
        [
            ("Status", it.status),
            ("Received", local_time(parse_iso(it.at), zone)),
            ("Documents", documents or "none"),
            ("Posting period", it.period or "not told"),
            ("Signature", _yes(proof.fault is None, "proven to be the ERP's", proof.fault or "")),
            ("Ledger checkpoint sent back", join(mark, " ", root)),
        ]
    )


def _booked(row: MatchRow, zone: ZoneInfo) -> Markup:
    if not row.postings:
        if row.match_class == "not_compared":
            text = "The ERP's books could not be read. Whether it is there is not known."
            return _side("What the ERP now says", State.UNKNOWN, paragraph(text))
        text = "The ERP's books have no line with this reference."
        return _side("What the ERP now says", State.UNKNOWN, paragraph(text))
    made = (_posting(one, zone) for one in row.postings)
    return _side("What the ERP now says", State.INFO, *made)


def _posting(it: PostingRow, zone: ZoneInfo) -> Markup:
    ledger: object = "none: it moves no stock"
    if it.gl_document:
        ledger = f"{it.gl_document}, period {it.gl_period or 'not told'}"
    elif it.kind == "stock" and not it.gl_read:
        ledger = "none to compare: not read there, or the amount rounds to nothing"
    elif it.kind == "stock":
        ledger = Markup('<span class="differs"><b aria-hidden="true">≠</b> missing</span>')
    period: object = it.period
    if it.gl_period and it.gl_period != it.period:
        period = Markup(
            '<span class="differs"><b aria-hidden="true">≠</b> {}, not {}</span>'
        ).format(it.period, it.gl_period)
    goods: list[tuple[str, object]] = []
    if it.kind != "gl":
        goods = [
            ("Line", f"{it.movement}, {words.quantity(it.quantity, it.unit)}"),
            ("Item and lot", f"{it.item or '–'}, {it.lot or '–'}"),
        ]
    return facts(
        [
            ("Document", it.document),
            *goods,
            ("ERP order", it.erp_order or "none"),
            ("General ledger", ledger),
            ("Period", period),
            ("Posting date", it.posting_date.isoformat()),
            ("Posted", local_time(it.posted_at, zone)),
            ("Reference", _code(it.event_id or "none: posted by hand")),
        ]
    )


def _bytes(it: RowEvidence) -> Markup:
    made = []
    if it.message is not None:
        body = it.message.body
        size = words.count(len(body), "byte")
        # An adapter makes the ERP's own request from the message: its bytes did not go out.
        title = "The exact bytes sent" if is_signed(it.attempts) else "Its exact bytes"
        made.append(_more("pretty", f"The message, indented ({size})", _pre(pretty(body))))
        made.append(_more("raw", title, _pre(body.decode("utf-8", "replace"))))
    if it.attempts:
        newest = it.attempts[-1].sent_headers
        lines = "\n".join(f"{name}: {value}" for name, value in sorted(newest.items()))
        made.append(_more("headers", "Headers of the newest attempt, with signature", _pre(lines)))
    for n, proof in enumerate(it.proofs):
        if proof.receipt.body:
            text = pretty(proof.receipt.body)
            signed = "webhook-signature" in proof.receipt.headers
            title = (
                "The receipt, as signed by the ERP" if signed else "The ERP's answer, as it came"
            )
            made.append(_more(f"receipt-{n}", title, _pre(text)))
    if it.message is not None:
        files = parts.link("Entry, message, attempts, receipts", exchange_href(it.message.event_id))
        made.append(Markup('<p data-testid="files">As files (zip): {}</p>').format(files))
    return join(*made)


def _side(title: str, state: State, *pieces: Markup) -> Markup:
    return Markup('<section class="side {}"><h3>{}</h3>{}</section>').format(
        state.value, title, join(*pieces)
    )


def _more(key: str, title: str, *pieces: Markup) -> Markup:
    return Markup(
        '<details data-key="{}"><summary data-key="s-{}">{}</summary>{}</details>'
    ).format(key, key, title, join(*pieces))


def _pre(text: str) -> Markup:
    return Markup('<pre tabindex="0">{}</pre>').format(text)


def _code(text: str) -> Markup:
    return Markup("<code>{}</code>").format(text)


def _yes(holds: bool, yes: str, no: str) -> Markup:
    state = State.OK if holds else State.BAD
    return Markup('<span class="mark {}">{} {}</span>').format(
        state.value, sign(state), yes if holds else no
    )
