-- grain: one row per call received, with the measures that scorecards of operators and centres add up
create or replace view call_facts as
with results as (
    -- A person's evaluation counts instead of the machine's, scorecard by scorecard.
    select
        call_id,
        arg_max_null(score_pct, judge = 'human') as score_pct,
        arg_max_null(coverage_pct, judge = 'human') as coverage_pct,
        arg_max_null(auto_fail, judge = 'human') as auto_fail,
        arg_max_null(needs_review, judge = 'human') as needs_review
    from evaluations
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
    from findings
    where kind = 'abuse' and role = 'client'
    group by call_id
),
redirections as (
    select call_id, arg_max_null(verdict, judge = 'human') = 'pass' as redirected
    from criterion_results
    where criterion_id = 'redirected'
    group by call_id
)
select
    c.call_id,
    c.centre_id,
    c.line,
    c.operator_id,
    c.operator_tenure,
    c.started_local,
    c.direction,
    c.language,
    c.topic,
    c.client_type,
    c.status,
    s.score_pct,
    s.coverage_pct,
    coalesce(s.auto_fail, false) as auto_fail,
    coalesce(s.needs_review, false) as needs_review,
    a.call_id is not null as is_abusive,
    coalesce(a.abuse_exposure_s, 0) as abuse_exposure_s,
    c.wait_s,
    m.handling_time_s,
    m.hold_s,
    m.dead_air_s,
    m.operator_talk_ratio,
    m.interruptions_by_operator,
    m.client_sentiment_end - m.client_sentiment_start as client_sentiment_change,
    m.client_sentiment_start,
    m.client_sentiment_end,
    c.duration_s,
    c.disconnect_party,
    case
        when c.status <> 'graded' or c.disconnect_party = 'unknown' then null
        when c.disconnect_party = 'system' then false
        else c.disconnect_party = 'client' or p.outcome not in ('ended_without_warning', 'ended_without_notice', 'operator_at_fault')
    end as is_kept,
    coalesce(r.redirected, false) as redirected
from calls as c
left join scores as s on s.call_id = c.call_id
left join abuse as a on a.call_id = c.call_id
left join conversation_metrics as m on m.call_id = c.call_id
left join abuse_procedures as p on p.call_id = c.call_id
left join redirections as r on r.call_id = c.call_id;

comment on view call_facts is 'One line a call with all that scorecards add up; a person''s evaluation counts instead of the machine''s.';
comment on column call_facts.call_id is 'The call.';
comment on column call_facts.centre_id is 'The contact centre.';
comment on column call_facts.line is 'The line that took the call.';
comment on column call_facts.operator_id is 'Who answered.';
comment on column call_facts.operator_tenure is 'trainee, experienced, ...';
comment on column call_facts.started_local is 'When the call began, on the wall clock of the centre.';
comment on column call_facts.direction is 'inbound, outbound or callback.';
comment on column call_facts.language is 'The main language of the conversation.';
comment on column call_facts.topic is 'What the call was about.';
comment on column call_facts.client_type is 'How the client came across.';
comment on column call_facts.status is 'graded, quarantined or unscoreable.';
comment on column call_facts.score_pct is 'Score of the call, the mean over its scorecards; empty when nothing could be decided.';
comment on column call_facts.coverage_pct is 'Points decided of the points that apply, in percent.';
comment on column call_facts.auto_fail is 'A criterion failed that zeroes the evaluation.';
comment on column call_facts.needs_review is 'A person should listen to this call.';
comment on column call_facts.is_abusive is 'The client abused somebody in this call.';
comment on column call_facts.abuse_exposure_s is 'Seconds of abuse by the client.';
comment on column call_facts.wait_s is 'How long the client waited for an answer, in seconds.';
comment on column call_facts.handling_time_s is 'Handling time in seconds.';
comment on column call_facts.hold_s is 'Seconds on hold.';
comment on column call_facts.dead_air_s is 'Seconds of dead air.';
comment on column call_facts.operator_talk_ratio is 'Share of the call in which the operator speaks, 0 to 1.';
comment on column call_facts.interruptions_by_operator is 'How often the operator took the floor from the client.';
comment on column call_facts.client_sentiment_change is 'Sentiment of the client at the end less at the start, -2 to 2.';
comment on column call_facts.client_sentiment_start is 'Mean sentiment of the first third of the client''s turns, -1 to 1.';
comment on column call_facts.client_sentiment_end is 'Mean sentiment of the last third of the client''s turns, -1 to 1.';
comment on column call_facts.duration_s is 'Length of the recording in seconds.';
comment on column call_facts.disconnect_party is 'Who hung up: operator, client, system or unknown; from the exchange.';
comment on column call_facts.is_kept is
    'False when the line was cut, or the operator hung up on an abusive client without warning or notice; empty when nobody knows who hung up.';
comment on column call_facts.redirected is 'The criterion redirected was passed: a client of another company was told where to turn.';
