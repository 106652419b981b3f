-- grain: one row per centre, line, operator and local day
create or replace view daily_work as
select
    centre_id,
    line,
    operator_id,
    day,
    latest_local,
    operator_tenure,
    calls,
    graded,
    quarantined,
    unscoreable,
    scored_calls,
    score_sum,
    expected_sum,
    usual_sum,
    line_effect_sum,
    mix_doubt_sum,
    squares_sum,
    coverage_sum,
    evaluated_calls,
    needs_review,
    auto_fails,
    abusive_calls,
    abuse_exposure_s,
    waits,
    wait_sum_s,
    longest_wait_s,
    quick_answers,
    measured_calls,
    handling_time_sum_s,
    hold_sum_s,
    dead_air_sum_s,
    operator_talk_ratio_sum,
    talk_ratios,
    interruptions_sum,
    sentiments,
    sentiment_start_sum,
    sentiment_end_sum,
    upset_calls,
    upset_calmed,
    kept_calls,
    lost_calls,
    reading_calls,
    wrong_company_calls,
    wrong_company_redirected,
    callbacks,
    callbacks_done
from intermediate.daily_work;

comment on view daily_work is
    'Sums and counts of a day''s calls, from which the scorecards of all periods are computed; operator_id is empty'
    ' where the log has none.';
comment on column daily_work.centre_id is 'The contact centre.';
comment on column daily_work.line is 'The line; unknown where the log has none.';
comment on column daily_work.operator_id is 'The operator who answered.';
comment on column daily_work.day is 'The local day; empty for calls without a start time.';
comment on column daily_work.latest_local is 'Start of the latest call.';
comment on column daily_work.operator_tenure is 'Tenure in the log for the latest call.';
comment on column daily_work.calls is 'All calls received.';
comment on column daily_work.graded is 'Calls that were graded.';
comment on column daily_work.quarantined is 'Calls rejected for bad input.';
comment on column daily_work.unscoreable is 'Calls that could not be judged.';
comment on column daily_work.scored_calls is 'Calls with a score.';
comment on column daily_work.score_sum is 'Sum of the scores in percent.';
comment on column daily_work.expected_sum is 'Sum of the expected scores of an average operator in these calls.';
comment on column daily_work.usual_sum is 'Sum of the centre''s usual score in their month over the scored calls.';
comment on column daily_work.line_effect_sum is 'Sum of the contributions of the line to the expected scores.';
comment on column daily_work.mix_doubt_sum is 'Sum of the uncertainties of the effects of the operators'' mixes.';
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
comment on column daily_work.measured_calls is 'Calls with conversation metrics.';
comment on column daily_work.handling_time_sum_s is 'Sum of the handling times in seconds.';
comment on column daily_work.hold_sum_s is 'Sum of the seconds on hold.';
comment on column daily_work.dead_air_sum_s is 'Sum of the seconds of dead air.';
comment on column daily_work.operator_talk_ratio_sum is 'Sum of the shares of the call in which the operator speaks.';
comment on column daily_work.talk_ratios is 'Calls in which that share is known.';
comment on column daily_work.interruptions_sum is 'How often operators interrupted the client.';
comment on column daily_work.sentiments is 'Calls whose sentiment is known at the start and at the end.';
comment on column daily_work.sentiment_start_sum is 'Sum of the sentiments at the start of these calls.';
comment on column daily_work.sentiment_end_sum is 'Sum of the sentiments at the end of these calls.';
comment on column daily_work.upset_calls is
    'Calls whose client was upset at the start (by sentiment; sentiment at the end known).';
comment on column daily_work.upset_calmed is 'Those of them whose client had a better sentiment at the end.';
comment on column daily_work.kept_calls is 'Calls that ended normally (call_facts.is_kept).';
comment on column daily_work.lost_calls is 'Calls that were cut off or ended against the procedure.';
comment on column daily_work.reading_calls is 'Inbound calls about a meter reading.';
comment on column daily_work.wrong_company_calls is 'Calls meant for another company.';
comment on column daily_work.wrong_company_redirected is
    'Those of them in which the operator told the client where to call.';
comment on column daily_work.callbacks is 'Call-backs requested by clients.';
comment on column daily_work.callbacks_done is 'Those of them that led to a conversation that could be graded.';
