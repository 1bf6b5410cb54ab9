"""Seals on a PDF: PAdES signatures that mirror who reviewed and who decided, and the plant's own.

The signatures of people are in the ledger. A seal repeats one on the paper: the plant's server
makes it with a certificate in that person's name from the plant's own authority.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata, SimpleSigner, sign_pdf

from core.batch_record.model import BatchRecord
from core.certificate import SealFiles, person_files, seal_files
from dashboards.record.typeset import local

PLANT = "plant"


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


class _Update(IncrementalPdfFileWriter):
    """An update that leaves the document's metadata and version as they were set.

    pyHanko would write the XMP anew, with other prefixes than PDF/A's schema descriptions name,
    and raise the version to 2.0, where PDF/A-3 is 1.7. The time of a seal stands in the seal.
    """

    def _update_meta(self) -> None:
        pass

    def ensure_output_version(self, version: tuple[int, int]) -> None:
        pass


class Seal:
    """Signs PDFs with certificates of the plant, which are made on first use."""

    def __init__(self, folder: Path, plant: str) -> None:
        self._folder, self._plant = folder, plant

    def put(self, pdf: bytes, record: BatchRecord, what: str) -> bytes:
        """Return the PDF with a seal for each role and the plant's last.

        Each is an incremental update, so the file must not be rewritten later.
        """
        location = f"Ledger of {record.checkpoint.size} entries, root {record.checkpoint.root}"
        reason = f"Batch record {record.header.batch}, {what}"
        return self.around(pdf, mirrored(record), reason=reason, location=location)

    def around(
        self, pdf: bytes, people: Sequence[Mirrored], *, reason: str, location: str
    ) -> bytes:
        """Return a PDF with a seal for each signature of people, and the plant's last."""
        for one in people:
            files = person_files(self._folder, self._plant, person=one.person, name=one.name)
            about = _about(one.field, name=one.name, reason=one.meaning, location=one.about)
            pdf = _signed(pdf, files, about)
        about = _about(PLANT, name=self._plant, reason=reason, location=location)
        return _signed(pdf, seal_files(self._folder, self._plant), about)


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


def _signed(pdf: bytes, files: SealFiles, about: PdfSignatureMetadata) -> bytes:
    signer = SimpleSigner.load(
        str(files.key), str(files.certificate), ca_chain_files=(str(files.authority),)
    )
    if signer is None:  # it logs why, and says nothing to its caller
        raise OSError(f"{files.key}: cannot be used as a seal. Restore DATA/keys.")
    out = sign_pdf(_Update(BytesIO(pdf)), about, signer=signer)
    return bytes(out.getvalue())
