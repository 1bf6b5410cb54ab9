"""A signed period on paper: PDF/A of the report, sealed by its signer and by the plant."""

from pathlib import Path
from zoneinfo import ZoneInfo

from dashboards.finance.report import Report, sections
from dashboards.record.seal import Mirrored, Seal
from dashboards.record.stamp import Hold, Stamps
from dashboards.record.typeset import hold_text, local, printed, qr

TEMPLATE = Path(__file__).with_name("period.typ")


def pdf(it: Report, hold: Hold | None = None) -> bytes:
    """Return the report as PDF, not sealed yet: the same bytes for the same sign-off.

    `hold` says until when its seals will hold; without it, it is not meant to be sealed.
    """
    zone, figures = ZoneInfo(it.signing.zone), it.figures
    about = {
        "title": it.title,
        "plant": it.plant,
        "revision": f"Revision {it.revision}",
        "size": str(figures.checkpoint_size),
        "root": figures.checkpoint_root[:16],
        "rows": figures.rows_sha256,
        "zone": it.signing.zone,
        "by": it.signing.name,
        "at": local(it.signing.at, zone),
        "entry": str(it.signing.entry),
        "seals": "This file bears no seal." if hold is None else hold_text(hold, zone),
    }
    code = (
        f"{it.title}, revision {it.revision}\nrows {figures.rows_sha256}\nsignature"
        f" {it.signing.manifest_sha256}\ncheckpoint {figures.checkpoint_size}"
        f" {figures.checkpoint_root}"
    )
    parts = sections(it, lambda at: local(at, zone))
    return printed(TEMPLATE, parts, about, at=it.signing.at, inputs={"qr": qr(code)})


def sealed(it: Report, keys: Path, stamps: Stamps | None = None) -> bytes:
    """Return the report as PDF with the signer's seal and the plant's, made with `keys`.

    `stamps` is the time-stamp authority, where one is named.
    """
    signed, zone = it.signing, ZoneInfo(it.signing.zone)
    signer = Mirrored(
        field="finance",
        person=signed.person,
        name=signed.name,
        meaning=signed.meaning,
        about=(
            f"reconciliation/{it.period}, version {signed.ver}, entry {signed.entry} of the ledger,"
            f" signed {local(signed.at, zone)}"
        ),
    )
    location = f"Ledger of {it.figures.checkpoint_size} entries, root {it.figures.checkpoint_root}"
    reason = f"{it.title}, revision {it.revision}"
    seal = Seal(keys, it.plant, stamps)
    return seal.around(lambda hold: pdf(it, hold), (signer,), reason=reason, location=location).body
