"""Debian's Chromium, run without a window: what a page asked of the network, what it complained about, and how it looks."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")
MISSING = "Chromium is not installed (apt-get install chromium)"
# What the browser asks for itself, whatever page is open; nothing is looked up, so nothing leaves the machine.
_BROWSER_HOSTS = {"accounts.google.com", "clients2.google.com", "update.googleapis.com", "safebrowsingohttpgateway.googleapis.com"}
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-default-apps", "--no-pings", "--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip


@dataclass(frozen=True)
class Opened:
    """A page as the browser left it."""

    document: str
    requests: list[str]
    complaints: list[str]


def open_page(url: str) -> Opened:
    """Open a page and let it run for two seconds of its own time."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "net.json"
        done = _run(url, folder, "--enable-logging=stderr", f"--log-net-log={log}", "--virtual-time-budget=2000", "--dump-dom")
        asked = {u for u in re.findall(r'"url":"((?:https?|wss?|ftp):[^"]+)"', log.read_text(encoding="utf-8", errors="replace"))}
    requests = sorted(u for u in asked if u.split("/")[2] not in _BROWSER_HOSTS)
    return Opened(done.stdout, requests, [line for line in done.stderr.splitlines() if ":CONSOLE" in line])


def take_picture(url: str, target: Path, width: int, height: int, *, dark: bool = False) -> Path:
    """A PNG of the page as it shows in a window of this size."""
    with tempfile.TemporaryDirectory() as folder:
        tone = ["--blink-settings=preferredColorScheme=0"] if dark else ["--blink-settings=preferredColorScheme=1"]
        _run(url, folder, f"--window-size={width},{height}", f"--screenshot={target}", *tone)
    return target


def width_of(url: str, window: int) -> tuple[int, int]:
    """How wide the page's content is in a window of this width, and how wide it may be: a page that fits gives equal numbers."""
    frame = (
        f"<iframe style='width:{window}px;height:900px' src={json.dumps(url)}></iframe><script>onload=()=>{{let d=document.querySelector('iframe')."
        "contentDocument.documentElement;document.title=d.scrollWidth+' '+d.clientWidth}</script>"
    )
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "frame.html"
        page.write_text(frame, encoding="utf-8")
        done = _run(page.as_uri(), folder, "--allow-file-access-from-files", "--virtual-time-budget=2000", "--dump-dom")
    found = re.search(r"<title>(\d+) (\d+)</title>", done.stdout)
    assert found, done.stdout[:500]
    return int(found[1]), int(found[2])


def _run(url: str, folder: str, *more: str) -> subprocess.CompletedProcess[str]:
    assert PROGRAM is not None, MISSING
    command = [PROGRAM, *_FLAGS, f"--user-data-dir={folder}/profile", *more, url]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)
