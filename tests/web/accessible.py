"""axe-core in a page of the browser: what keeps people out who hear, see or use a keyboard otherwise than most."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from tests.web.browser import Browser

GRAVE = ("serious", "critical")
_ASK = """axe.run(document, {resultTypes: ['violations']}).then(found => JSON.stringify(found.violations.map(v => [v.impact, v.id, v.nodes.map(n => n.target.join(' ') + ' '
 + [...n.any, ...n.all, ...n.none].map(c => c.message).join('; '))])))"""


def barriers(browser: Browser) -> list[str]:
    """What axe finds of serious or critical impact on the page as it is now, a line each."""
    if not browser.run("typeof axe === 'object'"):
        browser.run(_axe() + "; 0")
    found = json.loads(browser.run(_ASK))
    return [f"{impact} {rule}: {node}" for impact, rule, nodes in found if impact in GRAVE for node in nodes]


@cache
def _axe() -> str:
    return (files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")
