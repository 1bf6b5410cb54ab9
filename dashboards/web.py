"""The web server of a running plant, with the readers its pages ask."""

import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dashboards.compose import Plant
from dashboards.pages import PAGES
from dashboards.readers import Readers
from dashboards.security import PageFunction
from dashboards.server import create_app, serve
from erp.connected import Polled

log = logging.getLogger("batchwright.web")


class Web:
    """Uvicorn in a thread of its own, so that the main thread keeps the signals."""

    def __init__(
        self,
        plant: Plant,
        *,
        host: str = "127.0.0.1",
        port: int,
        tls: tuple[Path, Path] | None = None,
        more: Mapping[str, PageFunction] | None = None,
    ) -> None:
        self.base = f"{'https' if tls else 'http'}://{host}:{port}"
        self._plant, self._host, self._port, self._tls = plant, host, port, tls
        self._pages = {**PAGES, **(more or {})}
        self._readers = Readers(plant)
        self.readers: dict[str, Any] = self._readers.by_name

    def start(self) -> None:
        """Start to answer; returns when the first page can be asked for."""
        self._readers.start()
        boundary = self._plant.boundary
        polled = boundary.port if boundary and isinstance(boundary.port, Polled) else None
        app = create_app(
            self._plant.services(self.readers),
            pages=self._pages,
            gate=self._plant.gate,
            routers=[] if polled is None else [polled.door()],
        )
        self._server = serve(app, self._host, self._port, tls=self._tls)
        self._thread = threading.Thread(target=self._server.run, name="web", daemon=True)
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise OSError(f"{self.base}: the server cannot listen there. Choose another port.")
            time.sleep(0.02)

    def stop(self) -> None:
        """End open pages, then stop."""
        self._server.should_exit = True
        self._thread.join(15)
        self._readers.stop()
