"""The served application for the browser journeys, and their common first and last steps."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from playwright.sync_api import Page

from pipelines.core.settings import ROOT, Settings
from pipelines.web.app import make_app
from pipelines.web.server import ListenAddress, bind
from tests.web.accessible import barriers
from tests.web.browser import Observed, follow
from tests.web.people import PASSWORD

PICTURES = Path(os.environ.get("CI_ARTIFACTS", ROOT / "artifacts")) / "web"


@contextmanager
def served(site: Settings) -> Iterator[str]:
    """The address at which a site is answered over HTTP; the accounts are those of its store."""
    sock = bind(site, ListenAddress(port=0))
    port = int(sock.getsockname()[1])
    app = make_app(site, {f"127.0.0.1:{port}"})
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(20)
    sock.close()


def sign_in(page: Page, address: str, name: str, language: str = "") -> None:
    page.context.clear_cookies()
    page.goto(f"{address}/sign-in{'?language=' + language if language else ''}")
    page.fill("#f-name", name)
    page.fill("#f-password", PASSWORD)
    follow(page.locator("form button.main"))


def look(page: Page, name: str, *, whole: bool = False) -> None:
    """Leave a picture of the page for who wants to look, and see that it keeps nobody out."""
    page.screenshot(path=PICTURES / f"{name}.png", full_page=whole)
    assert barriers(page) == [], name


def assert_clean(observed: Observed, address: str) -> None:
    """Nothing was asked of another machine, and no page complained."""
    assert [url for url in observed.requests if not url.startswith((address, "data:"))] == []
    assert observed.complaints == []
