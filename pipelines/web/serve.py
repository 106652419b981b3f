"""A small server of the published pages and clips, for this machine only: what `callgrade serve` runs.

It answers on 127.0.0.1, to GET and HEAD, with files of the scorecards and clips folders and nothing else beside them.
"""

from __future__ import annotations

import logging
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipelines.errors import MisconfiguredError
from pipelines.settings import Settings

log = logging.getLogger("callgrade")

HOST = "127.0.0.1"
TYPES = {".html": "text/html; charset=utf-8", ".ogg": "audio/ogg", ".wav": "audio/wav", ".json": "application/json"}
FOLDERS = {"scorecards": (".html",), "clips": (".ogg", ".wav", ".json")}


def serve(settings: Settings, port: int = 8750) -> int:
    """Show the pages until the user stops it with Ctrl-C; the exit status 0.

    Raises MisconfiguredError when there are no pages yet or the port is taken.
    """
    with make_server(settings, port) as server:
        print(f"Scorecards at http://{HOST}:{server.server_port}/  (Ctrl-C stops)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            log.info("stopped")
    return 0


def make_server(settings: Settings, port: int) -> ThreadingHTTPServer:
    """A server of the pages on a port of this machine (0 takes any free one), not yet started."""
    index = settings.scorecards / "index.html"
    if not index.exists():
        raise MisconfiguredError(f"There are no pages yet: {index} is missing. Run `callgrade grade FOLDER --warehouse FILE` first.")
    try:
        return ThreadingHTTPServer((HOST, port), partial(_Pages, site=settings.site))
    except OSError as error:
        raise MisconfiguredError(f"Port {port} of {HOST} cannot be used ({error.strerror}). Choose another with --port.") from error


class _Pages(SimpleHTTPRequestHandler):
    """Answers with a page or a clip, or says that there is none."""

    server_version = "Callgrade"
    sys_version = ""

    def __init__(self, *arguments: object, site: Path) -> None:
        self._site = site
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:
        log.debug(format, *args)

    def _answer(self, with_body: bool) -> None:
        host = (self.headers.get("Host") or "").rpartition(":")[0]
        if host not in (HOST, "localhost"):  # another name that points here is a page of somebody else asking
            self.send_error(HTTPStatus.FORBIDDEN)
            return
        path = unquote(urlsplit(self.path).path)
        if path == "/":
            self.send_response(HTTPStatus.FOUND)
            self.send_header("Location", "/scorecards/index.html")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        file = self._file(path)
        if file is None:
            self.send_error(HTTPStatus.NOT_FOUND, "There is no such page")
            return
        content = file.read_bytes()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", TYPES[file.suffix])
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("X-Frame-Options", "DENY")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def _file(self, path: str) -> Path | None:
        """The file of a path when it is one of ours: inside its folder also after links are followed, and of an expected kind."""
        folder, _, rest = path.lstrip("/").partition("/")
        if folder not in FOLDERS or not rest or "\0" in rest:
            return None
        root = (self._site / folder).resolve()
        file = (root / rest).resolve()
        return (
            file
            if file.is_relative_to(root) and file.is_file() and file.suffix in FOLDERS[folder] and not file.name.startswith(".")
            else None
        )
