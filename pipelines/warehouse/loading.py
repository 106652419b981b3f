"""A batch goes into the warehouse whole or not at all.

`load` merges the staged Parquet of one batch in one transaction. A call's content is compared by its md5: the same content again changes
nothing, new content of the same recording replaces the old rows of the machine (a person's stay); `conflicts` settles the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, fields

import duckdb
import polars as pl

from models import registry
from pipelines import store
from pipelines.errors import TransientError
from pipelines.records import Call
from pipelines.score.scorecard import centre_ids, load_centre
from pipelines.settings import Settings, now
from pipelines.store import Batch
from pipelines.warehouse import conflicts, forgetting, history
from pipelines.warehouse.file import LOCK_TIMEOUT_S, connect, open_for_writing, write_lock

# What is kept of each staged kind; `rows` is the Parquet file of that kind. Everything is by call, so a call is replaced table by table.
_TABLES: dict[str, tuple[tuple[str, ...], str]] = {
    "audio": (("audio",), "select call_id, duration_s, sample_rate_hz, codec, channels, tracks from rows"),
    "holds": (("audio",), "select call_id, unnest(holds, recursive := true) from rows"),
    "roles": (("roles",), "select * from rows"),
    "turns": (
        ("turns",),
        """select * exclude (tokens),
               array_to_string(list_transform(tokens, lambda t: coalesce(nullif(t.raw, ''), t."text")), ' ') as "text",
               list_transform(tokens, lambda t: struct_pack(
                   "text" := coalesce(nullif(t.raw, ''), t."text"), start_s := t.start_s, end_s := t.end_s, probability := t.probability)) as words
           from rows""",
    ),
    "personal_data": (("personal_data",), "select * from rows"),
    "sentiments": (("sentiments",), "select * from rows"),
    "findings": (
        ("findings", "dropped"),
        """select *, row_number() over (partition by call_id order by start_s, end_s, kind, turn_no, quote, severity, detector) as finding_no
           from (select distinct * from rows)""",
    ),
    "procedures": (("procedures",), "select * from rows"),
    "verdicts": (("verdicts",), "select *, 'machine' as judge from rows"),
    "evaluations": (("evaluations",), "select *, 'machine' as judge from rows"),
    "metrics": (("metrics",), "select * from rows"),
}
_CALL_COLUMNS = [f.name for f in fields(Call)]


def load(batch: Batch, settings: Settings, timeout_s: float = LOCK_TIMEOUT_S) -> bool:
    """Merge everything staged for a batch in one transaction; True when that changed anything.

    Raises TransientError when another writer keeps the file for longer than `timeout_s`, and its kind CutShortError when a staged file breaks
    off; nothing was written then.
    """
    with open_for_writing(settings, timeout_s) as db:
        db.execute("begin")
        try:
            forgotten = _stage(db, batch, settings)
            changed = _merge(db)
            db.execute("commit" if changed else "rollback")
        except BaseException:
            with suppress(duckdb.Error):  # a commit that failed has rolled back already
                db.execute("rollback")
            raise
    if forgotten:  # it was being judged while it was forgotten
        forgetting.forget_in_stage(batch, forgotten, ())
    return changed


def already_graded(settings: Settings, calls: Iterable[Call], *, speech_model: str | None = None, scored_by: str | None = None) -> set[str]:
    """The ids of those calls that need no new work: the same log row and recording was graded by the same versions, or lost a conflict before.

    `speech_model` is the version in use when not given; `scored_by` is compared only when given.
    """
    wanted = list(calls)
    if not settings.warehouse.exists() or not wanted:
        return set()
    with write_lock(settings):
        db = connect(settings.warehouse, read_only=True)
        try:
            db.register("wanted", _frame(wanted))
            same = " and ".join(f"c.{name} is not distinct from w.{name}" for name in _CALL_COLUMNS)
            rows = db.execute(
                f"""select w.call_id
                    from (select * replace (parse_filename(recording) as recording) from wanted) as w
                    join store.calls as c on {same}
                    left join store.metrics as m on m.call_id = c.call_id
                    where c.text_kept = ? and m.speech_model = ? and coalesce(m.scored_by = ?, ? is null)
                    union
                    select w.call_id
                    from wanted as w
                    join store.calls as c on c.recording_sha256 = w.recording_sha256 and c.status_step = 'load'
                    where c.call_id in (w.call_id, w.call_id || '~' || w.recording_sha256[:8])""",
                [settings.keep_text, speech_model or registry.speech_version(settings.profile), scored_by, scored_by],
            ).fetchall()
        except (duckdb.CatalogException, duckdb.BinderException):
            return set()  # a file that was never loaded, or by an older version only
        finally:
            db.close()
    return {call_id for (call_id,) in rows}


def _stage(db: duckdb.DuckDBPyConnection, batch: Batch, settings: Settings) -> list[Call]:
    """Temporary tables with what is to become of every call of the batch, read from its files once; the calls that were forgotten meanwhile."""
    broken = [str(file.relative_to(batch.folder)) for file in sorted(batch.folder.rglob("*.parquet")) if not store.is_whole(file)]
    try:
        if broken:
            raise store.CutShortError(f"{', '.join(broken)}: cut short")
        forgotten = _stage_received(db, batch, settings)
        conflicts.settle(db)
        for table, (kinds, sql) in _TABLES.items():
            _stage_table(db, batch, table, kinds, sql)
    except (duckdb.InvalidInputException, pl.exceptions.PolarsError, store.CutShortError) as error:
        raise store.CutShortError(
            f"A staged file in {batch.folder} cannot be read ({str(error).splitlines()[0]}). Judge that batch again: what is cut short is made anew."
        ) from error
    return forgotten


def _stage_received(db: duckdb.DuckDBPyConnection, batch: Batch, settings: Settings) -> list[Call]:
    """Temporary table `received`: one row per call, in the columns of store.calls, and its centre in store.centres; the forgotten calls."""
    staged: list[Call] = batch.read("calls")
    kept, put_aside = forgetting.without_forgotten(db, staged, batch.put_aside())
    calls = _frame(kept)
    judged = {row.call_id for row in batch.read("metrics")} if batch.has("metrics") else set()
    first = {row.call_id: row for row in reversed(put_aside)}
    out = pl.DataFrame(
        [(r.call_id, r.centre_id, r.recording, r.recording_sha256, r.status, r.step, r.reason) for r in first.values()],
        schema=["call_id", "centre_id", "recording", "recording_sha256", "status", "status_step", "status_reason"] if first else {
            c: pl.String for c in ("call_id", "centre_id", "recording", "recording_sha256", "status", "status_step", "status_reason")},
        orient="row",
    )  # fmt: skip
    db.register("logged", calls)
    db.register("out", out)
    db.register("judged", pl.DataFrame({"call_id": sorted(judged)}, schema={"call_id": pl.String}))
    db.execute(
        """create or replace temp table received as
           select
               coalesce(l.call_id, o.call_id) as call_id,
               l.* exclude (call_id) replace (
                   coalesce(l.centre_id, o.centre_id) as centre_id,
                   parse_filename(coalesce(l.recording, o.recording)) as recording,
                   coalesce(l.recording_sha256, o.recording_sha256) as recording_sha256),
               case when o.call_id is not null then o.status when j.call_id is null then 'unscoreable' else 'graded' end as status,
               case when o.call_id is null and j.call_id is null then 'load' else o.status_step end as status_step,
               case when o.call_id is null and j.call_id is null then 'No step came to a result for this call; grade it again.'
                   else o.status_reason end as status_reason,
               ? as text_kept
           from logged as l
           full join out as o on o.call_id = l.call_id
           left join judged as j on j.call_id = l.call_id""",
        [settings.keep_text],
    )
    known = set(centre_ids())
    for (centre_id,) in db.execute("select distinct centre_id from received where centre_id is not null").fetchall():
        if centre_id in known:
            centre = load_centre(centre_id)
            row = [centre_id, centre.name, str(centre.timezone)]
            if db.execute("select centre_id, name, timezone from store.centres where centre_id = ?", [centre_id]).fetchone() != tuple(row):
                db.execute("insert or replace into store.centres values (?, ?, ?)", row)
    return [call for call in staged if call not in kept]


def _stage_table(db: duckdb.DuckDBPyConnection, batch: Batch, table: str, kinds: tuple[str, ...], sql: str) -> None:
    """Temporary table `new_<table>`: what is to be kept of the graded calls, in the columns of store.<table>."""
    paths = [str(batch.path(kind)) for kind in kinds if batch.has(kind)]
    if not paths:
        moment = f" exclude ({history.JUDGED_AT[table]})" if table in history.JUDGED_AT else ""
        db.execute(f"create or replace temp table new_{table} as select *{moment} from store.{table} limit 0")
        return
    db.execute(
        f"""create or replace temp table new_{table} as
            with rows as (
                select p.* from read_parquet(?, union_by_name := true) as p
                semi join (select staged_id from incoming where status = 'graded') as i on i.staged_id = p.call_id
            )
            {sql}""",
        [paths],
    )


def _merge(db: duckdb.DuckDBPyConnection) -> bool:
    """Replace the calls whose content is new, table by table; True when there were any."""
    rows = " union all ".join(f"select call_id, '{t}' || md5(r::varchar) as line from new_{t} as r" for t in _TABLES)
    db.execute(
        f"""create or replace temp table changed as
            with lines as (
                select call_id, md5(i::varchar) as line from incoming as i
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
    moment = now()
    db.execute(
        """create or replace temp table unseen as
           select call_id, recording_sha256 from received
           except select call_id, recording_sha256 from store.received"""
    )
    db.execute("insert into store.received by name from unseen")
    if _one(db, "select count(*) from changed") == 0:
        return _one(db, "select count(*) from unseen") > 0
    db.execute("delete from store.calls where call_id in (select call_id from superseded)")
    db.execute("update store.calls set call_id = new_id from moved where moved.call_id = calls.call_id")
    history.keep_replaced(db, moment)
    for table in _TABLES:
        if table in history.JUDGED_AT:
            history.put_in_place(db, table, moment)
            continue
        db.execute(f"delete from store.{table} where call_id in (select call_id from changed)")
        db.execute(
            f"insert into store.{table} by name select * from new_{table} where call_id in (select call_id from changed) order by call_id"
        )
    db.execute("delete from store.calls where call_id in (select call_id from changed)")
    db.execute(
        """insert into store.calls by name
           select i.* exclude (staged_id), d.content_md5, ? as loaded_at
           from incoming as i join changed as d on d.call_id = i.call_id order by call_id""",
        [moment],
    )
    return True


def _frame(calls: Sequence[Call]) -> pl.DataFrame:
    return pl.DataFrame([asdict(call) for call in calls], schema=store.schema_of(Call), orient="row")


def _one(db: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = db.execute(sql).fetchone()
    if row is None:
        raise TransientError("The warehouse gave no answer to a count; try again.")
    return int(row[0])
