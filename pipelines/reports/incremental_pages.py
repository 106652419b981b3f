"""Determines outdated call pages: a marker beside the pages records their publication, templates and strings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from models import private_files
from pipelines import i18n, queries
from pipelines.core import profile_files, staging
from pipelines.core.published import NUMBERED, Published, Row
from pipelines.queries import call_details
from pipelines.warehouse import publications

_AT_ONCE = 5000  # calls whose rows are read at once


class IncrementalPages:
    """The state of the pages in one folder."""

    def __init__(self, published: Published, folder: Path, language: str | None) -> None:
        self._note = folder / ".written.json"
        self._how = f"{_rules()} {language} {publications.identity(published)}"
        self._last = publications.last(published)

    def behind(self, published: Published) -> set[str] | None:
        """The calls added, changed or removed since the pages were written; None where unknown, or when all pages must be rewritten."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if note["how"] != self._how or note["publication"] > self._last:
            return None
        return publications.calls_since(published, note["publication"])

    def remember(self) -> None:
        """Record that all pages of this publication are written."""
        private_files.make_folder(self._note.parent)
        staging.write_whole(self._note, json.dumps({"how": self._how, "publication": self._last}).encode("utf-8"))


def calls_with_rows(published: Published, only: set[str] | None) -> Iterator[tuple[Row, dict[str, list[Row]]]]:
    """Every graded call, or only these, each with its rows of every view that its page shows.

    Rows are read for some thousand calls at a time, from temporary tables that shadow the views.
    """
    db = published.connection
    wanted = "" if only is None else "and call_id in (select unnest(?))"
    given = [] if only is None else [sorted(only)]
    ids = [row["call_id"] for row in published.rows(f"select call_id from calls where status = 'graded' {wanted} order by call_no", *given)]
    views = call_details.views_of(published)
    for first in range(0, len(ids), _AT_ONCE):
        some = ids[first : first + _AT_ONCE]
        db.execute("create temp table calls as from main.calls where call_id in (select unnest(?))", [some])
        for view in views:
            key = "call_id, call_no" if view in NUMBERED else "call_id"
            db.execute(f"create temp table {view} as from main.{view} semi join temp.calls using ({key})")
        try:
            yield from call_details.read_calls(published, published.rows("from temp.calls order by call_no"))
        finally:
            for view in ("calls", *views):
                db.execute(f"drop table temp.{view}")


def _rules() -> str:
    """A text that changes when the same rows would give other pages: code, templates, strings and centre files."""
    digest = hashlib.sha256(_code().encode())
    for name, file in profile_files.named_files(None):
        digest.update(name.encode() + file.read_bytes())
    return digest.hexdigest()


@lru_cache(1)
def _code() -> str:
    digest = hashlib.sha256()
    for file in _files(Path(__file__).parent, Path(i18n.__file__).parent, Path(queries.__file__).parent):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def _files(*folders: Path) -> Sequence[Path]:
    suffixes = (".py", ".html", ".css", ".js", ".yaml")
    return [file for folder in folders for file in sorted(folder.rglob("*")) if file.suffix in suffixes]
