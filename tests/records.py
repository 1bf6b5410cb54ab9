"""Reading a record's renderings back: text of paper and page, seals as a reader sees them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from asn1crypto import pem, x509
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko_certvalidator import ValidationContext
from pypdf import PdfReader


def squeezed(text: str) -> str:
    """Return a text without what a line break may change."""
    return re.sub(r"[\s\u200b_]+", "", text)


def text_of(body: bytes) -> str:
    """Return all text of a PDF, squeezed; pages' heads and feet are in it."""
    return squeezed("".join(page.extract_text() for page in PdfReader(BytesIO(body)).pages))


def text_of_page(markup: str) -> str:
    """Return all text of a page, squeezed."""
    return squeezed(html.unescape(re.sub(r"<[^>]*>", " ", re.sub(r"<svg.*?</svg>", "", markup))))


def leaves(value: Any) -> Iterator[str]:
    """Yield every fact of plain values as text: no name of a field, no yes or no, no color."""
    if isinstance(value, dict):
        for name, one in value.items():
            if name != "light":  # a color; beside it stands the same in words
                yield from leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from leaves(one)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def without_exact_values(value: Any) -> Any:
    """Return the facts with each amount as its text: paper has one of the two forms."""
    if isinstance(value, dict):
        if set(value) == {"value", "unit", "text"}:
            return value["text"]
        return {name: without_exact_values(one) for name, one in value.items()}
    return [without_exact_values(one) for one in value] if isinstance(value, list) else value


def authority(keys: Path, *more: Path, at: datetime | None = None) -> ValidationContext:
    """Return the trust of a reader who was given the plant's authority, and `more`; of `at`."""
    paths = (keys / "seal-001" / "authority.pem", *more)
    roots = [x509.Certificate.load(pem.unarmor(path.read_bytes())[2]) for path in paths]
    return ValidationContext(trust_roots=roots, allow_fetching=False, moment=at)


def holding(body: bytes, keys: Path, *more: Path, at: datetime | None = None) -> dict[str, bool]:
    """Return for each seal whether it holds: whole, unchanged, and of this plant's authority.

    A reader who trusts no time-stamp authority (`more`) does not take a seal with its stamp.
    """
    try:
        found = PdfFileReader(BytesIO(body)).embedded_regular_signatures
        return {
            str(one.field_name): bool(
                validate_pdf_signature(one, authority(keys, *more, at=at)).bottom_line
            )
            for one in found
        }
    except (PdfError, SignatureValidationError, ValueError):
        return {}
