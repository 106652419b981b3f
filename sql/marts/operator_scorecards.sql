-- grain: one row per centre, operator, period (day, week, month) and its first day
create or replace view operator_scorecards as
with exposure as (
    select
        s.centre_id,
        s.operator_id,
        p.period,
        period_of(p.period, s.shift_start_local) as period_start,
        count(*) as shifts,
        settled(avg(s.calls)) as calls_per_shift,
        max(s.calls) as busiest_shift_calls,
        settled(avg(s.busy_ratio)) as busy_ratio,
        max(s.abusive_in_a_row) as abusive_in_a_row,
        count(s.rest_due_local) as rests_due,
        cast(sum(s.calls_after_rest_due) as bigint) as calls_after_rest_due
    from intermediate.operator_shifts as s
    cross join (values ('day'), ('week'), ('month')) as p (period)
    group by all
)
select
    w.operator_id,
    w.centre_id,
    w.period_start,
    w.period,
    w.calls,
    w.graded,
    s.score_pct,
    s.score_low_pct,
    s.score_high_pct,
    w.abusive_calls,
    w.abuse_exposure_s,
    w.aht_s,
    w.raw_score_pct,
    w.expected_score_pct,
    s.own_score_pct,
    w.scored_calls,
    is_trainee(w.operator_tenure) as is_trainee,
    s.peers,
    s.peer_score_pct,
    s.standing,
    s.first_group,
    s.last_group,
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
    w.callbacks_done,
    e.shifts,
    e.calls_per_shift,
    e.busiest_shift_calls,
    e.busy_ratio,
    e.abusive_in_a_row,
    e.rests_due,
    e.calls_after_rest_due,
    w.operator_tenure
from intermediate.scorecard_measures as w
left join intermediate.operator_scores as s
    on
        s.operator_id = w.operator_id and s.centre_id is not distinct from w.centre_id and s.period = w.period
        and s.period_start is not distinct from w.period_start
left join exposure as e
    on
        e.operator_id = w.operator_id and e.centre_id is not distinct from w.centre_id and e.period = w.period
        and e.period_start is not distinct from w.period_start
where w.subject = 'operator' and w.period <> 'all';

comment on view operator_scorecards is
    'Operators by day, week and month: their score and their peers'' score, both adjusted '
    'for the call mix; their load, and their exposure to abuse.';
comment on column operator_scorecards.operator_id is 'The operator.';
comment on column operator_scorecards.centre_id is 'The contact centre.';
comment on column operator_scorecards.period_start is 'First local day of the period (weeks begin on Monday).';
comment on column operator_scorecards.period is 'day, week or month.';
comment on column operator_scorecards.calls is 'All calls received, including those without a score.';
comment on column operator_scorecards.graded is 'Calls that were graded.';
comment on column operator_scorecards.score_pct is
    'Score in percent, adjusted for the call mix and shrunk towards the peers where calls are few; empty when no '
    'call could be scored. See docs/comparing.md.';
comment on column operator_scorecards.score_low_pct is 'Lower end of the 90 % interval of the adjusted score.';
comment on column operator_scorecards.score_high_pct is
    'Upper end of the 90 % interval; two operators whose intervals overlap cannot be distinguished.';
comment on column operator_scorecards.abusive_calls is 'Calls in which the client was abusive.';
comment on column operator_scorecards.abuse_exposure_s is 'Seconds of abuse that the operator was exposed to.';
comment on column operator_scorecards.aht_s is 'Mean handling time in seconds.';
comment on column operator_scorecards.raw_score_pct is 'Unadjusted mean of the scores.';
comment on column operator_scorecards.expected_score_pct is
    'Mean score that an average operator of this centre would get in the same calls.';
comment on column operator_scorecards.own_score_pct is
    'The score adjusted for the call mix, before shrinkage towards the peers.';
comment on column operator_scorecards.scored_calls is 'Calls with a score.';
comment on column operator_scorecards.is_trainee is
    'The operator was a trainee in the latest call of the period; trainees are compared only with trainees.';
comment on column operator_scorecards.peers is 'Number of operators in the comparison, including this one.';
comment on column operator_scorecards.peer_score_pct is 'Mean score of the peers, adjusted in the same way.';
comment on column operator_scorecards.standing is
    'above or below when the whole interval is on one side of the mean of the peers, else not told apart.';
comment on column operator_scorecards.first_group is
    'Groups of peers who cannot be distinguished are numbered from the best, 1; an operator can belong to several '
    'that follow each other. This is the first.';
comment on column operator_scorecards.last_group is
    'The last group. Two peers who share a group cannot be distinguished; two who share none can.';
comment on column operator_scorecards.quarantined is 'Calls rejected for bad input.';
comment on column operator_scorecards.unscoreable is 'Calls that could not be judged.';
comment on column operator_scorecards.graded_pct is 'Graded calls as a share of all calls, in percent.';
comment on column operator_scorecards.unscored_calls is
    'Calls without a score: rejected, unscoreable, or without decided points. They are included in `calls` and in '
    'every share of calls.';
comment on column operator_scorecards.needs_review is 'Calls that a person should listen to.';
comment on column operator_scorecards.auto_fails is 'Calls with an automatic fail.';
comment on column operator_scorecards.coverage_pct is
    'Points decided as a share of the applicable points, mean in percent.';
comment on column operator_scorecards.abusive_calls_pct is
    'Abusive calls as a share of all calls, in percent; a lower bound, because rejected calls count as not abusive.';
comment on column operator_scorecards.wait_s is 'Mean waiting time of the clients in seconds.';
comment on column operator_scorecards.longest_wait_s is 'Longest waiting time of a client in seconds.';
comment on column operator_scorecards.quick_answers_pct is
    'Calls answered within 30 seconds, as a share of those with a known waiting time, in percent.';
comment on column operator_scorecards.hold_s is 'Mean time on hold per call, in seconds.';
comment on column operator_scorecards.dead_air_s is 'Mean dead air per call, in seconds.';
comment on column operator_scorecards.operator_talk_ratio is 'Mean share of the call in which the operator speaks, 0 to 1.';
comment on column operator_scorecards.interruptions_per_call is
    'Interruptions of the client by the operator, per call.';
comment on column operator_scorecards.client_sentiment_start is
    'Mean sentiment of the clients in the first third of their turns, -1 to 1; calls with both ends known.';
comment on column operator_scorecards.client_sentiment_end is
    'Mean sentiment of the clients in the last third of their turns, -1 to 1; calls with both ends known.';
comment on column operator_scorecards.client_sentiment_change is
    'Mean sentiment of the clients at the end minus that at the start.';
comment on column operator_scorecards.upset_calls is 'Calls whose client was upset at the start (by sentiment).';
comment on column operator_scorecards.upset_calmed is 'Those of them whose client had a better sentiment at the end.';
comment on column operator_scorecards.kept_calls is
    'Calls that ended normally: the client hung up, or the operator did so as the rules allow.';
comment on column operator_scorecards.lost_calls is
    'Calls that were cut off, or that the operator ended against the abuse procedure. Calls whose disconnect party '
    'is unknown are neither kept nor lost.';
comment on column operator_scorecards.reading_calls is 'Inbound calls about a meter reading, which a voice assistant could have taken.';
comment on column operator_scorecards.wrong_company_calls is 'Calls meant for another company.';
comment on column operator_scorecards.wrong_company_redirected is
    'Those of them in which the operator told the client where to call.';
comment on column operator_scorecards.callbacks is 'Call-backs requested by clients, as far as the log has them.';
comment on column operator_scorecards.callbacks_done is
    'Those of them that led to a conversation that could be graded.';
comment on column operator_scorecards.shifts is 'Shifts that began in the period (see operator_shifts).';
comment on column operator_scorecards.calls_per_shift is 'Mean number of calls per shift.';
comment on column operator_scorecards.busiest_shift_calls is 'Number of calls in the busiest shift.';
comment on column operator_scorecards.busy_ratio is 'Share of the shifts spent in calls, 0 to 1.';
comment on column operator_scorecards.abusive_in_a_row is
    'The longest run of consecutive abusive calls within a shift.';
comment on column operator_scorecards.rests_due is 'Shifts in which a rest was due by the centre''s rule (rest_rules).';
comment on column operator_scorecards.calls_after_rest_due is 'Calls answered in such shifts after the rest was due.';
comment on column operator_scorecards.operator_tenure is 'Tenure in the log for the latest call of the period.';
