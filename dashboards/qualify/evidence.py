"""The evidence: a folder with report, the scratch plant's ledger and a signed list of all files.

`python3 verify.py FOLDER` checks the list, its signature and every file with nothing but Python;
`python3 verify.py FOLDER/ledger` checks the entries that the OQ tests left.
"""

import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

from core.backup.files import Occupied, seal
from core.verify.one_file import one_file
from dashboards.qualify.qualification import Qualified, as_json
from dashboards.qualify.report import pdf


def free(out: Path) -> None:
    """Refuse a place for evidence where something is.

    Raises:
        Occupied: nothing is ever written over.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Occupied(out, "is there already")


def write(it: Qualified, out: Path) -> dict[str, Any]:
    """Write the evidence into a new folder, and return the report.

    Raises:
        Occupied: something is there.
    """
    free(out)
    out.mkdir(parents=True, exist_ok=True)
    report = as_json(it)
    body = json.dumps(report, indent=1, ensure_ascii=False).encode("utf-8") + b"\n"
    (out / "report.json").write_bytes(body)
    (out / "report.pdf").write_bytes(pdf(report, sha256=sha256(body).hexdigest()))
    if it.scratch is not None:
        shutil.copytree(it.scratch, out / "ledger")
    (out / "log.vkey").write_text(it.key.vkey + "\n", "utf-8")
    (out / "verify.py").write_text(one_file(), "utf-8")
    seal(out, it.key)
    return report
