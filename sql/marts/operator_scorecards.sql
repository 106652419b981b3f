-- grain: one row per centre, operator, period (day, week, month) and its first day
create or replace view operator_scorecards as
with facts as (
    select f.*, p.period, period_of(p.period, f.started_local) as period_start
    from call_facts as f
    cross join (values ('day'), ('week'), ('month')) as p (period)
    where f.operator_id is not null
),
scored as (
    select *, avg(score_pct) over (partition by centre_id, period, period_start) as centre_mean_pct
    from facts
    where score_pct is not null
),
expected as (
    -- What a call of this topic and client type is worth at this centre, with 5 calls of the centre's mean added to small groups.
    select
        *,
        (sum(score_pct) over mix + 5 * centre_mean_pct) / (count(*) over mix + 5) as expected_pct
    from scored
    window mix as (partition by centre_id, period, period_start, topic, client_type)
),
operators as (
    select
        centre_id, period, period_start, operator_id,
        any_value(centre_mean_pct) as centre_mean_pct,
        count(*) as scored_calls,
        avg(score_pct) as raw_score_pct,
        avg(expected_pct) as expected_score_pct,
        avg(score_pct - expected_pct) as residual_pct,
        coalesce(var_pop(score_pct - expected_pct) * count(*), 0) as squares_sum
    from expected
    group by centre_id, period, period_start, operator_id
),
spread as (
    select
        *,
        within_variance(sum(squares_sum) over peers, sum(scored_calls) over peers, count(*) over peers) as within_var,
        var_samp(residual_pct) over peers as variance_of_means,
        count(*) over peers / sum(1.0 / scored_calls) over peers as mean_calls
    from operators
    window peers as (partition by centre_id, period, period_start)
),
pooled as (
    select *, between_variance(variance_of_means, within_var, mean_calls) as between_var
    from spread
),
work as (
    select
        centre_id, period, period_start, operator_id,
        max_by(operator_tenure, started_local) as operator_tenure,
        count(*) as calls,
        count(*) filter (where status = 'graded') as graded,
        count(*) filter (where status = 'quarantined') as quarantined,
        count(*) filter (where status = 'unscoreable') as unscoreable,
        count(*) filter (where needs_review) as needs_review,
        count(*) filter (where auto_fail) as auto_fails,
        avg(coverage_pct) as coverage_pct,
        count(*) filter (where is_abusive) as abusive_calls,
        sum(abuse_exposure_s) as abuse_exposure_s,
        avg(handling_time_s) as aht_s,
        avg(wait_s) as wait_s,
        avg(hold_s) as hold_s,
        avg(dead_air_s) as dead_air_s,
        avg(operator_talk_ratio) as operator_talk_ratio,
        avg(interruptions_by_operator) as interruptions_per_call,
        avg(client_sentiment_change) as client_sentiment_change
    from facts
    group by centre_id, period, period_start, operator_id
)
select
    w.operator_id,
    w.centre_id,
    w.period_start,
    w.period,
    w.calls,
    w.graded,
    as_pct(p.centre_mean_pct + own_weight(p.between_var, p.within_var, p.scored_calls) * p.residual_pct) as score_pct,
    as_pct(
        p.centre_mean_pct + own_weight(p.between_var, p.within_var, p.scored_calls) * p.residual_pct
        - half_width(p.between_var, p.within_var, p.scored_calls)
    ) as score_low_pct,
    as_pct(
        p.centre_mean_pct + own_weight(p.between_var, p.within_var, p.scored_calls) * p.residual_pct
        + half_width(p.between_var, p.within_var, p.scored_calls)
    ) as score_high_pct,
    w.abusive_calls,
    w.abuse_exposure_s,
    w.aht_s,
    p.raw_score_pct,
    p.expected_score_pct,
    coalesce(p.scored_calls, 0) as scored_calls,
    w.quarantined,
    w.unscoreable,
    w.needs_review,
    w.auto_fails,
    w.coverage_pct,
    w.wait_s,
    w.hold_s,
    w.dead_air_s,
    w.operator_talk_ratio,
    w.interruptions_per_call,
    w.client_sentiment_change,
    w.operator_tenure
from work as w
left join pooled as p
    on
        p.centre_id is not distinct from w.centre_id and p.period = w.period
        and p.period_start is not distinct from w.period_start and p.operator_id = w.operator_id;

comment on view operator_scorecards is
    'Operators by day, week and month. The score is adjusted for topic and client type and drawn towards the mean of the centre where calls are few.';
comment on column operator_scorecards.operator_id is 'The operator.';
comment on column operator_scorecards.centre_id is 'The contact centre.';
comment on column operator_scorecards.period_start is 'First local day of the period (weeks begin on Monday).';
comment on column operator_scorecards.period is 'day, week or month.';
comment on column operator_scorecards.calls is 'All calls received, also those that nobody could score.';
comment on column operator_scorecards.graded is 'Calls that were graded.';
comment on column operator_scorecards.score_pct is 'Adjusted score in percent; empty when no call could be scored. See docs/warehouse.md for the formula.';
comment on column operator_scorecards.score_low_pct is 'Lower end of the 90 % interval of the adjusted score.';
comment on column operator_scorecards.score_high_pct is 'Upper end of the 90 % interval; two operators whose intervals meet cannot be told apart.';
comment on column operator_scorecards.abusive_calls is 'Calls in which the client was abusive.';
comment on column operator_scorecards.abuse_exposure_s is 'Seconds of abuse the operator had to listen to.';
comment on column operator_scorecards.aht_s is 'Mean handling time in seconds.';
comment on column operator_scorecards.raw_score_pct is 'Plain mean of the scores, before any adjustment.';
comment on column operator_scorecards.expected_score_pct is 'What the same mix of topics and client types scores at this centre on average.';
comment on column operator_scorecards.scored_calls is 'Calls with a score.';
comment on column operator_scorecards.quarantined is 'Calls put aside for bad input.';
comment on column operator_scorecards.unscoreable is 'Calls that nobody could judge.';
comment on column operator_scorecards.needs_review is 'Calls that a person should listen to.';
comment on column operator_scorecards.auto_fails is 'Calls with an automatic fail.';
comment on column operator_scorecards.coverage_pct is 'Points decided of the points that apply, mean in percent.';
comment on column operator_scorecards.wait_s is 'Mean waiting time of the clients in seconds.';
comment on column operator_scorecards.hold_s is 'Mean time on hold a call, in seconds.';
comment on column operator_scorecards.dead_air_s is 'Mean dead air a call, in seconds.';
comment on column operator_scorecards.operator_talk_ratio is 'Mean share of the call in which the operator speaks, 0 to 1.';
comment on column operator_scorecards.interruptions_per_call is 'How often a call the operator took the floor from the client.';
comment on column operator_scorecards.client_sentiment_change is 'Mean sentiment of the clients at the end less at the start.';
comment on column operator_scorecards.operator_tenure is 'Tenure as the log has it for the latest call of the period.';
