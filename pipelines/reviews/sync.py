"""Copies human verdicts and corrections from the application database into the warehouse, for analysts, before each publication."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.app_db.database import open_store, store_path
from pipelines.core.published import Published, Row
from pipelines.core.settings import Settings
from pipelines.queries import call_details
from pipelines.reviews import corrections, resolved_corrections, resolved_verdicts
from pipelines.reviews.human_verdicts import standing
from pipelines.warehouse import human_results
from pipelines.warehouse.file import open_for_writing

_AT_ONCE = 500


def copy_to_warehouse(settings: Settings) -> int:
    """Synchronise people's rows in the warehouse; return the number of verdicts.

    These are the rows of judge `human`, and the corrections matched with the findings as they are now. A call judged or corrected in the web
    application has only these rows; nothing is written when nothing changed.
    Raises TransientError when another writer holds the file.
    """
    if not store_path(settings).exists() or not (settings.lake or settings.warehouse.exists()):
        return 0
    store = open_store(settings)
    people, records = standing(store), corrections.latest(store)
    ids = sorted({*people, *records})
    if not ids:
        return 0
    results, evaluations, corrected, judged = list[Row](), list[Row](), list[Row](), list[Row]()
    with open_for_writing(settings) as db:
        published = Published(db)
        for first in range(0, len(ids), _AT_ONCE):
            calls = published.rows(
                "select * from calls where status = 'graded' and call_id in (select unnest(?))", ids[first : first + _AT_ONCE]
            )
            for call, read in call_details.read_calls(published, calls):
                of_call = records.get(call["call_id"], [])
                rows, said = resolved_verdicts.with_corrections(call, read, people.get(call["call_id"], {}), of_call)
                own, cards = resolved_verdicts.by_people(call, rows, said)
                results += [_standing_in_its_turn(row, call, rows["turns"]) | {"judged_at": row["at"]} for row in own]
                evaluations += [row | {"is_auto_fail": row["auto_fail"]} for row in cards]
                if of_call:
                    of_calls, of_findings = resolved_corrections.for_warehouse(call, rows, of_call)
                    corrected += of_calls
                    judged += of_findings
        human_results.replace(db, ids, results, evaluations, corrected, judged)
    return len(results)


def _standing_in_its_turn(row: Row, call: Row, turns: Sequence[Row]) -> Row:
    """The row with a quote that occurs in its turn as stored: where the stored turn is readable, people saw and quoted it masked."""
    if row["quote"] is None or call["text_kept"] != "raw":
        return row
    return row | {"quote": next((t["text"] for t in turns if t["turn_no"] == row["turn_no"]), None)}
