"""The summary of a run: graded, rejected and undecided counts, the most notable findings, and where to look."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from pipelines.core.settings import Settings

_TELLING = """
    select c.call_id, c.centre_id, p.outcome, p.explanation,
           (select if(length(t."text") <= 160, t."text", f.quote) from findings f join turns t using (call_id, turn_no)
            where f.call_id = c.call_id and f.kind = 'abuse' and f.refuted_at is null order by f.confidence desc, f.start_s limit 1) as quote
    from abuse_procedures p join calls c using (call_id)
    where p.outcome not in ('not_needed', 'cannot_tell') and c.status = 'graded'
    order by case p.outcome when 'operator_at_fault' then 0 when 'ended_without_warning' then 1 when 'ended_after_warning' then 2
             when 'calmed' then 3 else 4 end, p.confidence desc, c.call_id
"""


def of_run(settings: Settings, call_ids: Sequence[str] = ()) -> str:
    """The summary of a run, read from the published copy; about these calls, or all when none are named."""
    with duckdb.connect(str(settings.snapshot), read_only=True) as db:
        wanted = list(call_ids)
        status = dict(db.execute("select status, count(*) from calls group by all").fetchall())
        transcripts = (db.execute("select count(*) from calls where medium = 'transcript' and status = 'graded'").fetchone() or (0,))[0]
        unsure, decided = db.execute(
            "select count(*) filter (verdict = 'unsure'), count(*) filter (verdict in ('pass', 'fail')) from criterion_results where judge = 'machine'"
        ).fetchone() or (0, 0)
        rejected = db.execute("select call_id, status_reason from calls where status <> 'graded' order by call_id").fetchall()
        asked = costs_of_questions(db, settings.questions_concurrency)
        telling: dict[str, tuple[str, str, str, str | None]] = {}
        for call_id, centre_id, outcome, explanation, quote in db.execute(_TELLING).fetchall():
            if not wanted or call_id in wanted:
                telling.setdefault(outcome, (call_id, centre_id, explanation, quote))
    total = sum(status.values())
    lines = ["", f"  {status.get('graded', 0)} of {total} calls graded, {total - status.get('graded', 0)} rejected"]
    if transcripts:
        lines.append(
            f"  {transcripts} of them from transcripts: no audio, so voice levels, raised voices, hold music and clips are left out"
        )
    lines.append(f"  {decided} points decided with their evidence, {unsure} unsure: a person must decide them")
    if asked:
        lines.append(f"  {asked}")
    if rejected:
        lines += ["", "  Rejected"] + [f"    {call_id}: {reason}" for call_id, reason in rejected[:10]]
        if len(rejected) > 10:
            lines.append(f"    ... and {len(rejected) - 10} more, in the view intake_ledger")
    if telling:
        lines += ["", "  Most notable"]
        for outcome, (call_id, centre_id, explanation, quote) in list(telling.items())[:3]:
            lines.append(f"    {call_id} ({centre_id}): {outcome.replace('_', ' ')}. {explanation}")
            if quote:
                lines.append(f"      “{quote}”")
    lines += [
        "",
        f"  Scorecards  {settings.scorecards / 'index.html'}",
        f"  Clips       {settings.clips}",
        f"  DuckDB      {settings.snapshot}  (read-only copy; open this one)",
        "",
    ]
    return "\n".join(lines)


def costs_of_questions(db: duckdb.DuckDBPyConnection, at_once: int) -> str:
    """What questions to a language model cost on average, in one line; empty where none was asked."""
    row = db.execute(
        """select count(distinct call_id), count(*), sum(requests), sum(prompt_tokens + completion_tokens), sum(seconds),
                  count(*) filter (not is_final), string_agg(distinct model, ', ' order by model)
           from question_costs"""
    ).fetchone()
    if row is None or not row[0]:
        return ""
    calls, questions, requests, tokens, seconds, waiting, models = row
    rate = f", about {60 * at_once * calls / seconds:,.0f} calls per minute with {at_once} questions at a time" if seconds else ""
    open_ones = f"; {waiting} could not be asked and will be by the next run" if waiting else ""
    return (
        f"{questions} questions asked of {models}: {requests / calls:.1f} requests, {tokens / calls:,.0f} tokens and {seconds / calls:.1f} s "
        f"per call{rate}{open_ones}"
    )


def holds_any(settings: Settings) -> bool:
    """Whether the published warehouse has at least one call, graded or rejected (so that the run had a result)."""
    with duckdb.connect(str(settings.snapshot), read_only=True) as db:
        known = db.execute("select count(*) from calls").fetchone()
    return bool(known and known[0])
