"""Writes the static pages: an index, and one page per centre, operator and call, all self-contained and readable offline.

Everything comes from the published copy. A page is written completely or not at all, and only when it changed; pages of calls that no
longer exist are removed.
"""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from models import atomic_files, private_files
from pipelines import erasure
from pipelines.centres.profile import load_centre
from pipelines.coaching import call_sound, packs
from pipelines.core.profile_files import centre_ids
from pipelines.core.published import Published, Row, open_published
from pipelines.core.settings import Settings
from pipelines.i18n.wording import Wording, wording
from pipelines.queries import aggregates, call_details
from pipelines.reports.incremental_pages import IncrementalPages, calls_with_rows
from pipelines.reports.presenters import Links, Presenter, period
from pipelines.reports.templating import environment, style_and_script

log = logging.getLogger("callgrade")

CALLS_SHOWN = 200  # on a page of a centre or operator; each call still has its own page
CLIPS_SHOWN = 12


def publish_pages(settings: Settings, language: str | None = None, *, only_changed: bool = False) -> Path:
    """Write all pages of the published copy into `settings.scorecards` and return the index.

    With `only_changed` pages of calls that have not changed since all pages were last written are skipped, unless that run was
    interrupted or used another language or other templates. Pages of a centre are in its main language unless a `language` is given; the
    index is in English when its centres differ. Raises MisconfiguredError when nothing is published or the language is unknown.
    """
    with open_published(settings) as published:
        writer = _Writer(settings.scorecards)
        written = IncrementalPages(published, settings.scorecards, language)
        only = written.behind(published) if only_changed else None
        totals = aggregates.centres(published)
        operators = aggregates.operators(published)
        cards = [
            _centre_pages(published, writer, total, operators[total["centre_id"]], language)
            for total in totals
            if total["centre_id"] is not None
        ]
        spoken = {_profile_language(t["centre_id"]) for t in totals if t["centre_id"] is not None}
        w = wording(language or (spoken.pop() if len(spoken) == 1 else "en"))
        numbers = {key: sum(t[key] for t in totals) for key in ("received", "graded", "needs_review", "auto_fails", "abusive_calls")}
        shown = [card | {"period": period(card, w)} for card in cards]
        index = writer.write(
            "index.html", "index.html", w, {"centres": shown, "ledger": aggregates.ledger(published, None, CALLS_SHOWN), **numbers}
        )
        _call_pages(published, writer, only, language)
        if only is None:
            writer.remove_others()
        written.remember()
        call_sound.remove_others(settings, published)
        erasure.sweep(settings, published, with_audit=False)
        packs.remove_expired(settings)
    log.info("pages: %d written or unchanged, open %s", len(writer.written), index)
    return index


def remove_pages(settings: Settings, call_ids: Iterable[str]) -> None:
    """Remove the pages of these calls."""
    for call_id in call_ids:
        (settings.scorecards / call_href(call_id)).unlink(missing_ok=True)


def remove_all(settings: Settings) -> None:
    """Remove every page, for when they cannot be rewritten without data that must not be readable any more."""
    shutil.rmtree(settings.scorecards, ignore_errors=True)


def safe_name(name: str) -> str:
    """A file name for an id: unchanged when it is plain, else its plain characters and a short hash that keeps ids distinct."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".")[:80]
    if plain and plain == name == name.lower():
        return plain
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def call_href(call_id: str) -> str:
    """The path of a call's page from the folder of the index."""
    return f"calls/{safe_name(call_id)}.html"


LINKS = Links(
    centre=lambda centre_id: f"centres/{safe_name(centre_id)}.html",
    operator=lambda centre_id, operator_id: f"operators/{safe_name(centre_id)}/{safe_name(operator_id)}.html",
    call=call_href,
    sound=lambda clip: f"../{clip['path']}",
)


class _Writer:
    """Writes pages into one folder and records which, so that others can be removed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written: set[Path] = set()

    def write(self, template: str, path: str, w: Wording, values: Mapping[str, Any]) -> Path:
        style, script, script_hash = style_and_script()
        given = {
            "w": w,
            "layout": "page.html",
            "root": "../" * path.count("/"),
            "style": style,
            "script": script,
            "script_hash": script_hash,
        }
        text = environment().get_template(template).render(**given, **values)
        target = self.folder / path
        self.written.add(target)
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            private_files.make_folder(target.parent)
            atomic_files.write(target, text.encode(), durable=False)
        return target

    def remove_others(self) -> None:
        for file in self.folder.rglob("*"):
            if file.suffix in (".html", ".part") and file not in self.written:
                file.unlink()


def _centre_pages(published: Published, writer: _Writer, total: Row, operators: Sequence[Row], language: str | None) -> Row:
    """Write the pages of one centre, its operators and its calls; return its row of the index."""
    centre_id: str = total["centre_id"]
    w = wording(language or _profile_language(centre_id))
    shown = Presenter(centre_id, w, LINKS)
    centre = shown.centre
    calls = shown.calls(aggregates.calls(published, centre_id, limit=CALLS_SHOWN))
    by_each = aggregates.calls_by_operator(published, centre_id, CALLS_SHOWN)
    found = aggregates.clips(published, centre_id)
    clips = shown.clips(found, call_details.versions_of(published, [row["call_id"] for row in found]))
    operators = shown.operators(operators)
    by_operator = aggregates.criteria_by_operator(published, centre_id)
    criteria = shown.named(aggregates.criteria(published, centre_id))
    ledger = aggregates.ledger(published, centre_id, CALLS_SHOWN)
    writer.write("centre.html", str(centre["href"]), w, {
        "centre": centre, "total": total, "period": period(total, w), "answers": shown.answers(published, criteria), "criteria": criteria,
        "operators": operators, "topics": aggregates.topics(published, centre_id), "calls": calls,
        "more_calls": total["graded"] - len(calls), "clips": clips[:CLIPS_SHOWN], "ledger": ledger,
        "more_ledger": total["received"] - total["graded"] - len(ledger), "call_href": call_href,
    })  # fmt: skip
    for operator in operators:
        own = shown.calls(by_each[operator["operator_id"]])
        writer.write("operator.html", operator["href"], w, {
            "centre": centre, "operator": operator, "period": period(operator, w), "criteria": shown.named(by_operator[operator["operator_id"]]),
            "calls": own, "more_calls": operator["graded"] - len(own),
            "clips": [c for c in clips if c["operator_id"] == operator["operator_id"]][:CLIPS_SHOWN],
        })  # fmt: skip
    return total | centre


def _call_pages(published: Published, writer: _Writer, only: set[str] | None, language: str | None) -> None:
    """Write the pages of all graded calls, or of these; pages of calls that are no longer graded are removed."""
    of_centre: dict[str, Presenter] = {}
    gone = set(only or ())
    for call, rows in calls_with_rows(published, only):
        centre_id = call["centre_id"]
        gone.discard(call["call_id"])
        if centre_id is None:
            continue
        if centre_id not in of_centre:
            of_centre[centre_id] = Presenter(centre_id, wording(language or _profile_language(centre_id)), LINKS)
        shown = of_centre[centre_id]
        writer.write("call.html", call_href(call["call_id"]), shown.w, shown.call(call, rows))
    for call_id in gone:
        (writer.folder / call_href(call_id)).unlink(missing_ok=True)


def _profile_language(centre_id: str) -> str:
    return load_centre(centre_id).languages[0] if centre_id in centre_ids() else "en"
