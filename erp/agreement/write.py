"""Write the contract as a folder: text, pictures, schemas, samples, and each file's hash."""

import hashlib
import json
from pathlib import Path

from core.errors import MesError
from erp.agreement.asyncapi import asyncapi, name_of
from erp.agreement.document import document
from erp.agreement.example import receipt
from erp.agreement.flows import drawing, flows
from erp.agreement.openapi import openapi
from erp.agreement.policy import Terms
from erp.agreement.samples import sample
from erp.agreement.schemas import Json, message_schema, receipt_schema
from erp.contract import to_bytes

MANIFEST = "manifest-sha256.txt"


class FolderInUse(MesError):
    """A contract goes into a folder of its own, so that no old part is taken for a new one."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder}: is not empty. Name a new folder for the contract.")


def files(terms: Terms) -> dict[str, bytes]:
    """Return every file of the contract by its path; the same terms give the same bytes."""
    found = {
        "contract.md": document(terms).encode(),
        "asyncapi.json": _json(asyncapi(terms)),
        "openapi.json": _json(openapi(terms)),
        "schemas/receipt.json": _json(receipt_schema()),
    }
    for flow in flows(terms):
        found[f"lanes/{flow.name}.svg"] = drawing(flow).encode()
    found["samples/receipt.json"] = receipt(terms.plant)[1]
    for kind in terms.events:
        found[f"schemas/{name_of(kind)}.json"] = _json(message_schema(kind))
        found[f"samples/{name_of(kind)}.json"] = to_bytes(sample(kind, plant=terms.plant))
    lines = (f"{hashlib.sha256(body).hexdigest()}  {path}\n" for path, body in found.items())
    return {**found, MANIFEST: "".join(sorted(lines, key=lambda line: line[66:])).encode()}


def write(terms: Terms, folder: Path) -> list[Path]:
    """Write the contract and return its files.

    Raises:
        FolderInUse: the folder holds something.
    """
    if folder.exists() and any(folder.iterdir()):
        raise FolderInUse(folder)
    written = []
    for path, body in files(terms).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body)
        written.append(target)
    return written


def _json(value: Json) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()
