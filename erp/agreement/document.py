"""The contract for people: who owns what, which messages there are, and what happens when not."""

import msgspec

from config.boundary import in_words
from erp.agreement.asyncapi import HEADERS, name_of
from erp.agreement.example import example
from erp.agreement.flows import flows, table
from erp.agreement.members import members
from erp.agreement.openapi import CODES, STATUSES, openapi
from erp.agreement.policy import Terms
from erp.agreement.samples import sample
from erp.contract import MAX_BODY_BYTES, to_bytes
from erp.events import EventKind
from erp.messages import WIRE_UNITS
from erp.port import ErpProfile
from erp.schedule import DELAYS_S, JITTER, LONGEST_S
from erp.signing import TOLERANCE_S
from erp.webhook import TIMEOUT_S

# decision, choice -> what each side does about it
OWNERS: dict[tuple[str, str], tuple[str, str]] = {
    ("order_origin", "erp"): ("dispatches, opens none", "plans every order"),
    ("order_origin", "erp_and_mes"): (
        "dispatches; may open an order, with a reason, that is linked later",
        "plans orders; gives an order for what was opened on the floor",
    ),
    ("order_origin", "mes"): ("opens every order", "is not asked for orders"),
    ("bom_ownership", "erp_costs_mes_executes"): (
        "executes its recipe; new batches are blocked where it does not sum to the ERP's BOM",
        "keeps the BOM for costs",
    ),
    ("bom_ownership", "mes"): ("the recipe is the only BOM", "is not asked for BOMs"),
    ("lot_birth", "receipt"): ("takes lots as received", "gives every lot its number at receipt"),
    ("lot_birth", "first_weighing"): (
        "gives a lot its number at its first weighing",
        "makes a lot known when a message first names it",
    ),
    ("lot_birth", "both"): (
        "gives a number to what was not received; two lots never become one",
        "gives a number at receipt; makes a lot known when a message first names it",
    ),
    ("inventory_cadence", "each_movement"): ("tells every movement at once", "books each"),
    ("inventory_cadence", "per_shift"): (
        "gathers movements and tells each at the end of the shift, under the same keys",
        "books each; its stock is up to one shift behind",
    ),
    ("batch_record", "mes"): ("keeps the signed record", "keeps its checkpoint in the receipts"),
    ("deviations", "execution_in_mes_capa_in_qms"): (
        "keeps deviations of execution, tells when one opens and closes",
        "its quality system keeps corrective actions and what comes after release",
    ),
    ("deviations", "mes"): ("keeps deviations and corrective actions", "hears of none"),
    ("finished_goods_cost", "erp"): ("tells quantities and times, never money", "values them"),
}


def document(terms: Terms) -> str:
    """Return the whole contract as Markdown."""
    parts = (
        f"# The boundary between the plant `{terms.plant}` and its ERP",
        f"This contract is made from {terms.title}. It is generated: change the policy, not the"
        " text. *You* is the ERP's side, *we* the plant's. The machine-readable parts lie beside"
        " it: `asyncapi.json` for messages, `openapi.json` for what you answer, `schemas/`,"
        " `samples/`; `manifest-sha256.txt` has the SHA-256 of each file.",
        _ownership(terms),
        _lanes(terms),
        _catalogue(terms),
        members(),
        _delivery(),
        example(terms.plant),
        _keys(),
        _failures(),
        _corrections(),
        _numbers(),
        _reading(terms),
        *_peer(terms),
    )
    return "\n\n".join(parts) + "\n"


def _ownership(terms: Terms) -> str:
    rows = [
        "## Who owns what",
        "",
        "| decision | what it says | the MES | the ERP |",
        "|---" * 4 + "|",
    ]
    for one in in_words(terms.decisions):
        mes, erp = OWNERS[one.name, one.value]
        rows.append(f"| {one.title} | {one.says} | {mes} | {erp} |")
    return "\n".join(rows)


def _lanes(terms: Terms) -> str:
    parts = ["## Who does what, in which order"]
    for flow in flows(terms):
        picture = f"![{flow.title}](lanes/{flow.name}.svg)"
        parts += [f"### {flow.title}", picture, table(flow)]
    return "\n\n".join(parts)


def _catalogue(terms: Terms) -> str:
    parts = ["## Messages"]
    rows = ["| message | when | you book | must also carry |", "|---" * 4 + "|"]
    for kind in terms.events:
        must = ", ".join(f"`data.{name}`" for name in kind.needs) or "nothing beside"
        rows.append(f"| `{kind.type}` | {kind.says} | {_books(kind, terms)} | {must} |")
    parts.append("\n".join(rows))
    if terms.decisions.inventory_cadence == "per_shift":
        parts.append(
            "The messages of one order keep their sequence: what comes behind a movement that waits"
            " for the end of its shift waits with it, a release and a completion too."
        )
    parts.append(
        "One sample of each type follows, all of one order; together they tell no story. They are"
        " shown with line breaks. The files hold the bytes as they are sent: sorted members, no"
        " space between them."
    )
    for kind in terms.events:
        body = to_bytes(sample(kind, plant=terms.plant))
        shown = msgspec.json.format(body, indent=1).decode()
        parts += [f"### {kind.title}", f"`samples/{name_of(kind)}.json`", f"```json\n{shown}\n```"]
    return "\n\n".join(parts)


def _books(kind: EventKind, terms: Terms) -> str:
    if kind.is_notice:
        return "nothing: acknowledged"
    late = kind.gathers and terms.decisions.inventory_cadence == "per_shift"
    when = ", told at the end of the shift" if late else ""
    if kind.movement is None:
        undone = "the document's lines, negative" if kind.undoes else "no stock"
        return ("the original's lines, negative" if kind.reverses else undone) + when
    return f"{kind.movement}{when}"


def _delivery() -> str:
    headers = "\n".join(f"| `{name}` | {says} |" for name, says in HEADERS.items())
    delays = ", ".join(_span(delay) for delay in DELAYS_S)
    return f"""## How a message comes

CloudEvents 1.0, structured JSON, at most {MAX_BODY_BYTES:,} bytes, `POST /events`. The bytes
are made once and are the same on every attempt.

| header | rule |
|---|---|
{headers}

The signature is HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<raw body>`; the key is the
decoded part of the secret's text `whsec_…`. Check it before parsing, and refuse a time more
than {TOLERANCE_S} s away: set both clocks by one time server.

Deduplicate by `Idempotency-Key`, for as long as the documents are kept: the same key with the
same bytes is answered with the first documents and `duplicate`, with other bytes with 422 and
`key_reused`. Keep no refusal: after its cause is mended the same bytes come again. Book everything
a message says in one transaction, then answer with a receipt, signed in the same way with the
secret of the other direction under the event's own id. A message is done with that receipt, and
with nothing less.

Messages of one work order come one after another: `partitionkey` is the order, `sequence` the
position in it, without gaps. Different orders come side by side. A caller waits {TIMEOUT_S:g} s
for an answer. A message whose outcome is not known is tried again before each of these delays,
moved by up to {JITTER:.0%}: {delays}; {_hours(LONGEST_S)} in all. Then a person decides. While
nobody answers at all, nothing is counted: we ask for your health and go on in order when you are
back."""


def _keys() -> str:
    return """## A new secret

Each direction has its own secret. One is replaced while both sides run, and no message is lost:

1. The side that signs makes the new secret and gives it to the other one by a safe way. A secret
   is named by the first 12 hexadecimal digits of the SHA-256 of its decoded bytes: compare names,
   not secrets. Two people of the plant sign for each step.
2. For some days both are live. Our messages then carry two signatures, one for each secret, with a
   space between: accept a message where any of them fits. We accept a receipt under either.
3. When the other side uses the new secret, two people of the plant end the old one. A message or a
   receipt under it is refused from then on."""


def _failures() -> str:
    rows = "\n".join(f"| {status} | {says} | {does} |" for status, (says, does) in STATUSES.items())
    codes = "\n".join(f"| `{code}` | {says} |" for code, says in CODES.items())
    return f"""## When it does not work

| answer | meaning | the MES |
|---|---|---|
{rows}
| 3xx | A redirect is never followed. | a person corrects the address |
| none, any other, unproven receipt | It may or may not have been booked. | sends again, same key |

A refusal is a problem document (RFC 9457) with a `code`:

| code | meaning |
|---|---|
{codes}

A refused message stops its own order only. Nothing is ever dropped: a person mends the cause
and sends the same bytes again, or skips or supersedes the message, signed and with a reason."""


def _corrections() -> str:
    return """## Corrections

Nothing that was told is edited or deleted on either side. A fact that was not so is undone by
`mes.posting_reversed.v1`, which names the original in `data.corrects` and repeats its lines
with negative quantities; the fact as it was follows as a message of its own. Book the reversal
beside the original.

A document of your books that no fact of the floor stands behind, such as a second posting of the
same movement, is undone by `mes.document_reversed.v1`. It names your document in `data.document`
and repeats its lines with negative quantities; two people of the plant signed for it. Refuse it
with `document_unknown`, `reversal_differs` or `already_reversed` where the document is not as it
says.

A document that says other than the floor (another quantity, lot, item, unit or order) is undone in
the same way. Right behind it, in the same order's sequence, the fact comes once more as a message
of its own type with an id of its own; `data.replaces` names the first. Book it as any other."""


def _numbers() -> str:
    units = ", ".join(sorted({f"`{code}`" for _, code in WIRE_UNITS.values()}))
    return f"""## Numbers, units, times

Every quantity is a decimal text, exact, without exponent. Units are UN/ECE Recommendation 20:
{units}. Every instant is UTC; `data.posting_date` is the plant's calendar day. `data.erp_ref`
has 16 characters and fits the narrowest document field. No member holds money, and none will:
the ERP values what happened."""


def _reading(terms: Terms) -> str:
    rows = "\n".join(
        f"| `GET {path}` | {one['get']['summary']} |"
        for path, one in openapi(terms)["paths"].items()
        if "get" in one
    )
    return f"""## What we read

Answer a page with `ETag` or `Last-Modified`: it is asked for again with them, and 304 costs both
sides little. Items and customers are asked with `changed_since` between two whole readings; a side
that ignores it answers the whole page. Every night each page is read whole, without any validator,
so that what you deleted is seen.

| path | what it gives |
|---|---|
{rows}"""


def _peer(terms: Terms) -> tuple[str, ...]:
    """Return what is particular to the chosen ERP; nothing where none is named."""
    peer = terms.peer
    if peer is None:
        return ()
    rows = [f"| `{kind.type}` | {_told(kind, peer)} |" for kind in terms.events]
    units = ", ".join(f"`{unit}` {digits}" for unit, digits in sorted(peer.scales.items()))
    lengths = ", ".join(f"{what} {most}" for what, most in sorted(peer.lengths.items()))
    says = [
        "Its receipts are signed."
        if peer.signs_receipts
        else "It signs no receipts: its answer is kept as it came, and the books are read back.",
        "Its periods are asked for before each posting."
        if peer.asks_period_first
        else "Which periods are open is not asked before: it refuses a posting itself.",
        "Its general ledger is read back and compared."
        if peer.reads_gl
        else "Stock and period are read back; its general ledger is not.",
    ]
    if peer.longest_s:
        says.append(
            f"A posting that is not found may come for {_span(peer.longest_s)} after its answer was"
            " lost; it is not sent again before."
        )
    table = "\n".join(["| message | there |", "|---|---|", *rows])
    limits = f"Digits after the point: {units}. Characters: {lengths}. What does not fit waits."
    points = "\n".join(f"- {one}" for one in says)
    return (f"## The ERP of this plant: {peer.name}", table, limits, points)


def _told(kind: EventKind, peer: ErpProfile) -> str:
    return "told" if peer.books(kind.type) else "not told: listed as *not compared*"


def _hours(seconds: int) -> str:
    """Return a long delay in hours and minutes.

    >>> _hours(272_180)
    '75 h 36 min'
    """
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def _span(seconds: int) -> str:
    """Return a delay in the largest unit that leaves no rest.

    >>> _span(0), _span(300), _span(5400)
    ('0 s', '5 min', '90 min')
    """
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
