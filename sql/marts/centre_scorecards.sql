-- grain: one row per centre, line (and line all for the whole centre), period (day, week, month) and its first day
create or replace view centre_scorecards as
with adjusted as (
    -- A line keeps its own effect: taking it out would make all lines alike.
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
    from scorecard_measures
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
    'Centres and their lines by day, week and month: score with the call mix taken out, waiting, load and abuse.';
comment on column centre_scorecards.centre_id is 'The contact centre; empty where not even that is known.';
comment on column centre_scorecards.line is 'The line; all for the whole centre, unknown where the log does not say.';
comment on column centre_scorecards.period_start is
    'First local day of the period (weeks begin on Monday); empty for calls without a start time.';
comment on column centre_scorecards.period is 'day, week or month.';
comment on column centre_scorecards.calls is 'All calls received, also those that nobody could score.';
comment on column centre_scorecards.graded is 'Calls that were graded.';
comment on column centre_scorecards.score_pct is
    'Mean score of the scored calls in percent, as it would be with the usual '
    'call mix of the month; for a line, all but the line itself is adjusted for.';
comment on column centre_scorecards.score_low_pct is 'Lower end of the 90 % interval of the adjusted mean.';
comment on column centre_scorecards.score_high_pct is 'Upper end of the 90 % interval of the adjusted mean.';
comment on column centre_scorecards.abusive_calls is 'Calls in which the client was abusive.';
comment on column centre_scorecards.abuse_exposure_s is 'Seconds of abuse by clients.';
comment on column centre_scorecards.aht_s is 'Mean handling time in seconds.';
comment on column centre_scorecards.raw_score_pct is 'Plain mean of the scores, before any adjustment.';
comment on column centre_scorecards.expected_score_pct is 'What the same calls score with an average operator of this centre.';
comment on column centre_scorecards.scored_calls is 'Calls with a score.';
comment on column centre_scorecards.operators is 'Operators who answered.';
comment on column centre_scorecards.calls_per_operator is 'Calls for each of these operators.';
comment on column centre_scorecards.quarantined is 'Calls rejected for bad input.';
comment on column centre_scorecards.unscoreable is 'Calls that nobody could judge.';
comment on column centre_scorecards.graded_pct is 'Graded calls of all calls, in percent.';
comment on column centre_scorecards.unscored_calls is
    'Calls without a score: rejected, not to be judged, or nothing decided. They are in `calls` and in every share of calls.';
comment on column centre_scorecards.needs_review is 'Calls that a person should listen to.';
comment on column centre_scorecards.auto_fails is 'Calls with an automatic fail.';
comment on column centre_scorecards.coverage_pct is 'Points decided of the points that apply, mean in percent.';
comment on column centre_scorecards.abusive_calls_pct is
    'Abusive calls of all calls, in percent; calls that nobody could hear count as calm, so it is the least.';
comment on column centre_scorecards.wait_s is 'Mean waiting time of the clients in seconds.';
comment on column centre_scorecards.longest_wait_s is 'Longest waiting time of a client in seconds.';
comment on column centre_scorecards.quick_answers_pct is
    'Calls answered within 30 seconds, in percent of those whose waiting time is known.';
comment on column centre_scorecards.hold_s is 'Mean time on hold a call, in seconds.';
comment on column centre_scorecards.dead_air_s is 'Mean dead air a call, in seconds.';
comment on column centre_scorecards.operator_talk_ratio is 'Mean share of the call in which the operator speaks, 0 to 1.';
comment on column centre_scorecards.interruptions_per_call is 'How often a call the operator took the floor from the client.';
comment on column centre_scorecards.client_sentiment_start is
    'Mean sentiment of the clients in the first third of their turns, -1 to 1; calls with both ends known.';
comment on column centre_scorecards.client_sentiment_end is
    'Mean sentiment of the clients in the last third of their turns, -1 to 1; calls with both ends known.';
comment on column centre_scorecards.client_sentiment_change is 'Mean sentiment of the clients at the end less at the start.';
comment on column centre_scorecards.upset_calls is 'Calls whose client sounded upset at the start.';
comment on column centre_scorecards.upset_calmed is 'Calls among them whose client sounded better at the end.';
comment on column centre_scorecards.kept_calls is
    'Calls that came to their own end: the client hung up, or the operator did as the rules allow.';
comment on column centre_scorecards.lost_calls is
    'Calls that were cut off, or that the operator ended against the abuse procedure. Neither counts where nobody knows who hung up.';
comment on column centre_scorecards.reading_calls is 'Inbound calls about a meter reading, which a voice assistant could have taken.';
comment on column centre_scorecards.wrong_company_calls is 'Calls meant for another company.';
comment on column centre_scorecards.wrong_company_redirected is 'Calls among them in which the operator said where to turn.';
comment on column centre_scorecards.callbacks is 'Call-backs that clients had ordered, as far as the log has them.';
comment on column centre_scorecards.callbacks_done is 'Call-backs among them that came to a conversation that could be graded.';
