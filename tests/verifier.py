"""The verifier as an inspector has it: one file, loaded from the file itself."""

import atexit
import shutil
import sys
import tempfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from core.verify.one_file import one_file

_FOLDER = Path(tempfile.mkdtemp(prefix="batchwright-verifier-"))
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)
FILE = _FOLDER / "verify.py"


def _loaded() -> ModuleType:
    FILE.write_bytes(one_file().encode("utf-8"))
    spec = spec_from_file_location("stand_alone_verifier", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # its own processes find it under this name
    spec.loader.exec_module(module)
    return module


stand_alone = _loaded()
