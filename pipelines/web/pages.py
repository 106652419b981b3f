"""Writes the pages people read: an index, one page a centre, an operator and a call, all self-contained and readable offline.

Everything comes from the published copy. A page is written whole or not at all, only when it changed, and pages of calls that are gone
are removed.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipelines.published import Published, Row, open_published
from pipelines.score.scorecard import Centre, centre_ids, load_centre
from pipelines.settings import Settings
from pipelines.web import call_page, questions, summaries
from pipelines.web.wording import Wording, clock, wording

log = logging.getLogger("callgrade")

TEMPLATES = Path(__file__).parent / "templates"
CALLS_SHOWN = 200  # on a page of a centre or operator; each call still has a page of its own
CLIPS_SHOWN = 12


def publish_pages(settings: Settings, language: str | None = None) -> Path:
    """Write all pages of the published copy into `settings.scorecards` and return the index.

    Pages of a centre speak its main language unless a `language` is given; the index speaks English when its centres differ.
    Raises MisconfiguredError when nothing is published or the language is unknown.
    """
    with open_published(settings) as published:
        writer = _Writer(settings.scorecards)
        totals = summaries.centres(published)
        operators = summaries.operators(published)
        cards = [
            _centre_pages(published, writer, total, operators[total["centre_id"]], language)
            for total in totals
            if total["centre_id"] is not None
        ]
        spoken = {_profile_language(t["centre_id"]) for t in totals if t["centre_id"] is not None}
        w = wording(language or (spoken.pop() if len(spoken) == 1 else "en"))
        numbers = {key: sum(t[key] for t in totals) for key in ("received", "graded", "needs_review", "auto_fails", "abusive_calls")}
        shown = [card | {"period": _period(card, w)} for card in cards]
        index = writer.write(
            "index.html", "index.html", w, {"centres": shown, "ledger": summaries.ledger(published, None, CALLS_SHOWN), **numbers}
        )
        writer.remove_others()
    log.info("pages: %d written or unchanged, open %s", len(writer.written), index)
    return index


def safe_name(name: str) -> str:
    """A file name for an id: unchanged when it is plain, else its plain letters and a short hash so that two ids never meet."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".")[:80]
    if plain and plain == name == name.lower():
        return plain
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def call_href(call_id: str) -> str:
    """Where the page of a call lies, from the folder of the index."""
    return f"calls/{safe_name(call_id)}.html"


class _Writer:
    """Writes pages into one folder and remembers which, so that the others can be removed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written: set[Path] = set()

    def write(self, template: str, path: str, w: Wording, values: Mapping[str, Any]) -> Path:
        style, script, script_hash = _style_and_script()
        given = {"w": w, "root": "../" * path.count("/"), "style": style, "script": script, "script_hash": script_hash}
        text = _environment().get_template(template).render(**given, **values)
        target = self.folder / path
        self.written.add(target)
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            part = target.with_suffix(".part")
            part.write_text(text, encoding="utf-8")
            os.replace(part, target)
        return target

    def remove_others(self) -> None:
        for file in self.folder.rglob("*"):
            if file.suffix in (".html", ".part") and file not in self.written:
                file.unlink()


def _centre_pages(published: Published, writer: _Writer, total: Row, operators: Sequence[Row], language: str | None) -> Row:
    """Write the pages of one centre, its operators and its calls; what the index shows of it."""
    centre_id: str = total["centre_id"]
    profile = load_centre(centre_id) if centre_id in centre_ids() else None
    w = wording(language or _profile_language(centre_id))
    titles = _titles(profile, w)
    centre = {"centre_id": centre_id, "name": profile.name if profile else centre_id, "href": f"centres/{safe_name(centre_id)}.html"}

    def operator_href(operator_id: str) -> str:
        return f"operators/{safe_name(centre_id)}/{safe_name(operator_id)}.html"

    calls = [c | {"href": call_href(c["call_id"]), "when": w.time(c["started_local"])} for c in summaries.calls(published, centre_id)]
    clips = [_clip(c, titles, w) for c in summaries.clips(published, centre_id)]
    operators = [o | {"href": operator_href(o["operator_id"])} for o in operators]
    by_operator = summaries.criteria_by_operator(published, centre_id)
    all_criteria = _named(summaries.criteria(published, centre_id), titles, w)
    cards = []
    if profile is not None:
        counted = {row["criterion_id"]: row for row in all_criteria}
        cards = questions.answers(questions.Asked(profile, questions.read_graded(published, centre_id), counted, titles, w))
    ledger = summaries.ledger(published, centre_id, CALLS_SHOWN)
    writer.write("centre.html", str(centre["href"]), w, {
        "centre": centre, "total": total, "period": _period(total, w), "answers": cards, "criteria": all_criteria, "operators": operators,
        "topics": summaries.topics(published, centre_id), "calls": calls[:CALLS_SHOWN], "more_calls": max(len(calls) - CALLS_SHOWN, 0),
        "clips": clips[:CLIPS_SHOWN], "ledger": ledger, "more_ledger": total["received"] - total["graded"] - len(ledger), "call_href": call_href,
    })  # fmt: skip
    for operator in operators:
        own = [c for c in calls if c["operator_id"] == operator["operator_id"]]
        ids = {c["call_id"] for c in own}
        writer.write("operator.html", operator["href"], w, {
            "centre": centre, "operator": operator, "period": _period(operator, w), "criteria": _named(by_operator[operator["operator_id"]], titles, w),
            "calls": own[:CALLS_SHOWN], "more_calls": max(len(own) - CALLS_SHOWN, 0), "clips": [c for c in clips if c["call_id"] in ids][:CLIPS_SHOWN],
        })  # fmt: skip
    zone = profile.timezone if profile else ZoneInfo("UTC")
    for call, rows in call_page.read_calls(published, summaries.graded(published, centre_id)):
        values = call_page.show(call, rows, w, titles)
        evaluated = values["evaluation"]["evaluated_at"].astimezone(zone) if values["evaluation"] else None
        writer.write("call.html", call_href(call["call_id"]), w, values | {
            "centre": centre, "when": w.time(call["started_local"]), "evaluated": w.time(evaluated),
            "operator_href": operator_href(call["operator_id"]) if call["operator_id"] else None,
            "clips": [_clip(c, titles, w) for c in rows["coaching_clips"]],
        })  # fmt: skip
    return total | centre


def _titles(profile: Centre | None, w: Wording) -> dict[str, str]:
    """The names of a centre's criteria in a language, English where that is missing."""
    criteria = profile.scorecard.criteria if profile else ()
    return {c.criterion_id: title for c in criteria if (title := c.title.get(w.code) or c.title.get("en"))}


def _named(rows: list[Row], titles: Mapping[str, str], w: Wording) -> list[Row]:
    return [row | {"title": titles.get(row["criterion_id"]) or w.label("criteria", row["criterion_id"])} for row in rows]


def _clip(clip: Row, titles: Mapping[str, str], w: Wording) -> Row:
    title = titles.get(clip["criterion_id"]) or w.label("criteria", clip["criterion_id"])
    return clip | {"title": title, "href": call_href(clip["call_id"]), "until": w.date(clip["expires_at"])}


def _period(row: Row, w: Wording) -> str:
    first: date | None = row["first_day"]
    last: date | None = row["last_day"]
    return w.date(first) if first == last else f"{w.date(first)} – {w.date(last)}"


def _profile_language(centre_id: str) -> str:
    return load_centre(centre_id).languages[0] if centre_id in centre_ids() else "en"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals["clock"] = clock
    environment.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]
    return environment


@cache
def _style_and_script() -> tuple[Markup, Markup, str]:
    """The style sheet, the script, and the hash by which a page's policy lets this script run and no other."""
    style, script = (_environment().get_template(name).render() for name in ("style.css", "page.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return Markup(style), Markup(script), f"sha256-{digest}"
