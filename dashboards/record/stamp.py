"""Time stamps in a sealed PDF: its seals can then be checked after their certificates have ended.

Each seal gets a stamp of an outside authority (PAdES B-T). Then the file gets what a reader will
need that nobody can be asked for later: the certificates, and what the plant's authority says of
revoked ones (B-LT); and a stamp over all of it (B-LTA). A further one extends it before the
certificate of the last one ends.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Protocol

from asn1crypto import cms, crl, pem, tsp, x509
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.general import extract_certificate_info
from pyhanko.sign.signers import PdfTimeStamper
from pyhanko.sign.signers.pdf_signer import TimestampDSSContentSettings
from pyhanko.sign.timestamps import TimeStamper
from pyhanko.sign.validation import (
    DocumentSecurityStore,
    validate_pdf_signature,
    validate_pdf_timestamp,
)
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.errors import PathError, ValidationError

from core.errors import MesError, Refused

MD, FIELD = "sha256", "archive"
BEFORE = TimestampDSSContentSettings(include_vri=False, update_before_ts=True)


class StampUnusable(MesError):
    """The authority answered, and its stamp cannot stand in a PDF."""

    def __init__(self, place: str, why: object) -> None:
        super().__init__(f"Time-stamp authority {place}: {str(why).rstrip('.')}.")


class NotOurs(Refused):
    """Only a whole file that this plant has sealed gets a stamp."""

    def __init__(self, why: str) -> None:
        super().__init__(f"File: {why}. It gets no time stamp. Print the record again.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Until when a file's seals can be checked; whose time stamp they bear, else why none."""

    until: datetime
    stamped_by: str = ""
    why: str = ""


class Stamps(Protocol):
    """A time-stamp authority, asked while somebody waits; `trusted` are its roots, DER."""

    place: str
    trusted: tuple[bytes, ...]

    def answer(self, request: bytes, digest: bytes, nonce: int) -> bytes:
        """Return its answer to a request, checked; raise an `MesError` where it gives none."""
        ...

    def revocations(self, certificates: Sequence[bytes]) -> list[bytes]:
        """Return the revocation lists that certificates name, DER; those that are there."""
        ...


class Update(IncrementalPdfFileWriter):
    """An update that leaves the document's metadata and version as they were set.

    pyHanko would write the XMP anew, with other prefixes than PDF/A's schema descriptions name,
    and raise the version to 2.0, where PDF/A-3 is 1.7. The time of a seal stands in the seal.
    """

    def _update_meta(self) -> None:
        pass

    def ensure_output_version(self, version: tuple[int, int]) -> None:
        pass


class Stamper(TimeStamper):
    """The authority as pyHanko asks it, for one file."""

    def __init__(self, stamps: Stamps) -> None:
        super().__init__()
        self.stamps = stamps
        self.until = datetime.max.replace(tzinfo=UTC)
        self.chain: list[bytes] = []

    async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> cms.ContentInfo:
        """Return the stamp of a digest; every fault is the authority's."""
        try:
            return await super().async_timestamp(message_digest, md_algorithm)
        except (OSError, ValueError) as fault:
            raise StampUnusable(self.stamps.place, fault) from fault

    async def async_request_tsa_response(self, req: tsp.TimeStampReq) -> tsp.TimeStampResp:
        """Return the answer to one request; note when the certificate behind it ends."""
        digest = req["message_imprint"]["hashed_message"].native
        body = self.stamps.answer(req.dump(), digest, req["nonce"].native)
        found = tsp.TimeStampResp.load(body)
        signed = extract_certificate_info(found["time_stamp_token"]["content"])
        self.until = signed.signer_cert.not_valid_after
        self.chain = [one.dump() for one in (signed.signer_cert, *signed.other_certs)]
        return found

    def prospect(self) -> Hold:
        """Ask for a stamp over nothing: does the authority answer, and until when does it hold?

        Raises:
            MesError: it gives none that can be used.
        """
        asyncio.run(self.async_dummy_response(MD))
        return Hold(until=self.until, stamped_by=self.stamps.place)


def archived(pdf: bytes, stamper: Stamper, lists: Sequence[bytes]) -> bytes:
    """Return a sealed PDF with what checks its seals later, and a time stamp over all of it.

    `lists` are the plant's revocation lists.

    Raises:
        MesError: the authority gives no stamp, or one that does not lead to its roots.
    """
    update = Update(BytesIO(pdf))
    seals = update.prev.embedded_regular_signatures
    before = update.prev.embedded_timestamp_signatures
    theirs = [one for it in before for one in (it.signer_cert, *it.other_embedded_certs)]
    lists = [*lists, *stamper.stamps.revocations([*stamper.chain, *(it.dump() for it in theirs)])]
    roots = [x509.Certificate.load(one) for one in stamper.stamps.trusted]
    DocumentSecurityStore.supply_dss_in_writer(
        update,
        None,
        certs=[
            *(one for seal in seals for one in (seal.signer_cert, *seal.other_embedded_certs)),
            *theirs,
        ],
        crls=[crl.CertificateList.load(one) for one in lists],
    )
    field = FIELD if not before else f"{FIELD}-{len(before) + 1}"
    try:
        out = PdfTimeStamper(stamper, field_name=field).timestamp_pdf(
            update,
            MD,
            validation_context=ValidationContext(trust_roots=roots, allow_fetching=False),
            dss_settings=BEFORE,
        )
    except (PathError, ValidationError) as fault:
        raise StampUnusable(stamper.stamps.place, fault) from fault
    return bytes(out.getvalue())


def need_whole(pdf: bytes, authorities: Sequence[bytes], stampers: Sequence[bytes]) -> bool:
    """Refuse a file that is not as this plant sealed it, or whose proof has ended already.

    Return whether it has a time stamp over the whole file.

    `authorities` are the plant's, PEM; `stampers` the roots of time-stamp authorities, DER.

    Raises:
        NotOurs: with what does not hold.
    """
    ours = [x509.Certificate.load(pem.unarmor(one)[2]) for one in authorities]
    theirs = [x509.Certificate.load(one) for one in stampers]
    try:
        reader = PdfFileReader(BytesIO(pdf))
        seals, stamps = reader.embedded_regular_signatures, reader.embedded_timestamp_signatures
        if not seals:
            raise NotOurs("bears no seal")
        for one in seals:
            status = validate_pdf_signature(one, _trust(ours))
            changed = status.modification_level is ModificationLevel.OTHER
            if changed or not (status.intact and status.valid):
                raise NotOurs(f"its seal {one.field_name} is broken")
            if not stamps and not status.bottom_line:
                raise NotOurs(f"its seal {one.field_name} is not of this plant, or has ended")
        for newest in stamps[-1:]:
            told = validate_pdf_timestamp(newest, _trust(theirs))
            if not (told.intact and told.valid and told.trusted):
                raise NotOurs("its newest time stamp has ended, or is of another authority")
    except (PdfError, SignatureValidationError, OSError, ValueError) as fault:
        raise NotOurs(f"is no PDF that can be checked, {fault}") from fault
    return bool(stamps)


def _trust(roots: Sequence[x509.Certificate]) -> ValidationContext:
    return ValidationContext(trust_roots=list(roots), allow_fetching=False)
