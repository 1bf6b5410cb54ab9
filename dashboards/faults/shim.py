"""Small libraries between a process and its disk, written in C and compiled where they are used."""

import shutil
import subprocess
import sys
from pathlib import Path

from dashboards.faults.trial import NotRun

BUILD_S = 60


class NoCompiler(NotRun):
    """Nothing here can build the library."""

    def __init__(self) -> None:
        super().__init__(
            "no C compiler (cc) is found, and what stands between a process and its disk is C."
            " Install one, as with apt install gcc."
        )


def built(source: Path, folder: Path) -> Path:
    """Compile a library that goes before the others by LD_PRELOAD, into a folder.

    Raises:
        NoCompiler: there is no cc here, or this is no Linux.
    """
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        raise NoCompiler
    library = folder / f"{source.stem}.so"
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(source)]
    subprocess.run([*command, "-ldl", "-lpthread"], check=True, timeout=BUILD_S)  # noqa: S603
    return library
