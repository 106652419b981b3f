-- grain: one row per subject (operator, line, centre), period (day, week, month, all) and its first day
create or replace view scorecard_measures as
select
    subject,
    centre_id,
    line,
    operator_id,
    period,
    period_start,
    operator_tenure,
    calls,
    graded,
    graded_pct,
    quarantined,
    unscoreable,
    scored_calls,
    unscored_calls,
    raw_score_pct,
    expected_score_pct,
    usual_score_pct,
    line_effect_pct,
    mix_doubt,
    squares_sum,
    needs_review,
    auto_fails,
    coverage_pct,
    abusive_calls,
    abusive_calls_pct,
    abuse_exposure_s,
    aht_s,
    wait_s,
    longest_wait_s,
    quick_answers_pct,
    hold_s,
    dead_air_s,
    operator_talk_ratio,
    interruptions_per_call,
    client_sentiment_start,
    client_sentiment_end,
    client_sentiment_change,
    upset_calls,
    upset_calmed,
    kept_calls,
    lost_calls,
    reading_calls,
    wrong_company_calls,
    wrong_company_redirected,
    callbacks,
    callbacks_done,
    operators
from intermediate.scorecard_measures;

comment on view scorecard_measures is
    'The measures shared by the scorecards of operators, lines and centres: one row for each of them and each period.';
comment on column scorecard_measures.subject is 'operator, line or centre.';
comment on column scorecard_measures.centre_id is 'The contact centre; empty where it is unknown.';
comment on column scorecard_measures.line is 'The line, for a row of a line.';
comment on column scorecard_measures.operator_id is 'The operator, for a row of an operator.';
comment on column scorecard_measures.period is 'day, week, month, or all for all published calls.';
comment on column scorecard_measures.period_start is
    'First local day of the period (weeks begin on Monday); empty for all and for calls without a start time.';
comment on column scorecard_measures.operator_tenure is 'Tenure in the log for the latest call.';
comment on column scorecard_measures.calls is 'All calls received, including those without a score.';
comment on column scorecard_measures.graded is 'Calls that were graded.';
comment on column scorecard_measures.scored_calls is 'Calls with a score.';
comment on column scorecard_measures.raw_score_pct is 'Unadjusted mean of the scores.';
comment on column scorecard_measures.expected_score_pct is
    'Mean score that an average operator would get in the same calls.';
comment on column scorecard_measures.usual_score_pct is
    'Mean score of an average operator in the usual calls of the centre.';
comment on column scorecard_measures.line_effect_pct is
    'The contribution of the line to the expected score, mean in points.';
comment on column scorecard_measures.mix_doubt is
    'Uncertainty of the effect of the mix, mean in variances of one call.';
comment on column scorecard_measures.squares_sum is 'Sum of squares of score minus expected score around their mean.';
comment on column scorecard_measures.abusive_calls is 'Calls in which the client was abusive.';
comment on column scorecard_measures.abuse_exposure_s is 'Seconds of abuse by clients.';
comment on column scorecard_measures.aht_s is 'Mean handling time in seconds.';
comment on column scorecard_measures.operators is 'Number of operators who answered.';
comment on column scorecard_measures.quarantined is 'Calls rejected for bad input.';
comment on column scorecard_measures.unscoreable is 'Calls that could not be judged.';
comment on column scorecard_measures.graded_pct is 'Graded calls as a share of all calls, in percent.';
comment on column scorecard_measures.unscored_calls is
    'Calls without a score: rejected, unscoreable, or without decided points. They are included in `calls` and in '
    'every share of calls.';
comment on column scorecard_measures.needs_review is 'Calls that a person should listen to.';
comment on column scorecard_measures.auto_fails is 'Calls with an automatic fail.';
comment on column scorecard_measures.coverage_pct is
    'Points decided as a share of the applicable points, mean in percent.';
comment on column scorecard_measures.abusive_calls_pct is
    'Abusive calls as a share of all calls, in percent; a lower bound, because rejected calls count as not abusive.';
comment on column scorecard_measures.wait_s is 'Mean waiting time of the clients in seconds.';
comment on column scorecard_measures.longest_wait_s is 'Longest waiting time of a client in seconds.';
comment on column scorecard_measures.quick_answers_pct is
    'Calls answered within 30 seconds, as a share of those with a known waiting time, in percent.';
comment on column scorecard_measures.hold_s is 'Mean time on hold per call, in seconds.';
comment on column scorecard_measures.dead_air_s is 'Mean dead air per call, in seconds.';
comment on column scorecard_measures.operator_talk_ratio is 'Mean share of the call in which the operator speaks, 0 to 1.';
comment on column scorecard_measures.interruptions_per_call is 'Interruptions of the client by the operator, per call.';
comment on column scorecard_measures.client_sentiment_start is
    'Mean sentiment of the clients in the first third of their turns, -1 to 1; calls with both ends known.';
comment on column scorecard_measures.client_sentiment_end is
    'Mean sentiment of the clients in the last third of their turns, -1 to 1; calls with both ends known.';
comment on column scorecard_measures.client_sentiment_change is
    'Mean sentiment of the clients at the end minus that at the start.';
comment on column scorecard_measures.upset_calls is 'Calls whose client was upset at the start (by sentiment).';
comment on column scorecard_measures.upset_calmed is 'Those of them whose client had a better sentiment at the end.';
comment on column scorecard_measures.kept_calls is
    'Calls that ended normally: the client hung up, or the operator did so as the rules allow.';
comment on column scorecard_measures.lost_calls is
    'Calls that were cut off, or that the operator ended against the abuse procedure. Calls whose disconnect party '
    'is unknown are neither kept nor lost.';
comment on column scorecard_measures.reading_calls is 'Inbound calls about a meter reading, which a voice assistant could have taken.';
comment on column scorecard_measures.wrong_company_calls is 'Calls meant for another company.';
comment on column scorecard_measures.wrong_company_redirected is
    'Those of them in which the operator told the client where to call.';
comment on column scorecard_measures.callbacks is 'Call-backs requested by clients, as far as the log has them.';
comment on column scorecard_measures.callbacks_done is 'Those of them that led to a conversation that could be graded.';
