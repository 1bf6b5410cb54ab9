"""Draws the ERP's master data: how fresh, where a BOM differs, every record with its versions."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup

from core.clock import parse_iso
from dashboards import parts
from dashboards.office.master import KINDS, Drift, Kept, Version
from dashboards.office.policy_view import Look
from dashboards.palette import State
from dashboards.parts import chip, heading, join, local_time, notice, paragraph

HERE = "/office"
SUB = Markup('<span class="sub">{}</span>')
CODE = Markup("<code>{}</code>")


def drift_view(drifts: Sequence[Drift]) -> Markup:
    """Return whether recipes and the ERP's BOMs sum to the same, and where not."""
    if not drifts:
        return Markup("")
    apart = [one for one in drifts if one.where]
    if apart:
        names = ", ".join(one.product for one in apart)
        text = (
            f"{names}: no new batch is dispatched until both sum to the same. Running ones go on."
        )
        head = notice(State.BAD, "The ERP's BOM differs from the recipe.", text)
    else:
        head = notice(
            State.OK, "Recipes and BOMs sum to the same.", "Exactly, component by component."
        )
    rows = [
        (
            one.product,
            one.recipe,
            chip(State.BAD, "Blocks new batches") if one.where else chip(State.OK, "Equal"),
            join(*(SUB.format(where) for where in one.where)) if one.where else "–",
        )
        for one in drifts
    ]
    table = parts.table(
        "Recipe beside the ERP's BOM", ("Product", "Recipe", "State", "Where"), rows,
        testid="drift",
    )  # fmt: skip
    return join(head, table)


def records_view(kind: str, found: Sequence[Kept], look: Look) -> Markup:
    """Return the records of one kind, each with the statement that stands."""
    rows = []
    for one in found:
        whence = one.provenance
        href = f"{HERE}?{urlencode({'view': 'master', 'kind': kind, 'record': one.name})}"
        rows.append(
            (
                parts.link(one.name, href),
                one.says,
                local_time(whence.fetched_at, look.zone),
                join(CODE.format(f"{whence.sha256[:16]}…"), SUB.format(whence.url)),
            )
        )
    title = KINDS[kind][0]
    table = parts.table(
        f"{title}: {len(rows)}", ("Record", "The ERP states", "Since", "From"), rows,
        empty="The ERP has stated none yet.", testid="records",
    )  # fmt: skip
    return join(_kinds(kind), table)


def _kinds(chosen: str) -> Markup:
    links = (
        Markup('<a class="pick" href="{}"{}>{}</a>').format(
            f"{HERE}?view=master&kind={kind}",
            Markup(' aria-current="true"') if kind == chosen else "",
            title,
        )
        for kind, (title, *_) in KINDS.items()
    )
    return Markup('<nav class="bar" aria-label="Kinds of records">{}</nav>').format(join(*links))


def versions_view(kind: str, name: str, found: Sequence[Version], *, look: Look) -> Markup:
    """Return every accepted statement about one record with its provenance."""
    back = Markup('<p><a class="pick" href="{}">All {}</a></p>').format(
        f"{HERE}?view=master&kind={kind}", KINDS[kind][0].lower()
    )
    table = parts.table(
        "Versions", ("Version", "Accepted", "What changed", "From", "Entry"),
        [_version(one, look) for one in found],
        empty="The ERP has stated nothing about it.", testid="versions", show_caption=False,
    )  # fmt: skip
    note = paragraph("A version is never changed. Running orders keep the one they began with.")
    return join(back, heading(name, note=KINDS[kind][0]), note, table)


def _version(it: Version, look: Look) -> tuple[object, ...]:
    changed = [
        Markup("<li>{}: {}; was: {}</li>").format(name.replace("_", " "), new, old)
        for name, old, new in it.changed
    ]
    first = "the first statement" if it.version == 1 else "stated again"
    listed = Markup("<ul class='plain'>{}</ul>").format(join(*changed)) if changed else first
    return (
        it.version,
        local_time(it.at, look.zone),
        listed,
        _whence(it.provenance, look),
        look.opens(it.seq, f"/audit?entry={it.seq}"),
    )


def _whence(it: Mapping[str, Any], look: Look) -> Markup:
    return join(
        CODE.format(f"{it['sha256'][:16]}…"),
        SUB.format(f"{it['url']}, ETag {it['etag'] or 'none'}"),
        SUB.format(f"fetched {local_time(parse_iso(it['fetched_at']), look.zone)}"),
    )
