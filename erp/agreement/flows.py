"""Who does what, in which order: the flows of the boundary as swim lanes."""

from dataclasses import dataclass
from html import escape
from textwrap import wrap

from erp.agreement.policy import Terms

LANES = ("Floor", "Batchwright", "ERP", "Person")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that one lane does; where it goes to another lane, an arrow leads there."""

    lane: str
    says: str
    to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One story of the boundary."""

    name: str
    title: str
    steps: tuple[Step, ...]


def flows(terms: Terms) -> tuple[Flow, ...]:
    """Return the flows of one policy."""
    return (_orders(terms), _execution(terms), _outage(), _refusal(), _correction())


def _orders(terms: Terms) -> Flow:
    origin = terms.decisions.order_origin
    steps = [
        Step("ERP", "Plans and releases a production order."),
        Step("Batchwright", "Asks each half minute: If-None-Match, If-Modified-Since.", "ERP"),
        Step("ERP", "200 with the page and its ETag, or 304: nothing new.", "Batchwright"),
        Step("Batchwright", "Keeps the order as received, with where it came from.", "Floor"),
        Step("Floor", "Dispatches it to a room; the batch number exists from now on."),
        Step("ERP", "Changes the order later on.", "Batchwright"),
        Step("Person", "Decides about the change; it is never applied by itself."),
    ]
    if origin == "mes":
        steps = [Step("Floor", "Opens every order, with a reason.", "Batchwright")]
    if origin != "erp":
        steps += [
            Step("Floor", "Opens an order that the ERP does not know, with a reason."),
            Step("Person", "Links it to the ERP's order; what happened is told from then on."),
        ]
    return Flow(name="orders", title="Orders", steps=tuple(steps))


def _execution(terms: Terms) -> Flow:
    at_once = terms.decisions.inventory_cadence == "each_movement"
    when = "at once" if at_once else "at the end of the shift, one message for each"
    behind = "" if at_once else ", behind what waits"
    steps = (
        Step("Floor", "Begins the first step.", "Batchwright"),
        Step("Batchwright", "Tells work order started.", "ERP"),
        Step("Floor", "Weighs, and a second person verifies.", "Batchwright"),
        Step("Batchwright", f"Tells material consumed, {when}.", "ERP"),
        Step("ERP", "Books each message once, signs a receipt with its documents.", "Batchwright"),
        Step("Person", "QA releases the batch, under signature.", "Batchwright"),
        Step("Batchwright", f"Tells batch released, then finished goods produced{behind}.", "ERP"),
        Step("Batchwright", f"Tells work order completed{behind}.", "ERP"),
        Step("Batchwright", "Reads the books back and compares all three sides.", "ERP"),
    )
    return Flow(name="execution", title="A batch", steps=steps)


def _outage() -> Flow:
    steps = (
        Step("ERP", "Does not answer."),
        Step("Floor", "Goes on; nobody there notices."),
        Step("Batchwright", "Keeps every message; an outage counts against none."),
        Step("ERP", "Is back.", "Batchwright"),
        Step("Batchwright", "Sends in order for each work order, same ids, same bytes.", "ERP"),
        Step("ERP", "Answers duplicate, with the same documents, for what it had.", "Batchwright"),
    )
    return Flow(name="outage", title="The ERP is away", steps=steps)


def _refusal() -> Flow:
    steps = (
        Step("Batchwright", "Sends a message.", "ERP"),
        Step("ERP", "422 with a code: its own rule says no.", "Batchwright"),
        Step("Batchwright", "Stops this order's messages; other orders go on."),
        Step("Person", "Mends the cause and sends the same bytes again.", "ERP"),
        Step("Person", "Or skips it, or supersedes it: signed, with a reason."),
    )
    return Flow(name="refusal", title="The ERP says no", steps=steps)


def _correction() -> Flow:
    steps = (
        Step("Floor", "Finds that a fact was not so; corrects it with a reason.", "Batchwright"),
        Step("Batchwright", "Tells posting reversed: names the original, negative lines.", "ERP"),
        Step("ERP", "Books the reversal beside the original; both stay.", "Batchwright"),
        Step("Batchwright", "Tells the fact as it was, as a message of its own.", "ERP"),
    )
    return Flow(name="correction", title="A correction", steps=steps)


def table(flow: Flow) -> str:
    """Return a flow as a Markdown table, one lane a column."""
    lanes = [lane for lane in LANES if any(lane in (one.lane, one.to) for one in flow.steps)]
    rows = [f"| | {' | '.join(lanes)} |", "|---" * (len(lanes) + 1) + "|"]
    for n, step in enumerate(flow.steps, 1):
        arrow = f" → {step.to}" if step.to else ""
        cells = [step.says + arrow if lane == step.lane else "" for lane in lanes]
        rows.append(f"| {n} | {' | '.join(cells)} |")
    return "\n".join(rows)


WIDE, HIGH, TOP = 250, 78, 46


def drawing(flow: Flow) -> str:
    """Return a flow as an SVG picture of swim lanes; it needs nothing from outside."""
    lanes = [lane for lane in LANES if any(lane in (one.lane, one.to) for one in flow.steps)]
    width, height = WIDE * len(lanes), TOP + HIGH * len(flow.steps) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        f' width="{width}" height="{height}" font-family="sans-serif" font-size="13">',
        f"<title>{escape(flow.title)}</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8"'
        ' markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z" fill="#1f4e79"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for n, lane in enumerate(lanes):
        fill = "#f3f6fa" if n % 2 == 0 else "#ffffff"
        parts.append(f'<rect x="{n * WIDE}" width="{WIDE}" height="{height}" fill="{fill}"/>')
        parts.append(
            f'<text x="{n * WIDE + WIDE // 2}" y="28" text-anchor="middle" font-weight="bold"'
            f' font-size="15">{escape(lane)}</text>'
        )
    for n, step in enumerate(flow.steps):
        parts += _box(step, n, lanes)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _box(step: Step, n: int, lanes: list[str]) -> list[str]:
    column, top = lanes.index(step.lane), TOP + n * HIGH
    left = column * WIDE + 12
    parts = [
        f'<rect x="{left}" y="{top}" width="{WIDE - 24}" height="{HIGH - 16}" rx="6"'
        ' fill="#fff" stroke="#1f4e79"/>'
    ]
    lines = wrap(f"{n + 1}. {step.says}", 34)
    assert len(lines) <= 3, step
    parts += [
        f'<text x="{left + 10}" y="{top + 18 + 17 * row}">{escape(line)}</text>'
        for row, line in enumerate(lines)
    ]
    if step.to is not None:
        other, y = lanes.index(step.to), top + HIGH - 28
        start = left + WIDE - 24 if other > column else left
        end = other * WIDE + WIDE // 2
        parts.append(
            f'<line x1="{start}" y1="{y}" x2="{end}" y2="{y}" stroke="#1f4e79"'
            ' stroke-width="1.6" marker-end="url(#tip)"/>'
        )
    return parts
