"""Seals on a PDF: PAdES signatures that mirror who reviewed and who decided, and the plant's own.

The signatures of people are in the ledger. A seal repeats one on the paper: the plant's server
makes it with a certificate in that person's name from the plant's own authority.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata, SimpleSigner, sign_pdf

from core.batch_record.model import BatchRecord
from core.certificate import (
    SealFiles,
    authorities,
    ends,
    person_files,
    revocation_lists,
    seal_files,
    seal_terms,
)
from core.errors import MesError
from dashboards.record.stamp import (
    Hold,
    Stamper,
    Stamps,
    StampUnusable,
    Update,
    archived,
    need_whole,
)
from dashboards.record.typeset import local

PLANT = "plant"
type Signer = tuple[SealFiles, PdfSignatureMetadata]
LATER = "Stamped later: when this seal was put, all seals of the file held"
NO_AUTHORITY = "no time-stamp authority is named"
log = logging.getLogger("batchwright.record")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrored:
    """A signature of the ledger as a field of the PDF."""

    field: str
    person: str
    name: str
    meaning: str
    about: str


def mirrored(record: BatchRecord) -> tuple[Mirrored, ...]:
    """Return the fields of those who reviewed and decided, in the order in which they signed.

    The first of a role has its name, `reviewer` or `releaser`; a later one has a number too.
    """
    zone, times = ZoneInfo(record.header.zone), Counter[str]()
    found = []
    for one in record.signatures:
        if one.seals is None:
            continue
        times[one.seals] += 1
        nth = times[one.seals]
        about = (
            f"{one.record}, version {one.version}, entry {one.entry} of the ledger, signed"
            f" {local(one.at, zone)}"
        )
        found.append(
            Mirrored(
                field=one.seals if nth == 1 else f"{one.seals}-{nth}",
                person=one.person,
                name=one.name,
                meaning=one.meaning,
                about=about,
            )
        )
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A file with its seals, and until when they can be checked."""

    body: bytes
    hold: Hold


class Seal:
    """Signs PDFs with certificates of the plant, which are made on first use.

    `stamps` is the time-stamp authority, None for none. It stops nothing: where it gives no stamp,
    the file is sealed without, and says so.
    """

    def __init__(self, folder: Path, plant: str, stamps: Stamps | None = None) -> None:
        self._folder, self._plant, self._stamps = folder, plant, stamps

    def put(self, made: Callable[[Hold], bytes], record: BatchRecord, what: str) -> Sealed:
        """Return the PDF with a seal for each role and the plant's last; `made` sets it.

        Each is an incremental update, so the file must not be rewritten later.
        """
        location = f"Ledger of {record.checkpoint.size} entries, root {record.checkpoint.root}"
        reason = f"Batch record {record.header.batch}, {what}"
        return self.around(made, mirrored(record), reason=reason, location=location)

    def around(
        self,
        made: Callable[[Hold], bytes],
        people: Sequence[Mirrored],
        *,
        reason: str,
        location: str,
    ) -> Sealed:
        """Return a PDF with a seal for each signature of people, and the plant's last.

        `made` is given until when they can be checked, so that the paper says it. It is called
        once more where the authority falls silent while its stamps are put.
        """
        signers = [
            (
                person_files(self._folder, self._plant, person=one.person, name=one.name),
                _about(one.field, name=one.name, reason=one.meaning, location=one.about),
            )
            for one in people
        ]
        about = _about(PLANT, name=self._plant, reason=reason, location=location)
        signers.append((seal_files(self._folder, self._plant), about))
        plain = self.hold(files for files, _ in signers)
        if self._stamps is not None:
            try:
                return self._stamped(made, signers, self._stamps)
            except MesError as fault:
                log.warning("event=seal-not-stamped reason=%s", fault)
                plain = replace(plain, why=f"the authority {self._stamps.place} gave none")
        return Sealed(_all_signed(made(plain), signers, None), plain)

    def hold(self, signers: Iterable[SealFiles] = ()) -> Hold:
        """Return until when seals can be checked without any stamp; by themselves, the plant's."""
        files = tuple(signers) or (seal_files(self._folder, self._plant),)
        return Hold(until=min(ends(one.certificate) for one in files), why=NO_AUTHORITY)

    def stamped_later(self, pdf: bytes) -> Sealed:
        """Return a file of this plant's, as it was, with a first or another time stamp over it.

        Where it had none, the plant's seal is put once more, with a stamp: a seal that is there
        cannot get one, since those behind it cover it.

        Raises:
            NotOurs: it is no such file, or what proves it has ended.
            MesError: the authority gives no stamp.
        """
        assert self._stamps is not None
        has_stamp = need_whole(pdf, authorities(self._folder), self._stamps.trusted)
        stamper = Stamper(self._stamps)
        hold = stamper.prospect()
        if not has_stamp:
            about = _about(
                f"{PLANT}-2", name=self._plant, reason=LATER, location="Whole file, as it was"
            )
            pdf = _signed(pdf, seal_files(self._folder, self._plant), about, stamper=stamper)
        return Sealed(archived(pdf, stamper, revocation_lists(self._folder)), hold)

    def _stamped(
        self, made: Callable[[Hold], bytes], signers: Sequence[Signer], stamps: Stamps
    ) -> Sealed:
        stamper = Stamper(stamps)
        hold = stamper.prospect()
        body = _all_signed(made(hold), signers, stamper)
        body = archived(body, stamper, revocation_lists(self._folder))
        if stamper.until < hold.until:  # another unit of the authority answered
            raise StampUnusable(stamps.place, "another certificate of it ends sooner")
        return Sealed(body, hold)


def outlook(folder: Path, stamps: Stamps | None, zone: ZoneInfo) -> str:
    """Return what a page says of the seals of the next copy; nobody is asked for it."""
    if stamps is not None:
        return (
            f"A copy's seals are time-stamped by {stamps.place}. The print log says until when each"
            " copy can be checked."
        )
    terms = seal_terms(folder)
    until = "for a year or two"
    if terms is not None:
        until = f"until {local(terms.signer_ends, zone)} at the latest"
    return (
        f"A copy's seals can be checked {until}, while the certificates last, since"
        f" {NO_AUTHORITY}. The print log says it for each copy."
    )


def pages(pdf: bytes) -> int:
    """Return how many pages a PDF has."""
    return int(PdfFileReader(BytesIO(pdf)).root["/Pages"]["/Count"])


def _about(field: str, *, name: str, reason: str, location: str) -> PdfSignatureMetadata:
    return PdfSignatureMetadata(
        field_name=field,
        md_algorithm="sha256",
        subfilter=SigSeedSubFilter.PADES,
        reason=reason,
        location=location,
        name=name,
    )


def _all_signed(pdf: bytes, signers: Sequence[Signer], stamper: Stamper | None) -> bytes:
    if not pdf.endswith(b"\n"):  # typst ends without, and PDF/A wants each object on its own line
        pdf += b"\n"
    for files, about in signers:
        pdf = _signed(pdf, files, about, stamper=stamper)
    return pdf


def _signed(
    pdf: bytes, files: SealFiles, about: PdfSignatureMetadata, *, stamper: Stamper | None
) -> bytes:
    signer = SimpleSigner.load(
        str(files.key), str(files.certificate), ca_chain_files=(str(files.authority),)
    )
    if signer is None:  # it logs why, and says nothing to its caller
        raise OSError(f"{files.key}: cannot be used as a seal. Restore DATA/keys.")
    out = sign_pdf(Update(BytesIO(pdf)), about, signer=signer, timestamper=stamper)
    return bytes(out.getvalue())
