"""The batch record as PDF/A, set by typst from the layout that the page shows too."""

import json
import logging
import re
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import segno
import typst

from core.batch_record.model import BatchRecord, record_sha256
from dashboards.record.blocks import Card, Section
from dashboards.record.layout import layout
from dashboards.record.signs import mapped, texts, visible
from dashboards.record.stamp import Hold

BLOCKS = Path(__file__).with_name("blocks.typ")
TEMPLATE = Path(__file__).with_name("record.typ")
STANDARD: Literal["a-3b"] = "a-3b"
# What the fonts that travel with typst surely draw.
LATIN = re.compile(r"[^\x0a\x20-\u024f\u2013-\u2026]")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """What tells one print from another; without a number it belongs to an export."""

    number: int | None
    by: str
    at: datetime
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A file inside the PDF: what the record was made from (`source`), or its values (`data`)."""

    name: str
    text: str
    kind: Literal["source", "data", "supplement"]
    mime: str
    says: str


def local(at: datetime, zone: ZoneInfo) -> str:
    """Return an instant as the print writes it, to the second, with its zone's offset.

    >>> local(datetime.fromisoformat("2026-11-23T05:44:40.25Z"), ZoneInfo("Europe/Berlin"))
    '2026-11-23 06:44:40 +01:00'
    """
    there = at.astimezone(zone).isoformat(" ", "seconds")
    return f"{there[:19]} {there[19:]}"


def spelled(text: str, lacking: Collection[str]) -> str:
    r"""Return a text with the signs that no font has named by their number.

    >>> spelled("5 \u00b5m \u8584 \u819c", {"\u8584", "\u819c"})
    '5 \xb5m U+8584 U+819C'
    """
    return "".join(f"U+{ord(sign):04X}" if sign in lacking else sign for sign in text)


@lru_cache(maxsize=20_000)
def has(sign: str, *, own_fonts: bool) -> bool:
    """Return whether a font can draw a sign: one that travels with typst, or any that is here."""
    try:
        _set(b"#json(bytes(sys.inputs.values))", {}, sign, at=0, own_fonts=own_fonts)
    except typst.TypstError:
        return False
    return True


def qr(text: str) -> str:
    """Return a QR code as SVG."""
    out = BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="svg", border=0, xmldecl=False)
    return out.getvalue().decode()


def hold_text(hold: Hold, zone: ZoneInfo) -> str:
    """Return until when a file's seals can be checked, as the paper says it."""
    until = local(hold.until, zone)
    if hold.stamped_by:
        return (
            f"The seals of this file are time-stamped by {hold.stamped_by}. They can be checked"
            f" until {until}, and for longer where the file is stamped again before then."
        )
    return (
        f"The seals of this file have no time stamp: {hold.why}. They can be checked until {until},"
        " and for longer where the file is stamped before then."
    )


def pdf(
    record: BatchRecord, copy: Copy, attached: Sequence[Attached] = (), *, hold: Hold | None = None
) -> bytes:
    """Return the record as PDF, not sealed yet: the same bytes for the same record and copy.

    `hold` says until when its seals will hold; without it, it is not meant to be sealed.
    """
    zone, head = ZoneInfo(record.header.zone), record.header
    about = {
        "batch": head.batch,
        "product": f"{head.product_name} ({head.product})",
        "recipe": head.recipe,
        "zone": head.zone,
        "size": str(record.checkpoint.size),
        "root": record.checkpoint.root[:16],
        "copy": "Copy of an export, not numbered" if copy.number is None else f"Copy {copy.number}",
        "by": copy.by,
        "at": local(copy.at, zone),
        "why": copy.why,
        "content_sha256": record_sha256(record),
        "seals": "This file bears no seal." if hold is None else hold_text(hold, zone),
    }
    sections = layout(record, lambda at: local(at, zone))
    inputs = {"qr": qr(record.checkpoint.note)}
    return printed(TEMPLATE, sections, about, at=copy.at, inputs=inputs, attached=attached)


def printed(
    template: Path,
    sections: Sequence[Section],
    about: dict[str, str],
    *,
    at: datetime,
    inputs: dict[str, str],
    attached: Sequence[Attached] = (),
) -> bytes:
    """Return sections set by a template as PDF/A: the same bytes for the same layout and instant.

    `about` is for headers and footers, `inputs` for what is no text, such as a QR code.
    """
    shown = mapped({"sections": [plain(one) for one in sections], "about": about}, visible)
    # The fonts that travel with typst draw alike everywhere; others are a help in need.
    signs = {sign for text in texts(shown) for sign in LATIN.findall(text)}
    lacking = {sign for sign in signs if not has(sign, own_fonts=True)}
    beyond = {sign for sign in lacking if not has(sign, own_fonts=False)}
    if beyond:
        log.info("event=signs-named-by-number signs=%s", len(beyond))
    values = mapped(shown, lambda text: spelled(text, beyond))
    values["attached"] = [asdict(one) for one in attached]
    inputs = inputs | {"year": f"{at.year}", "month": f"{at.month}", "day": f"{at.day}"}
    source, second = BLOCKS.read_bytes() + template.read_bytes(), int(at.timestamp())
    return _set(source, inputs, values, at=second, own_fonts=lacking == beyond)


def plain(section: Section) -> dict[str, Any]:
    """Return a section as plain values, each block with the name of its kind."""
    return {"title": section.title, "blocks": [_plain_block(one) for one in section.blocks]}


def _plain_block(block: Any) -> dict[str, Any]:
    values = {"kind": type(block).__name__.lower(), **asdict(block)}
    if isinstance(block, Card):
        values["blocks"] = [_plain_block(one) for one in block.blocks]
    return values


def _set(source: bytes, inputs: dict[str, str], values: Any, *, at: int, own_fonts: bool) -> bytes:
    made: bytes = typst.compile(
        source,
        format="pdf",
        ignore_system_fonts=own_fonts,
        sys_inputs=inputs | {"values": json.dumps(values)},
        pdf_standards=STANDARD,
        timestamp=at,
    )
    return made
