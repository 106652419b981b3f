"""The templates and design shared by static pages and pages of the server."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipelines.core.printable import printable
from pipelines.i18n.wording import clock
from pipelines.reports.open_range import open_range

TEMPLATES = Path(__file__).parent / "templates"
# The public assets of the server by name: no other file of a folder is served.
STATIC = {
    "style.css": ("text/css", ("style.css", "app/app.css", "app/trainer.css", "app/people.css", "app/scorecards.css", "app/trends.css")),
    "page.js": ("text/javascript", ("page.js", "app/app.js", "app/session.js")),
    "call.js": ("text/javascript", ("app/call.js",)),
    "evaluate.js": ("text/javascript", ("app/evaluate.js",)),
    "scorecard.js": ("text/javascript", ("app/scorecard.js",)),
    "trainer.js": ("text/javascript", ("app/trainer.js",)),
    "source-sans-regular.otf": ("font/otf", ("SourceSansPro-Regular.otf",)),
    "source-sans-semibold.otf": ("font/otf", ("SourceSansPro-Semibold.otf",)),
}


@cache
def environment() -> Environment:
    """The template environment: all values are escaped; a missing name is an error."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_escaped,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals["clock"] = clock
    made.globals["open_range"] = open_range
    made.globals["asset"] = asset_path
    made.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]
    made.filters["iso"] = lambda seconds: _moment(seconds).isoformat(timespec="seconds")
    made.filters["utc"] = lambda seconds, w: f"{w.time(_moment(seconds))} UTC"
    made.filters["path"] = lambda text: quote(str(text), safe="")
    return made


def _escaped(value: object) -> object:
    """A template value; in text, invisible characters and those that change the reading direction are escaped."""
    return printable(value, keep="\n\r\t") if isinstance(value, str) and not isinstance(value, Markup) else value


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


@cache
def asset(name: str) -> bytes:
    """A style sheet, script or font of the server's pages.

    Fonts are the package's unchanged files, as their licence (OFL) requires.
    """
    kind, parts = STATIC[name]
    if kind == "font/otf":
        return (files("font_source_sans_pro") / "files" / parts[0]).read_bytes()
    return "\n".join(environment().get_template(part).render() for part in parts).encode()


@cache
def asset_path(name: str) -> str:
    """The path of an asset, which depends on its content, so that browsers may cache it forever."""
    return f"/static/{hashlib.sha256(asset(name)).hexdigest()[:12]}/{name}"


@cache
def style_and_script() -> tuple[Markup, Markup, str]:
    """The style sheet and script for a self-contained page, and the hash with which its policy allows only this script."""
    style, script = (environment().get_template(name).render() for name in ("style.css", "page.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return Markup(style), Markup(script), f"sha256-{digest}"
