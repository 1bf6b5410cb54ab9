"""What the browser tests lean on: a fault on a page is seen, a missing browser is not silent."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser import ABSENT, Screen, find_chromium, grave_findings, ready

ROOT = Path(__file__).resolve().parent.parent
HEAD = "<!doctype html><html lang=en><title>page</title><link rel=icon href=data:>"
BOKEH = "<script>window.Bokeh = {documents: [{is_idle: %s}]}</script>"
PAGES = {
    "/good": BOKEH % "true" + "<p>1000.5 g</p>",
    "/busy": BOKEH % "false",
    "/broken": "<script>console.error('scale gone'); throw new Error('no reading')</script>",
    "/leaky": "<img alt='' src='http://127.0.0.2:9/logo.png'>",
    "/unnamed": "<button></button>",
}


class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known = self.path in PAGES
        body = HEAD + PAGES.get(self.path, "")
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_good_page_opens_and_has_no_fault(open_screen: Callable[..., Screen], address: str) -> None:
    page = open_screen(address, dark=True).go("/good")
    assert page.get_by_text("1000.5 g").is_visible()
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert grave_findings(page) == []


def test_console_error_and_exception_are_kept(
    open_screen: Callable[..., Screen], address: str
) -> None:
    screen = open_screen(address)
    screen.page.goto(address + "/broken")
    assert screen.errors == ["scale gone", "no reading"]
    screen.errors.clear()


def test_request_to_another_host_is_kept(open_screen: Callable[..., Screen], address: str) -> None:
    screen = open_screen(address)
    screen.page.goto(address + "/leaky")
    assert screen.outside == ["http://127.0.0.2:9/logo.png"]
    screen.outside.clear()
    screen.errors.clear()


def test_button_without_a_name_is_a_grave_finding(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(address + "/unnamed")
    assert grave_findings(page) == ["button-name: <button></button>"]
    page.close()


def test_page_that_stays_busy_is_not_ready(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(address + "/busy")
    with pytest.raises(AssertionError, match="is not idle after"):
        ready(page, seconds=0.2)
    page.close()


def test_named_browser_must_exist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BATCHWRIGHT_CHROMIUM", str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError) as refusal:
        find_chromium()
    sentence = f"BATCHWRIGHT_CHROMIUM: {tmp_path / 'none'} is not an executable file."
    assert str(refusal.value) == sentence


@pytest.mark.parametrize(("required", "outcome"), [("0", "1 skipped"), ("1", "1 error")])
def test_missing_browser_is_said_aloud(tmp_path: Path, required: str, outcome: str) -> None:
    """A machine without any browser, and without the right to install one."""
    (tmp_path / "test_page.py").write_text("def test_page(browser): ...\n")
    (tmp_path / "plugin.py").write_text(
        "import tests.browser as b\n"
        "b.NAMES, b.CACHED, b.is_root = (), (), lambda: False\n"
        "from tests.browser import browser, chromium\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "plugin", "-p", "no:cacheprovider", "-rsE"]
    about = {
        "PATH": "",
        "PYTHONPATH": f"{ROOT}:{tmp_path}",
        "BATCHWRIGHT_REQUIRE_BROWSER": required,
    }
    done = subprocess.run(
        [*command, "test_page.py"], cwd=tmp_path, env=about, capture_output=True, text=True
    )
    assert outcome in done.stdout
    assert ABSENT in done.stdout
