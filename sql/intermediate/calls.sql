-- replaces, for t in touched_calls: m.call_id = t.call_id
-- One row per call with the columns of the views calls and call_facts.
with results as (
    -- A human evaluation replaces the automatic one, scorecard by scorecard.
    select
        call_id,
        arg_max_null(score_pct, judge = 'human') as score_pct,
        arg_max_null(coverage_pct, judge = 'human') as coverage_pct,
        arg_max_null(is_auto_fail, judge = 'human') as auto_fail,
        arg_max_null(needs_review, judge = 'human') as needs_review
    from core.evaluations
    semi join touched_calls using (call_id)
    group by call_id, scorecard_id
),
scores as (
    select
        call_id,
        avg(score_pct) as score_pct,
        avg(coverage_pct) as coverage_pct,
        bool_or(auto_fail) as auto_fail,
        bool_or(needs_review) as needs_review
    from results
    group by call_id
),
abuse as (
    select call_id, sum(end_s - start_s) as abuse_exposure_s
    from core.findings
    semi join touched_calls using (call_id)
    anti join (from core.judged_findings where is_refuted) as refuted using (call_id, finding_no, start_s)
    where kind = 'abuse' and role = 'client'
    group by call_id
),
redirections as (
    select call_id, arg_max_null(verdict, judge = 'human') = 'pass' as redirected
    from core.verdicts
    semi join touched_calls using (call_id)
    where criterion_id = 'redirected'
    group by call_id
)
select
    c.call_id,
    c.centre_id,
    c.recording_sha256,
    c.started_at,
    c.direction,
    c.line,
    c.queue,
    c.ivr_path,
    c.operator_id,
    c.operator_tenure,
    c.client_ref,
    c.wait_s,
    a.duration_s,
    a.channels,
    coalesce(m.language, c.language) as language,
    coalesce(x.topic, m.topic) as topic,
    if(x.topic is null, m.topic_confidence, 1) as topic_confidence,
    coalesce(x.client_type, m.client_type) as client_type,
    if(x.client_type is null, m.client_type_confidence, 1) as client_type_confidence,
    c.disconnect_party,
    c.status,
    c.status_reason,
    c.status_reason_key,
    c.status_reason_values,
    r.role_confidence,
    m.speech_model,
    m.scored_by,
    c.status_step,
    c.recording,
    c.size_bytes,
    c.medium,
    a.codec,
    a.sample_rate_hz,
    a.tracks,
    c.operator_channel,
    r.explanation as role_explanation,
    r.is_mapping_suspect,
    c.text_kept,
    wall_time(c.started_at, z.timezone) as started_local,
    c.extra_json,
    c.loaded_at,
    c.call_no,
    period_of('month', wall_time(c.started_at, z.timezone)) as month,
    s.score_pct,
    s.coverage_pct,
    coalesce(s.auto_fail, false) as auto_fail,
    coalesce(s.needs_review, false) as needs_review,
    b.call_id is not null as is_abusive,
    coalesce(b.abuse_exposure_s, 0) as abuse_exposure_s,
    m.handling_time_s,
    m.hold_s,
    m.dead_air_s,
    m.operator_talk_ratio,
    m.interruptions_by_operator,
    m.client_sentiment_end - m.client_sentiment_start as client_sentiment_change,
    m.client_sentiment_start,
    m.client_sentiment_end,
    case
        when c.status <> 'graded' or c.disconnect_party = 'unknown' then null
        when c.disconnect_party = 'system' then false
        else
            c.disconnect_party = 'client'
            or coalesce(x.outcome, p.outcome) not in ('ended_without_warning', 'ended_without_notice', 'operator_at_fault')
    end as is_kept,
    coalesce(d.redirected, false) as redirected,
    if(x.topic is null, if(m.topic is null, null, 'machine'), 'human') as topic_judge,
    if(x.client_type is null, if(m.client_type is null, null, 'machine'), 'human') as client_type_judge,
    m.topic as machine_topic,
    m.client_type as machine_client_type
from (from core.calls semi join touched_calls using (call_id)) as c
left join core.centres as z on z.centre_id = c.centre_id
left join (from core.audio semi join touched_calls using (call_id)) as a on a.call_id = c.call_id
left join (from core.roles semi join touched_calls using (call_id)) as r on r.call_id = c.call_id
left join (from core.metrics semi join touched_calls using (call_id)) as m on m.call_id = c.call_id
left join (from core.procedures semi join touched_calls using (call_id)) as p on p.call_id = c.call_id
left join core.corrected_calls as x on x.call_id = c.call_id
left join scores as s on s.call_id = c.call_id
left join abuse as b on b.call_id = c.call_id
left join redirections as d on d.call_id = c.call_id
order by c.call_id
