"""Make beforehand what takes longest: the browser, the real ERP's environment and its database.

    python -m tests.prepare

Tests make it themselves where it is missing; this lets it happen beside something else.
"""

from __future__ import annotations

import sys
from pathlib import Path

from erp.bridges.tryton_server import TrytonServer
from tests.browser import find_chromium, install_chromium
from tests.erp_peers import TRYTON_SEED


def main() -> None:
    """Make what is missing, and say what is made."""
    if find_chromium() is None:
        install_chromium()
    TrytonServer(Path(), TRYTON_SEED, say=lambda text: print(text, file=sys.stderr)).prepare()


if __name__ == "__main__":
    main()
