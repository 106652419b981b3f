"""Copies human verdicts from the application database into the warehouse, for analysts, before each publication."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.app_db.database import open_store, store_path
from pipelines.core.published import Published, Row
from pipelines.core.settings import Settings
from pipelines.queries import call_details
from pipelines.reviews import resolved_verdicts
from pipelines.reviews.human_verdicts import standing
from pipelines.warehouse import human_results
from pipelines.warehouse.file import open_for_writing

_AT_ONCE = 500


def copy_to_warehouse(settings: Settings) -> int:
    """Synchronise the rows of judge `human` in the warehouse; return the number of verdicts.

    A call judged in the web application has only these human rows; nothing is written when nothing changed.
    Raises TransientError when another writer holds the file.
    """
    if not store_path(settings).exists() or not (settings.lake or settings.warehouse.exists()):
        return 0
    people = standing(open_store(settings))
    if not people:
        return 0
    with open_for_writing(settings) as db:
        results, evaluations = [], []
        published, ids = Published(db), sorted(people)
        for first in range(0, len(ids), _AT_ONCE):
            calls = published.rows(
                "select * from calls where status = 'graded' and call_id in (select unnest(?))", ids[first : first + _AT_ONCE]
            )
            for call, rows in call_details.read_calls(published, calls):
                own, cards = resolved_verdicts.by_people(call, rows, people[call["call_id"]])
                results += [_standing_in_its_turn(row, call, rows["turns"]) | {"judged_at": row["at"]} for row in own]
                evaluations += [row | {"is_auto_fail": row["auto_fail"]} for row in cards]
        human_results.replace(db, ids, results, evaluations)
    return len(results)


def _standing_in_its_turn(row: Row, call: Row, turns: Sequence[Row]) -> Row:
    """The row with a quote that occurs in its turn as stored: where the stored turn is readable, people saw and quoted it masked."""
    if row["quote"] is None or call["text_kept"] != "raw":
        return row
    return row | {"quote": next((t["text"] for t in turns if t["turn_no"] == row["turn_no"]), None)}
