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
    from operator_shifts as s
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
from scorecard_measures as w
left join operator_scores as s
    on
        s.operator_id = w.operator_id and s.centre_id is not distinct from w.centre_id and s.period = w.period
        and s.period_start is not distinct from w.period_start
left join exposure as e
    on
        e.operator_id = w.operator_id and e.centre_id is not distinct from w.centre_id and e.period = w.period
        and e.period_start is not distinct from w.period_start
where w.subject = 'operator' and w.period <> 'all';

comment on view operator_scorecards is
    'Operators by day, week and month: their score beside their peers'' with '
    'the call mix taken out, their load, and what they had to listen to.';
comment on column operator_scorecards.operator_id is 'The operator.';
comment on column operator_scorecards.centre_id is 'The contact centre.';
comment on column operator_scorecards.period_start is 'First local day of the period (weeks begin on Monday).';
comment on column operator_scorecards.period is 'day, week or month.';
comment on column operator_scorecards.calls is 'All calls received, also those that nobody could score.';
comment on column operator_scorecards.graded is 'Calls that were graded.';
comment on column operator_scorecards.score_pct is
    'Score in percent, adjusted for the call mix and drawn towards the peers where '
    'calls are few; empty when no call could be scored. See docs/comparing.md.';
comment on column operator_scorecards.score_low_pct is 'Lower end of the 90 % interval of the adjusted score.';
comment on column operator_scorecards.score_high_pct is
    'Upper end of the 90 % interval; two operators whose intervals meet cannot be told apart.';
comment on column operator_scorecards.abusive_calls is 'Calls in which the client was abusive.';
comment on column operator_scorecards.abuse_exposure_s is 'Seconds of abuse the operator had to listen to.';
comment on column operator_scorecards.aht_s is 'Mean handling time in seconds.';
comment on column operator_scorecards.raw_score_pct is 'Plain mean of the scores, before any adjustment.';
comment on column operator_scorecards.expected_score_pct is 'What the same calls score with an average operator of this centre.';
comment on column operator_scorecards.own_score_pct is 'The score adjusted for the call mix, before it is drawn towards the peers.';
comment on column operator_scorecards.scored_calls is 'Calls with a score.';
comment on column operator_scorecards.is_trainee is
    'The latest call of the period was taken as a trainee; trainees are compared with trainees only.';
comment on column operator_scorecards.peers is 'Operators who are compared with each other here, this one included.';
comment on column operator_scorecards.peer_score_pct is 'Mean score of the peers, adjusted in the same way.';
comment on column operator_scorecards.standing is
    'above or below when the whole interval lies on one side of the mean of the peers, else not told apart.';
comment on column operator_scorecards.first_group is
    'Groups of peers who cannot be told apart are numbered from the best, 1; an '
    'operator can belong to several that follow each other. This is the first.';
comment on column operator_scorecards.last_group is
    'The last group. Two peers who share a group cannot be told apart; two who share none can.';
comment on column operator_scorecards.quarantined is 'Calls rejected for bad input.';
comment on column operator_scorecards.unscoreable is 'Calls that nobody could judge.';
comment on column operator_scorecards.graded_pct is 'Graded calls of all calls, in percent.';
comment on column operator_scorecards.unscored_calls is
    'Calls without a score: rejected, not to be judged, or nothing decided. They are in `calls` and in every share of calls.';
comment on column operator_scorecards.needs_review is 'Calls that a person should listen to.';
comment on column operator_scorecards.auto_fails is 'Calls with an automatic fail.';
comment on column operator_scorecards.coverage_pct is 'Points decided of the points that apply, mean in percent.';
comment on column operator_scorecards.abusive_calls_pct is
    'Abusive calls of all calls, in percent; calls that nobody could hear count as calm, so it is the least.';
comment on column operator_scorecards.wait_s is 'Mean waiting time of the clients in seconds.';
comment on column operator_scorecards.longest_wait_s is 'Longest waiting time of a client in seconds.';
comment on column operator_scorecards.quick_answers_pct is
    'Calls answered within 30 seconds, in percent of those whose waiting time is known.';
comment on column operator_scorecards.hold_s is 'Mean time on hold a call, in seconds.';
comment on column operator_scorecards.dead_air_s is 'Mean dead air a call, in seconds.';
comment on column operator_scorecards.operator_talk_ratio is 'Mean share of the call in which the operator speaks, 0 to 1.';
comment on column operator_scorecards.interruptions_per_call is 'How often a call the operator took the floor from the client.';
comment on column operator_scorecards.client_sentiment_start is
    'Mean sentiment of the clients in the first third of their turns, -1 to 1; calls with both ends known.';
comment on column operator_scorecards.client_sentiment_end is
    'Mean sentiment of the clients in the last third of their turns, -1 to 1; calls with both ends known.';
comment on column operator_scorecards.client_sentiment_change is 'Mean sentiment of the clients at the end less at the start.';
comment on column operator_scorecards.upset_calls is 'Calls whose client sounded upset at the start.';
comment on column operator_scorecards.upset_calmed is 'Calls among them whose client sounded better at the end.';
comment on column operator_scorecards.kept_calls is
    'Calls that came to their own end: the client hung up, or the operator did as the rules allow.';
comment on column operator_scorecards.lost_calls is
    'Calls that were cut off, or that the operator ended against the abuse procedure. Neither counts where nobody knows who hung up.';
comment on column operator_scorecards.reading_calls is 'Inbound calls about a meter reading, which a voice assistant could have taken.';
comment on column operator_scorecards.wrong_company_calls is 'Calls meant for another company.';
comment on column operator_scorecards.wrong_company_redirected is 'Calls among them in which the operator said where to turn.';
comment on column operator_scorecards.callbacks is 'Call-backs that clients had ordered, as far as the log has them.';
comment on column operator_scorecards.callbacks_done is 'Call-backs among them that came to a conversation that could be graded.';
comment on column operator_scorecards.shifts is 'Shifts that began in the period (see operator_shifts).';
comment on column operator_scorecards.calls_per_shift is 'Mean calls of a shift.';
comment on column operator_scorecards.busiest_shift_calls is 'Calls of the busiest shift.';
comment on column operator_scorecards.busy_ratio is 'Share of the shifts spent in calls, 0 to 1.';
comment on column operator_scorecards.abusive_in_a_row is 'The longest run of abusive calls one after another within a shift.';
comment on column operator_scorecards.rests_due is 'Shifts in which the centre''s rule (rest_rules) gave a rest.';
comment on column operator_scorecards.calls_after_rest_due is 'Calls that were still taken in such shifts after the rest was due.';
comment on column operator_scorecards.operator_tenure is 'Tenure as the log has it for the latest call of the period.';
