"""Loads a staged batch into the warehouse, completely or not at all.

`load` merges the staged Parquet of one batch in one transaction. The content of a call is compared by its md5: identical content changes
nothing, and new content of the same recording replaces the automatic rows (human ones stay). `conflicts` resolves all other cases.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, fields

import duckdb
import polars as pl

from models import registry
from pipelines.centres.profile import load_centre
from pipelines.core import staging
from pipelines.core.errors import TransientError
from pipelines.core.printable import printable
from pipelines.core.profile_files import centre_ids
from pipelines.core.records import Call
from pipelines.core.rejections import Key, Reason
from pipelines.core.settings import Settings, now
from pipelines.core.sql_text import literal
from pipelines.core.staging import Batch
from pipelines.warehouse import conflicts, forgetting, history, marts
from pipelines.warehouse.file import LOCK_TIMEOUT_S, open_for_reading, open_for_writing

# The columns stored of the staged kinds; each kind is a view `staged_<kind>` of the calls to load. All rows belong to a call, so a call is
# replaced table by table.
TABLES = {
    "audio": "select call_id, duration_s, sample_rate_hz, codec, channels, tracks from staged_audio",
    "holds": "select call_id, unnest(holds, recursive := true) from staged_audio",
    "roles": "from staged_roles",
    "turns": """
        select t.* exclude (tokens),
            array_to_string(list_transform(tokens, lambda said: coalesce(nullif(said.raw, ''), said."text")), ' ') as "text",
            list_transform(tokens, lambda said: struct_pack(
                "text" := coalesce(nullif(said.raw, ''), said."text"), start_s := said.start_s, end_s := said.end_s, probability := said.probability
            )) as words,
            s.sentiment,
            s.confidence as sentiment_confidence
        from staged_turns as t
        left join staged_sentiments as s on s.call_id = t.call_id and s.turn_no = t.turn_no""",
    "personal_data": "from staged_personal_data",
    "speech_acts": "from staged_speech_acts",
    "findings": """
        select *, row_number() over (partition by call_id order by start_s, end_s, kind, turn_no, quote, severity, detector) as finding_no
        from (from staged_findings union by name from staged_dropped)""",
    "procedures": "from staged_procedures",
    "verdicts": "select *, 'machine' as judge from staged_verdicts",
    "evaluations": "select *, 'machine' as judge from staged_evaluations",
    "metrics": "from staged_metrics",
}
_NUMBERED = ("turns", "speech_acts")  # rows with the number of their call, which finds them fast; so do verdicts, see `history`
KINDS = (  # staged beside the calls themselves
    "audio",
    "roles",
    "turns",
    "sentiments",
    "personal_data",
    "speech_acts",
    "findings",
    "dropped",
    "procedures",
    "verdicts",
    "evaluations",
    "metrics",
)
_CALL_COLUMNS = [f.name for f in fields(Call)]
_REJECTED_COLUMNS = (
    "call_id", "centre_id", "recording", "recording_sha256", "status", "status_step", "status_reason", "status_reason_key", "status_reason_values",
)  # fmt: skip


def load(batch: Batch, settings: Settings, timeout_s: float = LOCK_TIMEOUT_S) -> bool:
    """Merge everything staged for a batch in one transaction; return whether that changed anything.

    Raises TransientError when another writer holds the file for longer than `timeout_s`, and its subclass CutShortError when a staged
    file is truncated; in both cases nothing was written.
    """
    with open_for_writing(settings, timeout_s) as db:
        db.execute("begin")
        try:
            forgotten = _stage(db, batch, settings)
            changed = any([_merge(db), _keep_centres(db)])
            if changed:
                marts.refresh_calls(db)
            db.execute("commit" if changed else "rollback")
        except BaseException:
            with suppress(duckdb.Error):  # a failed commit has already rolled back
                db.execute("rollback")
            raise
    if forgotten:  # forgotten while the batch was being judged
        forgetting.forget_in_stage(batch, forgotten, ())
    return changed


def already_graded(
    settings: Settings, calls: Iterable[Call], *, speech_model: str | None = None, scored_by: Mapping[str, str] | None = None
) -> set[str]:
    """The ids of unchanged calls: the same log row and recording was graded by the same versions, or lost a conflict before.

    `speech_model` defaults to the version in use; `scored_by`, by call, is compared only when given.
    """
    wanted = list(calls)
    with open_for_reading(settings) if wanted else nullcontext() as db:
        if db is None:
            return set()
        try:
            versions = [(scored_by or {}).get(call.call_id) for call in wanted]
            db.register("wanted", _frame(wanted).with_columns(pl.Series("scored_by", versions, pl.String)))
            same = " and ".join(f"c.{name} is not distinct from w.{name}" for name in _CALL_COLUMNS)
            rows = db.execute(
                f"""select w.call_id
                    from wanted as w
                    join store.calls as c on {same}
                    left join store.metrics as m on m.call_id = c.call_id
                    where c.text_kept = ? and m.speech_model = case w.medium when 'transcript' then w.medium else ? end and (m.scored_by = w.scored_by or w.scored_by is null)
                    union
                    select w.call_id
                    from wanted as w
                    join store.calls as c on c.recording_sha256 = w.recording_sha256 and c.status_step = 'load'
                    where c.call_id in (w.call_id, w.call_id || '~' || w.recording_sha256[:8])""",
                [settings.keep_text, speech_model or registry.speech_version(settings.profile)],
            ).fetchall()
        except (duckdb.CatalogException, duckdb.BinderException):
            return set()  # a file that was never loaded into, or only by an older version
    return {call_id for (call_id,) in rows}


def _stage(db: duckdb.DuckDBPyConnection, batch: Batch, settings: Settings) -> list[Call]:
    """Create temporary tables with the new state of every call of the batch; return the calls that were forgotten meanwhile."""
    broken = [str(file.relative_to(batch.folder)) for file in sorted(batch.folder.rglob("*.parquet")) if not staging.is_whole(file)]
    try:
        if broken:
            raise staging.CutShortError(f"{', '.join(broken)}: truncated")
        forgotten = _stage_received(db, batch, settings)
        conflicts.resolve(db)
        for kind in KINDS:
            _stage_kind(db, batch, kind)
        for table, sql in TABLES.items():
            db.execute(f"create or replace temp table new_{table} as {sql}")
    except (duckdb.InvalidInputException, pl.exceptions.PolarsError, staging.CutShortError) as error:
        raise staging.CutShortError(
            f"A staged file in {batch.folder} cannot be read ({str(error).splitlines()[0]}). Judge that batch again; truncated files are rebuilt."
        ) from error
    return forgotten


def _stage_received(db: duckdb.DuckDBPyConnection, batch: Batch, settings: Settings) -> list[Call]:
    """Create the temporary table `received`, one row per call in the columns of store.calls; return the forgotten calls."""
    staged: list[Call] = batch.read("calls")
    kept, rejected = forgetting.without_forgotten(db, staged, batch.rejected())
    calls = _frame(kept)
    judged = (
        pl.read_parquet(batch.path("metrics"), columns=["call_id"]) if batch.has("metrics") else pl.DataFrame(schema={"call_id": pl.String})
    )
    first = {row.call_id: row for row in reversed(rejected)}
    out = pl.DataFrame(
        [
            (r.call_id, r.centre_id, r.recording, r.recording_sha256, r.status, r.step, r.reason, r.reason_key, r.reason_values)
            for r in first.values()
        ],
        schema=dict.fromkeys(_REJECTED_COLUMNS, pl.String()),
        orient="row",
    )
    db.register("logged", calls)
    db.register("out", out)
    db.register("judged", judged)
    no_result = Reason(Key.NO_RESULT)
    db.execute(
        """create or replace temp table received as
           select
               coalesce(l.call_id, o.call_id) as call_id,
               l.* exclude (call_id) replace (
                   coalesce(l.centre_id, o.centre_id) as centre_id,
                   coalesce(l.recording, o.recording) as recording,
                   coalesce(l.recording_sha256, o.recording_sha256) as recording_sha256),
               case when o.call_id is not null then o.status when j.call_id is null then 'unscoreable' else 'graded' end as status,
               case when o.call_id is null and j.call_id is null then 'load' else o.status_step end as status_step,
               case when o.call_id is null and j.call_id is null then $reason else o.status_reason end as status_reason,
               case when o.call_id is null and j.call_id is null then $key else o.status_reason_key end as status_reason_key,
               case when o.call_id is null and j.call_id is null then $values else o.status_reason_values end as status_reason_values,
               $text_kept as text_kept
           from logged as l
           full join out as o on o.call_id = l.call_id
           left join judged as j on j.call_id = l.call_id""",
        {"reason": no_result.text(), "key": no_result.key, "values": no_result.values_json, "text_kept": settings.keep_text},
    )
    return sorted(set(staged) - set(kept), key=lambda call: call.call_id)


def _stage_kind(db: duckdb.DuckDBPyConnection, batch: Batch, kind: str) -> None:
    """Create the temporary view `staged_<kind>` with the rows of the calls to load; empty where the step found none."""
    if not batch.has(kind):
        empty = pl.DataFrame(schema=staging.schema_of(staging.KINDS[kind]))
        db.register("nothing", empty)
        db.execute(f"create or replace temp table staged_{kind} as from nothing")
        return
    db.execute(
        f"""create or replace temp view staged_{kind} as
            select p.* from read_parquet({literal(batch.path(kind))}) as p
            semi join (select staged_id from incoming where status = 'graded') as i on i.staged_id = p.call_id"""
    )


def _merge(db: duckdb.DuckDBPyConnection) -> bool:
    """Replace the calls with new content, table by table; return whether there were any."""
    rows = " union all ".join(f"select call_id, '{t}' || hash(r) as line from new_{t} as r" for t in TABLES)
    db.execute(
        f"""create or replace temp table changed as
            with lines as (
                select call_id, '' || hash(i) as line from incoming as i
                union all
                {rows}
            ),
            digests as (select call_id, md5(string_agg(line, '' order by line)) as content_md5 from lines group by call_id)
            select d.call_id, d.content_md5
            from digests as d
            join incoming as i on i.call_id = d.call_id
            left join store.calls as c on c.call_id = d.call_id
            where c.content_md5 is distinct from d.content_md5"""
    )
    # A known call gets a new number too: its rows are written after those of all others.
    db.execute(
        """create or replace temp table numbers as
           select call_id, row_number() over (order by call_id) + (select coalesce(max(call_no), 0) from store.calls) as call_no from changed"""
    )
    moment = now()
    db.execute(
        """create or replace temp table unseen as
           select call_id, recording_sha256 from received
           except select call_id, recording_sha256 from store.received"""
    )
    db.execute("insert into store.received by name from unseen")
    if _one(db, "select count(*) from changed") == 0:
        return _one(db, "select count(*) from unseen") > 0
    # Most calls are new, so nothing of theirs has to be found among millions of rows.
    db.execute("create or replace temp table known as select call_id from changed semi join store.calls using (call_id)")
    known = _one(db, "select count(*) from known") > 0
    db.execute(
        """insert into store.unpublished
           select call_id from changed
           union all select call_id from superseded
           union all select unnest([call_id, new_id]) from moved"""
    )
    db.execute("delete from store.calls where call_id in (select call_id from superseded)")
    db.execute("update store.calls set call_id = new_id from moved where moved.call_id = calls.call_id")
    history.keep_replaced(db, moment)
    for table in TABLES:
        if table in history.JUDGED_AT:
            history.put_in_place(db, table, moment)
            continue
        if known:
            db.execute(f"delete from store.{table} where call_id in (select call_id from known)")
        db.execute(
            f"""insert into store.{table} by name
                select r.*{", n.call_no" if table in _NUMBERED else ""} from new_{table} as r join numbers as n on n.call_id = r.call_id
                order by n.call_no{", r.turn_no" if table in _NUMBERED else ""}"""
        )
    db.execute("delete from store.calls where call_id in (select call_id from known)")
    db.execute(
        """insert into store.calls by name
           select i.* exclude (staged_id), d.content_md5, n.call_no, ? as loaded_at
           from incoming as i
           join changed as d on d.call_id = i.call_id
           join numbers as n on n.call_id = i.call_id
           order by n.call_no""",
        [moment],
    )
    return True


def _keep_centres(db: duckdb.DuckDBPyConnection) -> bool:
    """Store the facts of the batch's centres; return whether they changed.

    The days and rests of all calls of a centre depend on them.
    """
    known, is_new = set(centre_ids()), False
    for (centre_id,) in db.execute("select distinct centre_id from received where centre_id is not null").fetchall():
        if centre_id not in known:
            continue
        centre = load_centre(centre_id)
        row = (centre_id, centre.name, str(centre.timezone), centre.rest.abusive_in_a_row, centre.rest.abusive_calls, centre.rest.abuse_s)
        kept = db.execute(
            "select centre_id, name, timezone, abusive_in_a_row, abusive_calls, abuse_s from store.centres where centre_id = ?", [centre_id]
        ).fetchone()
        if kept != row:
            is_new = True
            db.execute("delete from store.centres where centre_id = ?", row[:1])
            db.execute("insert into store.centres values (?, ?, ?, ?, ?, ?)", row)
            db.execute("insert into store.unpublished select call_id from store.calls where centre_id = ?", [centre_id])
    return is_new


def _frame(calls: Sequence[Call]) -> pl.DataFrame:
    """The calls as the warehouse stores them: of the recording's path only the file name, escaped by `printable`."""
    rows = [asdict(call) | {"recording": printable(os.path.basename(call.recording))} for call in calls]
    return pl.DataFrame(rows, schema=staging.schema_of(Call), orient="row")


def _one(db: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = db.execute(sql).fetchone()
    if row is None:
        raise TransientError("The warehouse returned no row for a count; try again.")
    return int(row[0])
