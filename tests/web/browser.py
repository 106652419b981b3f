"""The system's Chromium, driven by Playwright: it reaches only this machine; requests and console messages are recorded."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, ViewportSize, expect, sync_playwright

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(PROGRAM is None, reason="Chromium is not installed (apt-get install chromium)")

DESKTOP: Final[ViewportSize] = {"width": 1280, "height": 900}
PHONE: Final[ViewportSize] = {"width": 360, "height": 800}
_FLAGS = (
    "--disable-quic",
    "--no-pings",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--autoplay-policy=no-user-gesture-required",
)

expect.set_options(timeout=45_000)  # the tests share their machine's cores


@contextmanager
def launch_chromium() -> Iterator[Browser]:
    """Chromium without a window. At the end of the block, AssertionError if a page asked another machine for anything.

    Until then an event loop counts as running in this thread, so that `asyncio.run` fails in it.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "net.json"
        flags = [*_FLAGS, f"--log-net-log={log}"]
        with sync_playwright() as playwright, playwright.chromium.launch(executable_path=PROGRAM, args=flags) as browser:
            yield browser
        elsewhere = _asked_elsewhere(log)
    assert not elsewhere, elsewhere


def _asked_elsewhere(log: Path) -> set[str]:
    """The URLs outside this machine in a network log, without those that no page asked for: the browser's own, of updates and the like."""
    found = set()
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if '"initiator":' in line and '"initiator":"not an origin"' not in line:
                found.update(re.findall(r'"url":"((?:https?|wss?|ftp)://(?!127\.0\.0\.1[:/])[^"]*)', line))
    return found


class Observed:
    """What a page and the windows that it opens request, and every error and warning that they report."""

    def __init__(self, page: Page) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.context.on("request", lambda request: self.requests.append(request.url))
        page.context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        page.context.on("console", self._note)

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            self.complaints.append(f"{message.text} {message.location['url']}")


def follow(link: Locator) -> None:
    """Click what leads to another page, and wait until that has loaded."""
    with link.page.expect_navigation():
        link.click()


def is_too_wide(page: Page) -> bool:
    """Whether a page is wider than its window."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))
