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
from made.scorecard_measures;

comment on view scorecard_measures is
    'What scorecards of operators, lines and centres have in common, measured in one place: one row for each of them and each period.';
comment on column scorecard_measures.subject is 'operator, line or centre.';
comment on column scorecard_measures.centre_id is 'The contact centre; empty where not even that is known.';
comment on column scorecard_measures.line is 'The line, for a row of a line.';
comment on column scorecard_measures.operator_id is 'The operator, for a row of an operator.';
comment on column scorecard_measures.period is 'day, week, month, or all for everything published.';
comment on column scorecard_measures.period_start is
    'First local day of the period (weeks begin on Monday); empty for all and for calls without a start time.';
comment on column scorecard_measures.operator_tenure is 'Tenure as the log has it for the latest call.';
comment on column scorecard_measures.calls is 'All calls received, also those that nobody could score.';
comment on column scorecard_measures.graded is 'Calls that were graded.';
comment on column scorecard_measures.scored_calls is 'Calls with a score.';
comment on column scorecard_measures.raw_score_pct is 'Plain mean of the scores.';
comment on column scorecard_measures.expected_score_pct is 'What an average operator would score in the same calls.';
comment on column scorecard_measures.usual_score_pct is 'What an average operator scores in the usual calls of the centre.';
comment on column scorecard_measures.line_effect_pct is 'The part of the expectation that the line makes, mean in points.';
comment on column scorecard_measures.mix_doubt is 'How uncertain the worth of the mix is, mean in variances of one call.';
comment on column scorecard_measures.squares_sum is 'Sum of squares of score less expectation around their mean.';
comment on column scorecard_measures.abusive_calls is 'Calls in which the client was abusive.';
comment on column scorecard_measures.abuse_exposure_s is 'Seconds of abuse by clients.';
comment on column scorecard_measures.aht_s is 'Mean handling time in seconds.';
comment on column scorecard_measures.operators is 'Operators who answered.';
comment on column scorecard_measures.quarantined is 'Calls rejected for bad input.';
comment on column scorecard_measures.unscoreable is 'Calls that nobody could judge.';
comment on column scorecard_measures.graded_pct is 'Graded calls of all calls, in percent.';
comment on column scorecard_measures.unscored_calls is
    'Calls without a score: rejected, not to be judged, or nothing decided. They are in `calls` and in every share of calls.';
comment on column scorecard_measures.needs_review is 'Calls that a person should listen to.';
comment on column scorecard_measures.auto_fails is 'Calls with an automatic fail.';
comment on column scorecard_measures.coverage_pct is 'Points decided of the points that apply, mean in percent.';
comment on column scorecard_measures.abusive_calls_pct is
    'Abusive calls of all calls, in percent; calls that nobody could hear count as calm, so it is the least.';
comment on column scorecard_measures.wait_s is 'Mean waiting time of the clients in seconds.';
comment on column scorecard_measures.longest_wait_s is 'Longest waiting time of a client in seconds.';
comment on column scorecard_measures.quick_answers_pct is
    'Calls answered within 30 seconds, in percent of those whose waiting time is known.';
comment on column scorecard_measures.hold_s is 'Mean time on hold a call, in seconds.';
comment on column scorecard_measures.dead_air_s is 'Mean dead air a call, in seconds.';
comment on column scorecard_measures.operator_talk_ratio is 'Mean share of the call in which the operator speaks, 0 to 1.';
comment on column scorecard_measures.interruptions_per_call is 'How often a call the operator took the floor from the client.';
comment on column scorecard_measures.client_sentiment_start is
    'Mean sentiment of the clients in the first third of their turns, -1 to 1; calls with both ends known.';
comment on column scorecard_measures.client_sentiment_end is
    'Mean sentiment of the clients in the last third of their turns, -1 to 1; calls with both ends known.';
comment on column scorecard_measures.client_sentiment_change is 'Mean sentiment of the clients at the end less at the start.';
comment on column scorecard_measures.upset_calls is 'Calls whose client sounded upset at the start.';
comment on column scorecard_measures.upset_calmed is 'Calls among them whose client sounded better at the end.';
comment on column scorecard_measures.kept_calls is
    'Calls that came to their own end: the client hung up, or the operator did as the rules allow.';
comment on column scorecard_measures.lost_calls is
    'Calls that were cut off, or that the operator ended against the abuse procedure. Neither counts where nobody knows who hung up.';
comment on column scorecard_measures.reading_calls is 'Inbound calls about a meter reading, which a voice assistant could have taken.';
comment on column scorecard_measures.wrong_company_calls is 'Calls meant for another company.';
comment on column scorecard_measures.wrong_company_redirected is 'Calls among them in which the operator said where to turn.';
comment on column scorecard_measures.callbacks is 'Call-backs that clients had ordered, as far as the log has them.';
comment on column scorecard_measures.callbacks_done is 'Call-backs among them that came to a conversation that could be graded.';
