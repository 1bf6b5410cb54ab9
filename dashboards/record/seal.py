"""The plant's seal on a PDF: a PAdES signature over every byte of the file."""

from io import BytesIO
from pathlib import Path

from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata, SimpleSigner, sign_pdf

from core.certificate import seal_files

FIELD = "plant"


class Seal:
    """Signs PDFs with a plant's certificate, which is made on first use."""

    def __init__(self, folder: Path, plant: str) -> None:
        self._folder, self._plant = folder, plant

    def put(self, pdf: bytes, reason: str) -> bytes:
        """Return the PDF with the seal as an incremental update; it must not be rewritten later."""
        files = seal_files(self._folder, self._plant)
        signer = SimpleSigner.load(
            str(files.key), str(files.certificate), ca_chain_files=(str(files.authority),)
        )
        if signer is None:  # it logs why, and says nothing to its caller
            raise OSError(f"{files.key}: cannot be used as a seal. Restore DATA/keys.")
        about = PdfSignatureMetadata(
            field_name=FIELD,
            md_algorithm="sha256",
            subfilter=SigSeedSubFilter.PADES,
            reason=reason,
            name=self._plant,
        )
        out = sign_pdf(IncrementalPdfFileWriter(BytesIO(pdf)), about, signer=signer)
        return bytes(out.getvalue())
