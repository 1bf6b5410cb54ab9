"""Draws the link to the ERP: what waits, what was refused and why, and what was pulled."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from markupsafe import Markup

from core.clock import parse_iso
from dashboards import parts
from dashboards.finance import words
from dashboards.finance.pulled import pulls_view
from dashboards.finance.reading import PAGE
from dashboards.finance.view import Ask
from dashboards.link_state import LinkState
from dashboards.palette import State
from dashboards.parts import chip, join, local_time, notice, paragraph
from erp.relay import Endpoint
from erp.rows import Row
from erp.rows import State as Sent
from erp.signing import TOLERANCE_S
from erp.stream import StreamStatus

ENDPOINTS = {
    Endpoint.UP: (State.OK, "Up"),
    Endpoint.DOWN: (State.BAD, "Down"),
    Endpoint.PAUSED: (State.HELD, "Paused"),
}
SIGNATURES_END = timedelta(seconds=TOLERANCE_S)
CLOCK_NEAR = SIGNATURES_END / 5
A_MOMENT = timedelta(milliseconds=50)  # less than the card's digits show


@dataclass(frozen=True, slots=True, kw_only=True)
class Opens:
    """What a reader may open from here: a message's row, and its resending."""

    row: Callable[[object, str], Markup] = parts.link
    resend: Callable[[object, str], Markup] = parts.link


def link_view(
    link: LinkState | None, *, zone: ZoneInfo, size: int, opens: Opens | None = None
) -> Markup:
    """Return the state of relay and pull; `size` is how many entries the ledger has."""
    if link is None:
        return paragraph("Reading the outbox …", muted=True)
    opens = opens or Opens()
    return join(
        _headline(link, zone),
        _figures(link, size=size, zone=zone),
        _dead(link, zone, opens),
        _lanes(link, zone, opens),
        _asides(link),
        pulls_view(link.pulls, zone),
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
        text = (
            f"{queue} {link.relay.reason or ''}. Ask IT to check the keys and the address. One"
            " message a minute tries whether the ERP takes ours again; then all go on."
        )
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
        _answered(link, zone),
        _clock(link, zone),
        parts.card(
            "Ledger read to entry", words.number(link.relay.upto_seq),
            note=f"{words.number(behind)} behind" if behind else "up to the end",
        ),
        parts.card(
            "Proof kept by the ERP", words.number(anchor.size) if anchor else "none",
            unit="entries" if anchor else "",
            note=f"came back {local_time(parse_iso(anchor.at), zone)}" if anchor else "",
        ),
        *([] if link.stream is None else [_stream(link.stream)]),
    )  # fmt: skip


def _stream(it: StreamStatus) -> Markup:
    """Return how far other systems were told; it is no proof that anything was booked."""
    state, word = (State.OK, "Up to date") if it.waiting == 0 else (State.INFO, "Under way")
    if it.fault is not None:
        state, word = State.BAD, "Away"
    why = f"{it.fault}. Nothing is lost; it is tried again by itself. " if it.fault else ""
    return parts.card(
        "For other systems (NATS)", words.number(it.waiting), unit="not published", state=state,
        word=word, note=f"{why}No proof that the ERP has booked", testid="stream",
    )  # fmt: skip


def _answered(link: LinkState, zone: ZoneInfo) -> Markup:
    """Return when the ERP last said anything, to a message or to a pull."""
    at = parse_iso(link.answered_at) if link.answered_at else None
    return parts.card(
        "Last answer of the ERP", "none yet" if at is None else words.span(link.at - at),
        unit="" if at is None else "ago", note=local_time(at, zone) if at else "",
        testid="answered",
    )  # fmt: skip


def _clock(link: LinkState, zone: ZoneInfo) -> Markup:
    """Return how far the ERP's clock is from ours, and what that does to signatures."""
    it = link.clock
    if it is None:
        return parts.card(
            "Clock of the ERP", "not told", state=State.UNKNOWN, word="Unknown", testid="erp-clock"
        )
    apart = abs(it.ahead)
    side = "before ours" if it.ahead > timedelta(0) else "behind ours"
    if apart < A_MOMENT:
        side = "the same as ours"
    state, word = State.OK, "Close enough"
    if apart >= SIGNATURES_END:
        state, word = State.BAD, "Refuses us"
    elif apart >= CLOCK_NEAR:
        state, word = State.NEAR, "Set one"
    return parts.card(
        "Clock of the ERP", f"{apart.total_seconds():.1f}", unit="s apart", state=state, word=word,
        note=f"{side}; a signature holds up to {TOLERANCE_S} s. Asked"
        f" {local_time(it.read_at, zone)}", testid="erp-clock",
    )  # fmt: skip


def _what(row: Row, opens: Opens) -> Markup:
    return join(
        opens.row(words.type_words(row.type), Ask(row=row.event_id).url()),
        Markup('<span class="sub">entry {}</span>').format(words.number(row.entry_seq)),
    )


def _dead(link: LinkState, zone: ZoneInfo, opens: Opens) -> Markup:
    if not link.dead:
        return Markup("")
    rows = [
        (
            _what(row, opens),
            f"{row.lane}, number {row.lane_seq}",
            local_time(parse_iso(row.made_at), zone),
            join(
                row.last_error or "–", Markup('<span class="sub">{}</span>').format(row.last_code)
            ),
            words.step_for(row.last_code),
            opens.resend("Resend …", Ask(row=row.event_id, resend=True).url()),
        )
        for row in link.dead[:PAGE]
    ]
    return parts.table(
        "Refused: each blocks its own order until a person has decided",
        ("Message", "Order", "Made", "Cause", "Next step", "Act"),
        rows,
        testid="dead-letters",
    )


def _lanes(link: LinkState, zone: ZoneInfo, opens: Opens) -> Markup:
    rows = [_lane(row, link, zone=zone, opens=opens) for row in link.heads[:PAGE]]
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


def _lane(row: Row, link: LinkState, *, zone: ZoneInfo, opens: Opens) -> tuple[object, ...]:
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
        join(_what(row, opens), error),
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
