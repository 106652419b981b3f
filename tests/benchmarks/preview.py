"""The time of trying a scorecard on past calls, beside that of reading the same calls through the turn model.

Labelled dialogues are graded as transcripts of one centre; then a draft is tried on them twice: from the signals that the score step cached,
and without them, as for calls scored by a version before that cache.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from models.text.loading import get_turn_model
from pipelines import flow
from pipelines.app_db.database import open_store
from pipelines.core.grouping import by_call
from pipelines.core.settings import ROOT, Settings
from pipelines.core.staging import SIGNALS, Batch
from pipelines.intake.folder import read_folder
from pipelines.quality.dialogue_calls import write_calls
from pipelines.scorecards import drafts
from pipelines.scorecards.editing import RemoveCriterion, SetCriterion, edit
from pipelines.scorecards.preview import preview
from pipelines.turns.model_reading import texts_of
from tests.benchmarks import report

DIALOGUES = ROOT / "models" / "training" / "dialogues"
CHANGES = (SetCriterion("greeting", "weight", 9), SetCriterion("farewell", "where", "opening"), RemoveCriterion("anything_else"))


def main(argv: Sequence[str] | None = None) -> int:
    """Grade the calls, try the draft, read the calls, and print the seconds."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks preview", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=DIALOGUES, help="labelled dialogues")
    parser.add_argument("--calls", type=int, default=500, help="how many are tried (default: %(default)s)")
    parser.add_argument("--centre", default="kyiv", help="the centre that all of them are counted to (default: %(default)s)")
    report.arguments(parser)
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="callgrade-preview-") as temporary:
        settings = Settings.from_environment(warehouse=Path(temporary) / "preview.duckdb")
        batches = grade(write_calls(given.folder, Path(temporary) / "calls"), settings, given.centre, given.calls)
        text = edit(drafts.current_text(given.centre), CHANGES)
        store = open_store(settings)
        cache_bytes = sum(batch.path(SIGNALS).stat().st_size for batch in batches)
        first = preview(settings, store, given.centre, text, most_calls=given.calls)
        for batch in batches:
            batch.path(SIGNALS).unlink()
        uncached = preview(settings, store, given.centre, text, most_calls=given.calls)
        spoken = [turns for batch in batches for turns in by_call(batch.read("turns")).values()]
        start = time.perf_counter()
        get_turn_model().read([texts_of(turns) for turns in spoken])
        reading_s = time.perf_counter() - start
    assert first.flips == uncached.flips
    result = {
        "benchmark": "preview", "calls": first.calls, "first_s": first.seconds, "uncached_s": uncached.seconds, "reading_s": reading_s,
        "flips": len(first.flips), "cache_bytes": cache_bytes,
    }  # fmt: skip
    rows = [
        ["preview", f"{first.seconds:.1f}", report.ratio(first.seconds, reading_s)],
        ["preview of calls without a cache", f"{uncached.seconds:.1f}", report.ratio(uncached.seconds, reading_s)],
        ["reading the calls through the model", f"{reading_s:.1f}", "1.00"],
    ]
    about = f"{first.calls} calls, {len(first.flips)} verdicts change, cache {cache_bytes / 1e6:.1f} MB"
    report.publish(result, f"{about}\n\n{report.markdown(['', 'seconds', 'to reading'], rows)}", given.json)
    return 0


def grade(folder: Path, settings: Settings, centre_id: str, most: int) -> list[Batch]:
    """The first calls of a folder of references, graded in the stage as calls of one centre."""
    calls = [replace(call, centre_id=centre_id) for call in read_folder(folder, medium="transcript").calls[:most]]
    batches = flow.plan(calls, (), settings)
    for batch in batches:
        flow.judge(batch.folder, settings)
    return batches
