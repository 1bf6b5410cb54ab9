"""Chromium for the tests: found, or installed, or one loud skip; and pages that keep their faults.

Order of search: `BATCHWRIGHT_CHROMIUM`, then Chromium without a window of its own, which needs a
fifth less of the processor for a visit, chromium or google-chrome, on PATH and in Playwright's
cache; on Debian as root they are installed with apt-get. Where there is none the tests are skipped
with the reason, or fail if `BATCHWRIGHT_REQUIRE_BROWSER=1`.

A test asks for `open_screen` and gets a page at a server's address. When the test ends, the page
must have logged no error and asked no other host; `screen.errors.clear()` after an expected one.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect, sync_playwright

from tests.patience import PATIENCE_MS, PATIENCE_S

PACKAGES = ("chromium-headless-shell", "chromium")  # a release may lack the first
NAMES = (*PACKAGES, "chromium-browser", "google-chrome", "google-chrome-stable")
CACHED = (
    "~/.cache/ms-playwright/chromium_headless_shell-*/chrome-*/headless_shell",
    "~/.cache/ms-playwright/chromium-*/chrome-linux*/chrome",
    "~/Library/Caches/ms-playwright/chromium-*/chrome-mac*/*.app/Contents/MacOS/*",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
FLAGS = [
    *("--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
# Bokeh is read without a function from text: the pages' policy refuses an eval.
IDLE = (
    "Boolean(window.Bokeh && Bokeh.documents && Bokeh.documents.length"
    " && Bokeh.documents.every(document => document.is_idle))"
)
HIDDEN = re.compile(r'name="(\w+)" value="([^"]*)"')
ABSENT = (
    "NO BROWSER: nothing that a person sees was tested. "
    "Install chromium, or set BATCHWRIGHT_CHROMIUM to its path."
)


expect.set_options(timeout=PATIENCE_MS)


def is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def find_chromium(path: str | None = None) -> str | None:
    """Return an executable that is here already.

    Args:
        path: where to look for the names; None means PATH.
    """
    named = os.environ.get("BATCHWRIGHT_CHROMIUM")
    if named:
        if not shutil.which(named):
            raise FileNotFoundError(f"BATCHWRIGHT_CHROMIUM: {named} is not an executable file.")
        return named
    for name in NAMES:
        found = shutil.which(name, path=path)
        if found:
            return found
    patterns = list(CACHED)
    if os.environ.get("PLAYWRIGHT_BROWSERS_PATH"):
        patterns.insert(0, os.environ["PLAYWRIGHT_BROWSERS_PATH"] + "/chromium-*/chrome-*/chrome")
    for pattern in patterns:
        found = next(iter(sorted(glob.glob(str(Path(pattern).expanduser())), reverse=True)), None)
        if found and shutil.which(found):
            return found
    return None


def install_chromium() -> str | None:
    """Install Debian's package, one process at a time; return the executable or None."""
    debian = Path("/etc/debian_version").is_file() and shutil.which("apt-get")
    if not (debian and is_root()):
        return None
    import fcntl  # absent on Windows, where nothing is installed

    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    with (Path(tempfile.gettempdir()) / "batchwright-chromium.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = find_chromium()  # another worker may have installed it while this one waited
        if found is None:
            print("Installing chromium with apt-get, once.", file=sys.__stderr__, flush=True)
            quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            install = ["install", "-y", "--no-install-recommends", "fonts-liberation"]
            for step in (["update"], *([*install, package] for package in PACKAGES)):
                subprocess.run([*apt, *step], env=quiet, stdout=subprocess.DEVNULL, check=False)
                found = found or find_chromium()
                if found is not None:
                    break
    return found


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of a Chromium that Playwright can drive."""
    found = find_chromium() or install_chromium()
    if found is None:
        if os.environ.get("BATCHWRIGHT_REQUIRE_BROWSER") == "1":
            pytest.fail(ABSENT, pytrace=False)
        pytest.skip(ABSENT)
    return found


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Return a running browser.

    One per module, not per session: while Playwright runs, this thread has a running event loop,
    and `asyncio.run` in another module's tests would be refused.
    """
    flags = [*FLAGS, "--no-sandbox"] if is_root() else FLAGS
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=chromium, args=flags, chromium_sandbox=not is_root()
        )
        yield running
        with contextlib.suppress(Error):
            running.close()


@dataclass
class Screen:
    """One person's page, and what it did that it should not."""

    page: Page
    base_url: str
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda line: self._heard(line.type, line.text))
        self.page.on("pageerror", lambda error: self._heard("error", str(error)))
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.on("websocket", lambda socket: self._asked(socket.url))

    def _heard(self, kind: str, text: str) -> None:
        # A page that is being left may still report its size; there is nobody to tell any more.
        if kind == "error" and not text.endswith("not connected so cannot send Message"):
            self.errors.append(text)

    def _asked(self, url: str) -> None:
        target, home = urlparse(url), urlparse(self.base_url)
        if target.scheme in ("http", "https", "ws", "wss") and target.netloc != home.netloc:
            self.outside.append(url)

    def faults(self) -> list[str]:
        """Return what went wrong; a page whose server a test has stopped may have missed it."""
        home = urlparse(self.base_url)
        try:
            socket.create_connection((str(home.hostname), home.port or 80), 1).close()
        except OSError:
            return [one for one in self.errors if not one.endswith("ERR_CONNECTION_REFUSED")]
        return self.errors

    def go(self, path: str) -> Page:
        """Open a Panel page of this server and wait until it is idle."""
        answer = self.page.goto(self.base_url + path)
        assert answer is not None
        assert answer.status == 200, f"{path} answered {answer.status}"
        ready(self.page)
        return self.page

    def sign_in(self, user: str, password: str) -> None:
        """Sign in through the form, as a person does."""
        self.page.goto(self.base_url + "/login")
        self.page.get_by_label("User").first.fill(user)
        self.page.get_by_label("Password").first.fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(lambda url: urlparse(url).path != "/login")

    def signed_in(self, user: str, password: str, station: str | None = None) -> None:
        """Sign in by the form's request, for tests of other pages: it and home are not drawn."""
        form = dict(HIDDEN.findall(self.page.request.get(self.base_url + "/login").text()))
        form |= {"user": user, "password": password}
        if station:
            form["station"] = station
        answer = self.page.request.post(self.base_url + "/login", form=form, max_redirects=0)
        assert answer.status == 303, f"{user} is not signed in: {answer.status}"


def ready(page: Page, seconds: float = PATIENCE_S) -> None:
    """Wait until every Bokeh document of the page is idle."""
    end = time.monotonic() + seconds
    while not page.evaluate(IDLE):
        assert time.monotonic() < end, f"{page.url} is not idle after {seconds} s"
        page.wait_for_timeout(50)


def grave_findings(page: Page) -> list[str]:
    """Return axe's serious and critical findings as `id: element`, one per element."""
    from axe_playwright_python.sync_playwright import Axe

    violations = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:120]}"
        for one in violations
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.fixture
def open_screen(browser: Browser) -> Iterator[Callable[..., Screen]]:
    """Return a function that opens a fresh person's page; faults of all pages fail the test.

    The function takes the server's address and, by keyword, `width`, `height` and `dark`.
    """
    contexts: list[BrowserContext] = []
    screens: list[Screen] = []

    def opened(
        base_url: str, *, width: int = 1280, height: int = 800, dark: bool = False, **more: Any
    ) -> Screen:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            **more,
        )
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        screens.append(Screen(context.new_page(), base_url.rstrip("/")))
        return screens[-1]

    yield opened
    faults = [(screen.page.url, screen.faults(), screen.outside) for screen in screens]
    for context in contexts:
        context.close()
    assert [fault for fault in faults if fault[1] or fault[2]] == []
