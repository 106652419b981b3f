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
from made.daily_work;

comment on view daily_work is
    'Sums and counts of a day''s calls, from which scorecards of any period '
    'are put together; operator_id is empty where the log does not say.';
comment on column daily_work.centre_id is 'The contact centre.';
comment on column daily_work.line is 'The line; unknown where the log does not say.';
comment on column daily_work.operator_id is 'Who answered.';
comment on column daily_work.day is 'The local day; empty for calls without a start time.';
comment on column daily_work.latest_local is 'Start of the latest call.';
comment on column daily_work.operator_tenure is 'Tenure as the log has it for the latest call.';
comment on column daily_work.calls is 'All calls received.';
comment on column daily_work.graded is 'Calls that were graded.';
comment on column daily_work.quarantined is 'Calls rejected for bad input.';
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
