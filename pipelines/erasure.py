"""Erases forgotten calls from the application's data: its database, clips and renderings, measurements and regression cases.

`forget` receives the calls while the warehouse still has them, so an interrupted run can be repeated. `sweep` looks for remaining
references to calls that were forgotten earlier, by the sha256 of their ids.
"""

from __future__ import annotations

import json
import logging
import shutil
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from functools import lru_cache

from pipelines.app_db import audit_subjects
from pipelines.app_db.database import AppDatabase, open_store, store_path
from pipelines.coaching import call_sound, packs
from pipelines.core import staging
from pipelines.core.published import Published
from pipelines.core.settings import Settings
from pipelines.reviews import regression_cases
from pipelines.warehouse.forgetting import ForgottenCall, call_id_sha256, forgotten_ids

log = logging.getLogger("callgrade")
_AT_ONCE = 500
_OF_CALLS = "subject is not null and action not glob 'account_*'"  # audit entries whose subject may be a call


def forget(settings: Settings, calls: Collection[ForgottenCall], *, on_request: bool) -> None:
    """Remove all references to these calls; idempotent.

    On request, regression cases based on the calls are removed too, and the notes of packs that contained one of them. Raises
    TransientError when the database is locked for too long.
    """
    if not calls:
        return
    ids = {call.call_id for call in calls}
    call_sound.remove(settings, {call.recording_sha256 for call in calls if call.recording_sha256})
    _remove_measurements(settings, ids)
    if store_path(settings).exists():
        store = open_store(settings)
        frozen = _cases(store, ids) if on_request else []
        for case_id in frozen:
            for file in (settings.site / "cases").glob(f"{case_id}.*"):
                file.unlink(missing_ok=True)
        _forget_rows(settings, store, ids, frozen, on_request=on_request)


def sweep(settings: Settings, published: Published, *, with_audit: bool) -> None:
    """Remove remaining references to calls that were forgotten earlier and are not in the warehouse, according to `published`.

    An older version, or a person who worked on a call while it was forgotten, may have left such rows. The audit log is long, so it is
    searched only on request.
    """
    if not store_path(settings).exists():
        return
    forgotten = forgotten_ids(published)
    if not forgotten:
        return
    store = open_store(settings)
    named = (row["call_id"] for table in _tables(store) for row in store.rows(f'select distinct call_id from "{table}"'))
    ids = {call_id for call_id in named if call_id_sha256(call_id) in forgotten}
    if with_audit:
        subjects = store.rows(f"select distinct subject from audit where {_OF_CALLS}")
        named = (call_id for row in subjects for _, call_id, _ in audit_subjects.parts(row["subject"]))
        ids |= {call_id for call_id in named if call_id_sha256(call_id) in forgotten}
    found = sorted(ids)
    for first in range(0, len(found), _AT_ONCE):
        rows = published.of_calls("calls", found[first : first + _AT_ONCE], "call_id", "call_id")
        ids -= {row["call_id"] for row in rows}  # another recording with the id of a forgotten one
    if ids:
        _forget_rows(settings, store, ids, (), on_request=False)
        log.info("forgotten: remaining data of %d calls that were forgotten earlier", len(ids))


def _forget_rows(settings: Settings, store: AppDatabase, ids: set[str], frozen: Iterable[str], *, on_request: bool) -> None:
    """Remove the rows of calls from the database, and the audio of pack moments before the rows that refer to it."""
    moments = [
        row
        for row in store.rows("select pack_id, moment_id, call_id from pack_moments order by pack_id, moment_id")
        if row["call_id"] in ids
    ]
    for moment in moments:
        for file in (packs.folder(settings) / moment["pack_id"]).glob(f"*{moment['moment_id']}-*"):
            file.unlink(missing_ok=True)
    pack_ids = sorted({moment["pack_id"] for moment in moments})
    with store.writing() as db:
        db.create_function("is_forgotten", 1, lambda call_id: call_id in ids, deterministic=True)
        _forget_alerts(db, ids)
        for table in _tables(store):
            db.execute(f'delete from "{table}" where is_forgotten(call_id)')
        db.execute("delete from alerts where body <> '' and json_extract(body, '$.count') = 0")
        empty = [one for one in pack_ids if not db.execute("select 1 from pack_moments where pack_id = ?", [one]).fetchone()]
        db.executemany("delete from packs where pack_id = ?", [[one] for one in empty])
        if on_request:
            for pack_id, made_at in db.execute("select pack_id, made_at from packs").fetchall():
                if pack_id in pack_ids:
                    day = datetime.fromtimestamp(made_at, UTC).date().isoformat()
                    db.execute("update packs set title = ?, notes = '' where pack_id = ?", [day, pack_id])
        db.executemany("delete from regression_cases where case_id = ?", [[one] for one in frozen])
        db.create_function(
            "pseudonymised", 1, lru_cache(lambda subject: audit_subjects.pseudonymised(store.signing_key, subject, ids)), deterministic=True
        )
        db.execute(f"update audit set subject = pseudonymised(subject) where {_OF_CALLS} and pseudonymised(subject) <> subject")
    for pack_id in empty:
        shutil.rmtree(packs.folder(settings) / pack_id, ignore_errors=True)
    store.purge()


def _forget_alerts(db: sqlite3.Connection, ids: set[str]) -> None:
    """Remove the calls from alerts waiting to be sent, and from their counts."""
    gone = Counter(row[0] for row in db.execute("select alert_id from alerted_calls where is_forgotten(call_id)"))
    for alert_id, body in db.execute("select alert_id, body from alerts where body <> ''").fetchall():
        if alert_id in gone:
            values = json.loads(body)
            values["count"] -= gone[alert_id]
            if "call_ids" in values:
                values["call_ids"] = [call_id for call_id in values["call_ids"] if call_id not in ids]
            db.execute("update alerts set body = ? where alert_id = ?", [json.dumps(values), alert_id])


def _cases(store: AppDatabase, ids: set[str]) -> list[str]:
    """The regression cases created by upheld disputes about these calls."""
    disputes = store.rows("select call_id, criterion_id from disputes order by dispute_id")
    return [regression_cases.case_id_of(store.signing_key, d["call_id"], d["criterion_id"]) for d in disputes if d["call_id"] in ids]


def _remove_measurements(settings: Settings, ids: set[str]) -> None:
    """Remove the calls from the output of `measure_models`, whose ids may be those of the centre's own calls."""
    file = settings.site / "measures.json"
    if file.exists():
        measures = json.loads(file.read_text(encoding="utf-8"))
        left = [one for one in measures if one["call_id"] not in ids]
        if len(left) < len(measures):
            staging.write_whole(file, json.dumps(left, indent=1).encode("utf-8"))


def _tables(store: AppDatabase) -> list[str]:
    """The tables with a column `call_id`."""
    sql = "select m.name from sqlite_schema m, pragma_table_info(m.name) c where m.type = 'table' and c.name = 'call_id' order by m.name"
    return [row["name"] for row in store.rows(sql)]
