"""axe-core in a page of the browser: accessibility problems for users of screen readers, keyboards and other aids."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from playwright.sync_api import Page

GRAVE = ("serious", "critical")
_ASK = """axe.run(document, {resultTypes: ['violations']}).then(found => found.violations.map(v => [v.impact, v.id, v.nodes.map(n => n.target.join(' ') + ' '
 + [...n.any, ...n.all, ...n.none].map(c => c.message).join('; '))]))"""


def barriers(page: Page) -> list[str]:
    """What axe finds of serious or critical impact on the page as it is now, a line each."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(_axe() + "; 0")
    return [f"{impact} {rule}: {node}" for impact, rule, nodes in page.evaluate(_ASK) if impact in GRAVE for node in nodes]


@cache
def _axe() -> str:
    return (files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")
