-- grain: one row per centre, line (and line all for the whole centre), period (day, week, month) and its first day
create or replace view centre_scorecards as
with adjusted as (
    -- The effect of the line is not adjusted for, or all lines would look alike.
    select
        *,
        usual_score_pct + raw_score_pct - expected_score_pct
        + case
            when subject = 'line'
                then line_effect_pct - max(line_effect_pct) filter (where subject = 'centre')
                    over (partition by centre_id, period, period_start)
            else 0
        end as adjusted_pct,
        interval_90() * sqrt(within_variance(squares_sum, scored_calls, 1) / nullif(scored_calls, 0)) as half_pct
    from intermediate.scorecard_measures
    where subject <> 'operator' and period <> 'all'
)
select
    w.centre_id,
    coalesce(w.line, 'all') as line,
    w.period_start,
    w.period,
    w.calls,
    w.graded,
    settled(as_pct(w.adjusted_pct)) as score_pct,
    settled(as_pct(w.adjusted_pct - w.half_pct)) as score_low_pct,
    settled(as_pct(w.adjusted_pct + w.half_pct)) as score_high_pct,
    w.abusive_calls,
    w.abuse_exposure_s,
    w.aht_s,
    w.raw_score_pct,
    w.expected_score_pct,
    w.scored_calls,
    w.operators,
    settled(w.calls / nullif(w.operators, 0)) as calls_per_operator,
    w.quarantined,
    w.unscoreable,
    w.graded_pct,
    w.unscored_calls,
    w.needs_review,
    w.auto_fails,
    w.coverage_pct,
    w.abusive_calls_pct,
    w.wait_s,
    w.longest_wait_s,
    w.quick_answers_pct,
    w.hold_s,
    w.dead_air_s,
    w.operator_talk_ratio,
    w.interruptions_per_call,
    w.client_sentiment_start,
    w.client_sentiment_end,
    w.client_sentiment_change,
    w.upset_calls,
    w.upset_calmed,
    w.kept_calls,
    w.lost_calls,
    w.reading_calls,
    w.wrong_company_calls,
    w.wrong_company_redirected,
    w.callbacks,
    w.callbacks_done
from adjusted as w;

comment on view centre_scorecards is
    'Centres and their lines by day, week and month: score (adjusted for the call mix), waiting, load and abuse.';
comment on column centre_scorecards.centre_id is 'The contact centre; empty where it is unknown.';
comment on column centre_scorecards.line is 'The line; all for the whole centre, unknown where the log has none.';
comment on column centre_scorecards.period_start is
    'First local day of the period (weeks begin on Monday); empty for calls without a start time.';
comment on column centre_scorecards.period is 'day, week or month.';
comment on column centre_scorecards.calls is 'All calls received, including those without a score.';
comment on column centre_scorecards.graded is 'Calls that were graded.';
comment on column centre_scorecards.score_pct is
    'Mean score of the scored calls in percent, adjusted to the usual call mix of the month; for a line, the effect'
    ' of the line itself is not adjusted for.';
comment on column centre_scorecards.score_low_pct is 'Lower end of the 90 % interval of the adjusted mean.';
comment on column centre_scorecards.score_high_pct is 'Upper end of the 90 % interval of the adjusted mean.';
comment on column centre_scorecards.abusive_calls is 'Calls in which the client was abusive.';
comment on column centre_scorecards.abuse_exposure_s is 'Seconds of abuse by clients.';
comment on column centre_scorecards.aht_s is 'Mean handling time in seconds.';
comment on column centre_scorecards.raw_score_pct is 'Unadjusted mean of the scores.';
comment on column centre_scorecards.expected_score_pct is
    'Mean score that an average operator of this centre would get in the same calls.';
comment on column centre_scorecards.scored_calls is 'Calls with a score.';
comment on column centre_scorecards.operators is 'Number of operators who answered.';
comment on column centre_scorecards.calls_per_operator is 'Calls per operator.';
comment on column centre_scorecards.quarantined is 'Calls rejected for bad input.';
comment on column centre_scorecards.unscoreable is 'Calls that could not be judged.';
comment on column centre_scorecards.graded_pct is 'Graded calls as a share of all calls, in percent.';
comment on column centre_scorecards.unscored_calls is
    'Calls without a score: rejected, unscoreable, or without decided points. They are included in `calls` and in '
    'every share of calls.';
comment on column centre_scorecards.needs_review is 'Calls that a person should listen to.';
comment on column centre_scorecards.auto_fails is 'Calls with an automatic fail.';
comment on column centre_scorecards.coverage_pct is
    'Points decided as a share of the applicable points, mean in percent.';
comment on column centre_scorecards.abusive_calls_pct is
    'Abusive calls as a share of all calls, in percent; a lower bound, because rejected calls count as not abusive.';
comment on column centre_scorecards.wait_s is 'Mean waiting time of the clients in seconds.';
comment on column centre_scorecards.longest_wait_s is 'Longest waiting time of a client in seconds.';
comment on column centre_scorecards.quick_answers_pct is
    'Calls answered within 30 seconds, as a share of those with a known waiting time, in percent.';
comment on column centre_scorecards.hold_s is 'Mean time on hold per call, in seconds.';
comment on column centre_scorecards.dead_air_s is 'Mean dead air per call, in seconds.';
comment on column centre_scorecards.operator_talk_ratio is 'Mean share of the call in which the operator speaks, 0 to 1.';
comment on column centre_scorecards.interruptions_per_call is 'Interruptions of the client by the operator, per call.';
comment on column centre_scorecards.client_sentiment_start is
    'Mean sentiment of the clients in the first third of their turns, -1 to 1; calls with both ends known.';
comment on column centre_scorecards.client_sentiment_end is
    'Mean sentiment of the clients in the last third of their turns, -1 to 1; calls with both ends known.';
comment on column centre_scorecards.client_sentiment_change is
    'Mean sentiment of the clients at the end minus that at the start.';
comment on column centre_scorecards.upset_calls is 'Calls whose client was upset at the start (by sentiment).';
comment on column centre_scorecards.upset_calmed is 'Those of them whose client had a better sentiment at the end.';
comment on column centre_scorecards.kept_calls is
    'Calls that ended normally: the client hung up, or the operator did so as the rules allow.';
comment on column centre_scorecards.lost_calls is
    'Calls that were cut off, or that the operator ended against the abuse procedure. Calls whose disconnect party '
    'is unknown are neither kept nor lost.';
comment on column centre_scorecards.reading_calls is 'Inbound calls about a meter reading, which a voice assistant could have taken.';
comment on column centre_scorecards.wrong_company_calls is 'Calls meant for another company.';
comment on column centre_scorecards.wrong_company_redirected is
    'Those of them in which the operator told the client where to call.';
comment on column centre_scorecards.callbacks is 'Call-backs requested by clients, as far as the log has them.';
comment on column centre_scorecards.callbacks_done is 'Those of them that led to a conversation that could be graded.';
