"""Draws the link to the ERP: what waits, what was refused and why, and what was pulled."""

from datetime import datetime
from zoneinfo import ZoneInfo

from markupsafe import Markup

from core.clock import parse_iso
from dashboards import parts
from dashboards.finance import words
from dashboards.finance.matching import PAGE, LinkState
from dashboards.finance.view import Ask
from dashboards.palette import State
from dashboards.parts import chip, heading, join, local_time, notice, paragraph
from erp.pull import PullState
from erp.relay import Endpoint
from erp.rows import Row
from erp.rows import State as Sent

ENDPOINTS = {
    Endpoint.UP: (State.OK, "Up"),
    Endpoint.DOWN: (State.BAD, "Down"),
    Endpoint.PAUSED: (State.HELD, "Paused"),
}
KINDS = {"item": "Items", "bom": "Bills of material", "order": "Orders", "customer": "Customers"}


def link_view(ask: Ask, link: LinkState | None, *, zone: ZoneInfo, size: int) -> Markup:
    """Return the state of relay and pull."""
    if link is None:
        return paragraph("Reading the outbox …", muted=True)
    return join(
        _headline(link, zone),
        _figures(link, size=size, zone=zone),
        _dead(link, zone),
        _lanes(link, ask, zone),
        _asides(link),
        _pulls(link, zone),
    )


def _headline(link: LinkState, zone: ZoneInfo) -> Markup:
    endpoint, waiting = link.relay.endpoint, link.waiting
    oldest = link.relay.oldest_open_at
    since = ""
    if waiting and oldest is not None:
        at = parse_iso(oldest)
        since = f", the oldest for {words.span(link.at - at)} (since {local_time(at, zone)})"
    queue = f"{words.count(waiting, 'message')} waiting{since}." if waiting else "Nothing waits."
    if endpoint is Endpoint.DOWN:
        text = (
            f"{queue} The floor goes on; they are sent in order when the ERP is back. "
            f"Last answer: {link.relay.reason or 'none'}."
        )
        return notice(State.BAD, "The ERP does not answer.", text)
    if endpoint is Endpoint.PAUSED:
        text = f"{queue} {link.relay.reason or ''}. Ask IT to check the secrets and the address."
        return notice(State.HELD, "Sending is paused.", text)
    if not link.answers:
        text = f"{queue} The last pull of master data failed; it is asked again by itself."
        return notice(State.BAD, "The ERP does not answer.", text)
    if link.dead:
        n = words.count(len(link.dead), "message")
        return notice(State.BAD, f"{n} refused by the ERP.", f"Each holds up its order. {queue}")
    return notice(State.INFO if waiting else State.OK, "The ERP answers.", queue)


def _figures(link: LinkState, *, size: int, zone: ZoneInfo) -> Markup:
    counts = link.relay.counts
    state, word = ENDPOINTS[link.relay.endpoint]
    if link.relay.endpoint is Endpoint.UP and not link.answers:
        state, word = ENDPOINTS[Endpoint.DOWN]
    settled = counts[Sent.SUPERSEDED] + counts[Sent.SKIPPED]
    behind = max(0, size - link.relay.upto_seq)
    oldest = parse_iso(link.relay.oldest_open_at) if link.relay.oldest_open_at else None
    anchor = link.anchor
    return parts.cards(
        parts.card(
            "Messages waiting", words.number(link.waiting), state=state, word=f"ERP {word.lower()}",
            testid="waiting",
        ),
        parts.card(
            "Oldest waiting", words.span(link.at - oldest) if oldest else "none",
            note=f"made {local_time(oldest, zone)}" if oldest else "",
        ),
        parts.card(
            "Refused", words.number(counts[Sent.DEAD]),
            state=State.BAD if counts[Sent.DEAD] else None,
            word="to decide" if counts[Sent.DEAD] else "", testid="dead",
        ),
        parts.card(
            "Receipted", words.number(counts[Sent.DONE]),
            note=f"and {settled} settled by a signed decision" if settled else "",
            testid="receipted",
        ),
        parts.card(
            "Ledger read to entry", words.number(link.relay.upto_seq),
            note=f"{words.number(behind)} behind" if behind else "up to the end",
        ),
        parts.card(
            "Proof kept by the ERP", words.number(anchor.size) if anchor else "none",
            unit="entries" if anchor else "",
            note=f"came back {local_time(parse_iso(anchor.at), zone)}" if anchor else "",
        ),
    )  # fmt: skip


def _what(row: Row, href: str) -> Markup:
    return join(
        parts.link(words.type_words(row.type), href),
        Markup('<span class="sub">entry {}</span>').format(words.number(row.entry_seq)),
    )


def _dead(link: LinkState, zone: ZoneInfo) -> Markup:
    if not link.dead:
        return Markup("")
    rows = [
        (
            _what(row, Ask(row=row.event_id).url()),
            f"{row.lane}, number {row.lane_seq}",
            local_time(parse_iso(row.made_at), zone),
            join(
                row.last_error or "–", Markup('<span class="sub">{}</span>').format(row.last_code)
            ),
            words.step_for(row.last_code),
            parts.link("Resend …", Ask(row=row.event_id, resend=True).url()),
        )
        for row in link.dead[:PAGE]
    ]
    return parts.table(
        "Refused: each blocks its own order until a person has decided",
        ("Message", "Order", "Made", "Cause", "Next step", "Act"),
        rows,
        testid="dead-letters",
    )


def _lanes(link: LinkState, ask: Ask, zone: ZoneInfo) -> Markup:
    rows = [_lane(row, link, zone) for row in link.heads[:PAGE]]
    more = len(link.heads) - PAGE
    rest = paragraph(f"{more} more orders wait.", muted=True) if more > 0 else Markup("")
    table = parts.table(
        "Orders with messages under way: the first of each, and how many wait behind it",
        ("Order", "State", "First message", "Waiting behind", "Made", "Age", "Tries", "Next try"),
        rows,
        numbers=("Waiting behind", "Age", "Tries"),
        empty="No order has a message under way.",
        testid="lanes",
    )
    return join(table, rest)


def _lane(row: Row, link: LinkState, zone: ZoneInfo) -> tuple[object, ...]:
    state, word = words.SENT[row.state]
    made, due = parse_iso(row.made_at), parse_iso(row.due_at)
    after: object = local_time(due, zone) if due > link.at else "now"
    if row.state is Sent.DEAD:
        after = "waits for a person"
    elif link.relay.endpoint is not Endpoint.UP:
        after = "when the ERP is back"
    error = Markup('<span class="sub">{}</span>').format(row.last_error) if row.last_error else ""
    return (
        row.lane,
        chip(state, word),
        join(_what(row, Ask(row=row.event_id).url()), error),
        words.number(link.behind.get(row.lane, 0)),
        local_time(made, zone),
        words.span(link.at - made),
        row.attempts,
        after,
    )


def _asides(link: LinkState) -> Markup:
    if not link.asides:
        return Markup("")
    rows = [
        (f"entry {words.number(it.entry_seq)}", it.type, it.lane or "–", it.why)
        for it in link.asides[:PAGE]
    ]
    title = f"Facts without a message ({len(link.asides)}): the ERP is not told of them yet"
    return parts.table(title, ("Entry", "Type", "Order", "Why, and what to do"), rows)


def _pulls(link: LinkState, zone: ZoneInfo) -> Markup:
    rows = [_pull(it, zone) for it in link.pulls]
    table = parts.table(
        "Master data pulled from the ERP",
        ("Kind", "State", "Last good", "Age", "Changed", "New (200)", "Same (304)", "Equal (200)",
         "Failed"),
        rows,
        numbers=("Age", "New (200)", "Same (304)", "Equal (200)", "Failed"),
        empty="Nothing was asked for yet.",
        testid="pulls",
    )  # fmt: skip
    refused = [
        (KINDS.get(it.kind, it.kind), name, fault)
        for it in link.pulls
        for name, fault in it.refused
    ]
    if not refused:
        return table
    return join(table, heading("Records that were refused", 3), parts.table(
        "Records that were refused", ("Kind", "Record", "Why, and what to do"), refused[:PAGE],
        show_caption=False,
    ))  # fmt: skip


def _pull(it: PullState, zone: ZoneInfo) -> tuple[object, ...]:
    state, word = State.OK, "Fresh"
    if it.is_stale:
        state, word = State.UNKNOWN, "Stale, last good kept"
    elif it.status == "failed":
        state, word = State.NEAR, "Last try failed"
    fault = Markup('<span class="sub">{}</span>').format(it.fault) if it.fault else Markup("")
    age = "never" if it.age_s is None else _age(it.age_s)
    return (
        KINDS.get(it.kind, str(it.kind)),
        join(chip(state, word), fault),
        _at(it.checked_at, zone),
        age,
        _at(it.fetched_at, zone),
        words.number(it.count_200),
        words.number(it.count_304),
        words.number(it.count_unchanged),
        words.number(it.count_failed),
    )


def _at(text: str | None, zone: ZoneInfo) -> str:
    at: datetime | None = parse_iso(text) if text else None
    return local_time(at, zone)


def _age(seconds: int) -> str:
    return f"{seconds} s" if seconds < 60 else f"{seconds // 60} min"
