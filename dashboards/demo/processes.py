"""Child processes of the demo: started with their input, logged beside the data, ended with it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import httpx


class NotStarted(Exception):
    """A child did not come up; its log says why."""

    def __init__(self, name: str, log: Path) -> None:
        text = log.read_text("utf-8", "replace")[-2000:] if log.exists() else ""
        super().__init__(f"{name}: did not start. Its log {log} ends with:\n{text}")


class Child:
    """One child process of `python -m module`."""

    def __init__(
        self,
        name: str,
        module: str,
        arguments: Sequence[str] = (),
        *,
        logs: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self.name, self.log = name, logs / f"{name}.log"
        self._log: IO[bytes] = self.log.open("ab")
        self._process = subprocess.Popen(  # noqa: S603 - our own modules
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, **(environment or {})},
            start_new_session=True,  # Ctrl-C reaches the demo alone; it ends its children in order
        )

    def tell(self, value: Any, *, close: bool = False) -> None:
        """Hand a JSON value to the child's standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(value).encode() + b"\n")
        self._process.stdin.flush()
        if close:
            self._process.stdin.close()

    def hear(self) -> Any:
        """Return the child's next JSON line.

        Raises:
            NotStarted: it ended instead.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise NotStarted(self.name, self.log)
        return json.loads(line)

    def answers(self, url: str, *, within_s: float = 20) -> None:
        """Wait until the child answers at a URL.

        Raises:
            NotStarted: it ended, or said nothing in time.
        """
        end = time.monotonic() + within_s
        while time.monotonic() < end and self._process.poll() is None:
            try:
                if httpx.get(url, timeout=1, trust_env=False).status_code < 500:
                    return
            except httpx.HTTPError:
                time.sleep(0.1)
        raise NotStarted(self.name, self.log)

    @property
    def code(self) -> int | None:
        """How the child ended, or None while it runs."""
        return self._process.poll()

    def stop(self, *, within_s: float = 10) -> None:
        """Ask the child to end; after a while, end it."""
        if self._process.poll() is None:
            if self._process.stdin is not None and not self._process.stdin.closed:
                self._process.stdin.close()
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(within_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()
