from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator

import pytest

from pipelines.errors import MisconfiguredError
from pipelines.settings import Settings
from pipelines.web.serve import make_server


@pytest.fixture(scope="module")
def port(site: Settings) -> Iterator[int]:
    (site.clips / ".secret.json").write_text("{}", encoding="utf-8")
    (site.scorecards / "note.txt").write_text("not a page", encoding="utf-8")
    (site.scorecards / "link.html").symlink_to(site.snapshot)
    with make_server(site, 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()
    (site.scorecards / "link.html").unlink()


def ask(port: int, path: str, host: str | None = None, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", host or f"127.0.0.1:{port}")
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def test_pages_and_clips_are_served(port: int, site: Settings) -> None:
    assert ask(port, "/")[1]["location"] == "/scorecards/index.html"
    status, headers, body = ask(port, "/scorecards/calls/kyiv-1.html?x=1")
    assert status == 200 and headers["content-type"].startswith("text/html") and headers["x-content-type-options"] == "nosniff"
    assert b"kyiv-1" in body
    clip = next(site.clips.glob("*.ogg"))
    assert ask(port, f"/clips/{clip.name}")[2] == clip.read_bytes()
    assert ask(port, f"/clips/{clip.name}", method="HEAD")[2] == b""


@pytest.mark.parametrize("path", [
    "/published/made.duckdb", "/scorecards/../published/made.duckdb", "/scorecards/%2e%2e/published/made.duckdb", "/stage/made/turns.parquet", "/clips.parquet",
    "/scorecards/", "/scorecards/calls", "/scorecards/note.txt", "/clips/.secret.json", "/scorecards/link.html", "//etc/passwd", "/scorecards//etc/passwd",
    "/scorecards/%00.html", "/scorecards/none.html", "/scorecards/..%5c..%5cmade.duckdb",
])  # fmt: skip
def test_nothing_else_is_served(port: int, path: str) -> None:
    assert ask(port, path)[0] == 404


def test_a_page_of_somebody_else_cannot_ask_in_our_name(port: int) -> None:
    assert ask(port, "/scorecards/index.html", host="evil.example:80")[0] == 403
    assert ask(port, "/scorecards/index.html", host="evil.example")[0] == 403
    assert ask(port, "/scorecards/index.html", method="POST")[0] == 501


def test_serving_without_pages_or_on_a_taken_port_says_what_to_do(port: int, site: Settings, settings: Settings) -> None:
    with pytest.raises(MisconfiguredError, match="callgrade grade"):
        make_server(settings, 0)
    with pytest.raises(MisconfiguredError, match="--port"):
        make_server(site, port)
