-- grain: one row per centre, line, operator and local day
create or replace view daily_work as
select
    f.centre_id,
    coalesce(f.line, 'unknown') as line,
    f.operator_id,
    cast(f.started_local as date) as day,
    max(f.started_local) as latest_local,
    max_by(f.operator_tenure, f.started_local) as operator_tenure,
    count(*) as calls,
    count(*) filter (where f.status = 'graded') as graded,
    count(*) filter (where f.status = 'quarantined') as quarantined,
    count(*) filter (where f.status = 'unscoreable') as unscoreable,
    count(f.score_pct) as scored_calls,
    settled(sum(f.score_pct)) as score_sum,
    settled(sum(e.expected_pct)) as expected_sum,
    settled(sum(e.usual_pct)) as usual_sum,
    settled(sum(e.line_effect_pct)) as line_effect_sum,
    round(sum(e.mix_doubt), 9) as mix_doubt_sum,
    settled(sum((f.score_pct - e.expected_pct) ** 2)) as squares_sum,
    settled(sum(f.coverage_pct)) as coverage_sum,
    count(f.coverage_pct) as evaluated_calls,
    count(*) filter (where f.needs_review) as needs_review,
    count(*) filter (where f.auto_fail) as auto_fails,
    count(*) filter (where f.is_abusive) as abusive_calls,
    settled(sum(f.abuse_exposure_s)) as abuse_exposure_s,
    count(f.wait_s) as waits,
    settled(sum(f.wait_s)) as wait_sum_s,
    max(f.wait_s) as longest_wait_s,
    count(*) filter (where f.wait_s <= quick_answer_s()) as quick_answers,
    count(f.handling_time_s) as measured_calls,
    settled(sum(f.handling_time_s)) as handling_time_sum_s,
    settled(sum(f.hold_s)) as hold_sum_s,
    settled(sum(f.dead_air_s)) as dead_air_sum_s,
    settled(sum(f.operator_talk_ratio)) as operator_talk_ratio_sum,
    count(f.operator_talk_ratio) as talk_ratios,
    settled(sum(f.interruptions_by_operator)) as interruptions_sum,
    count(f.client_sentiment_change) as sentiments,
    settled(sum(f.client_sentiment_start) filter (where f.client_sentiment_change is not null)) as sentiment_start_sum,
    settled(sum(f.client_sentiment_end) filter (where f.client_sentiment_change is not null)) as sentiment_end_sum,
    count(*) filter (where is_upset(f.client_sentiment_start) and f.client_sentiment_end is not null) as upset_calls,
    count(*) filter (where is_upset(f.client_sentiment_start) and f.client_sentiment_change > 0) as upset_calmed,
    count(*) filter (where f.is_kept) as kept_calls,
    count(*) filter (where not f.is_kept) as lost_calls,
    count(*) filter (where f.topic = 'meter_reading' and f.direction = 'inbound') as reading_calls,
    count(*) filter (where f.topic = 'wrong_company') as wrong_company_calls,
    count(*) filter (where f.topic = 'wrong_company' and f.redirected) as wrong_company_redirected,
    count(*) filter (where f.direction = 'callback') as callbacks,
    count(*) filter (where f.direction = 'callback' and f.status = 'graded') as callbacks_done
from call_facts as f
left join call_expectations as e on e.call_id = f.call_id
group by f.centre_id, coalesce(f.line, 'unknown'), f.operator_id, cast(f.started_local as date);

comment on view daily_work is
    'Sums and counts of a day''s calls, from which scorecards of any period are put together; operator_id is empty where the log does not say.';
comment on column daily_work.centre_id is 'The contact centre.';
comment on column daily_work.line is 'The line; unknown where the log does not say.';
comment on column daily_work.operator_id is 'Who answered.';
comment on column daily_work.day is 'The local day; empty for calls without a start time.';
comment on column daily_work.latest_local is 'Start of the latest call.';
comment on column daily_work.operator_tenure is 'Tenure as the log has it for the latest call.';
comment on column daily_work.calls is 'All calls received.';
comment on column daily_work.graded is 'Calls that were graded.';
comment on column daily_work.quarantined is 'Calls put aside for bad input.';
comment on column daily_work.unscoreable is 'Calls that nobody could judge.';
comment on column daily_work.scored_calls is 'Calls with a score.';
comment on column daily_work.score_sum is 'Sum of the scores in percent.';
comment on column daily_work.expected_sum is 'Sum of what an average operator would score in these calls.';
comment on column daily_work.usual_sum is 'Sum, over the scored calls, of the usual score of the centre in their month.';
comment on column daily_work.line_effect_sum is 'Sum of the parts of the expectations that the line makes.';
comment on column daily_work.mix_doubt_sum is 'Sum of the doubts about what the operators'' mixes are worth.';
comment on column daily_work.squares_sum is 'Sum of the squared differences of score and expectation.';
comment on column daily_work.coverage_sum is 'Sum of coverage_pct.';
comment on column daily_work.evaluated_calls is 'Calls with an evaluation.';
comment on column daily_work.needs_review is 'Calls that a person should listen to.';
comment on column daily_work.auto_fails is 'Calls with an automatic fail.';
comment on column daily_work.abusive_calls is 'Calls in which the client was abusive.';
comment on column daily_work.abuse_exposure_s is 'Seconds of abuse by clients.';
comment on column daily_work.waits is 'Calls whose waiting time is known.';
comment on column daily_work.wait_sum_s is 'Sum of the waiting times in seconds.';
comment on column daily_work.longest_wait_s is 'Longest waiting time in seconds.';
comment on column daily_work.quick_answers is 'Calls answered within 30 seconds.';
comment on column daily_work.measured_calls is 'Calls whose conversation was measured.';
comment on column daily_work.handling_time_sum_s is 'Sum of the handling times in seconds.';
comment on column daily_work.hold_sum_s is 'Sum of the seconds on hold.';
comment on column daily_work.dead_air_sum_s is 'Sum of the seconds of dead air.';
comment on column daily_work.operator_talk_ratio_sum is 'Sum of the shares of the call in which the operator speaks.';
comment on column daily_work.talk_ratios is 'Calls in which that share is known.';
comment on column daily_work.interruptions_sum is 'How often operators took the floor from the client.';
comment on column daily_work.sentiments is 'Calls whose sentiment is known at the start and at the end.';
comment on column daily_work.sentiment_start_sum is 'Sum of the sentiments at the start of these calls.';
comment on column daily_work.sentiment_end_sum is 'Sum of the sentiments at the end of these calls.';
comment on column daily_work.upset_calls is 'Calls whose client sounded upset at the start (and whose end is known).';
comment on column daily_work.upset_calmed is 'Calls among them whose client sounded better at the end.';
comment on column daily_work.kept_calls is 'Calls that came to their own end (call_facts.is_kept).';
comment on column daily_work.lost_calls is 'Calls that were cut off or ended against the procedure.';
comment on column daily_work.reading_calls is 'Inbound calls about a meter reading.';
comment on column daily_work.wrong_company_calls is 'Calls meant for another company.';
comment on column daily_work.wrong_company_redirected is 'Calls among them in which the operator said where to turn.';
comment on column daily_work.callbacks is 'Call-backs that clients had ordered.';
comment on column daily_work.callbacks_done is 'Call-backs among them that came to a conversation that could be graded.';
