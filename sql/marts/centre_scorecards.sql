-- grain: one row per centre, line (and line all for the whole centre), period (day, week, month) and its first day
create or replace view centre_scorecards as
with facts as (
    select f.* replace (coalesce(f.line, 'unknown') as line), p.period, period_of(p.period, f.started_local) as period_start
    from call_facts as f
    cross join (values ('day'), ('week'), ('month')) as p (period)
),
work as (
    select
        centre_id,
        case when grouping(line) = 1 then 'all' else line end as line,
        period,
        period_start,
        count(*) as calls,
        count(*) filter (where status = 'graded') as graded,
        count(*) filter (where status = 'quarantined') as quarantined,
        count(*) filter (where status = 'unscoreable') as unscoreable,
        count(score_pct) as scored_calls,
        avg(score_pct) as score_pct,
        within_variance(var_pop(score_pct) * count(score_pct), count(score_pct), 1) as within_var,
        count(distinct operator_id) as operators,
        count(*) filter (where needs_review) as needs_review,
        count(*) filter (where auto_fail) as auto_fails,
        avg(coverage_pct) as coverage_pct,
        count(*) filter (where is_abusive) as abusive_calls,
        sum(abuse_exposure_s) as abuse_exposure_s,
        avg(handling_time_s) as aht_s,
        avg(wait_s) as wait_s,
        avg(hold_s) as hold_s,
        avg(dead_air_s) as dead_air_s,
        avg(client_sentiment_change) as client_sentiment_change
    from facts
    group by grouping sets ((centre_id, line, period, period_start), (centre_id, period, period_start))
)
select
    centre_id,
    line,
    period_start,
    period,
    calls,
    graded,
    score_pct,
    as_pct(score_pct - 1.645 * sqrt(within_var / scored_calls)) as score_low_pct,
    as_pct(score_pct + 1.645 * sqrt(within_var / scored_calls)) as score_high_pct,
    abusive_calls,
    abuse_exposure_s,
    aht_s,
    scored_calls,
    operators,
    quarantined,
    unscoreable,
    needs_review,
    auto_fails,
    coverage_pct,
    wait_s,
    hold_s,
    dead_air_s,
    client_sentiment_change
from work;

comment on view centre_scorecards is 'Centres and their lines by day, week and month.';
comment on column centre_scorecards.centre_id is 'The contact centre; empty where not even that is known.';
comment on column centre_scorecards.line is 'The line; all for the whole centre, unknown where the log does not say.';
comment on column centre_scorecards.period_start is 'First local day of the period (weeks begin on Monday); empty for calls without a start time.';
comment on column centre_scorecards.period is 'day, week or month.';
comment on column centre_scorecards.calls is 'All calls received, also those that nobody could score.';
comment on column centre_scorecards.graded is 'Calls that were graded.';
comment on column centre_scorecards.score_pct is 'Mean score of the scored calls in percent.';
comment on column centre_scorecards.score_low_pct is 'Lower end of the 90 % interval of the mean.';
comment on column centre_scorecards.score_high_pct is 'Upper end of the 90 % interval of the mean.';
comment on column centre_scorecards.abusive_calls is 'Calls in which the client was abusive.';
comment on column centre_scorecards.abuse_exposure_s is 'Seconds of abuse by clients.';
comment on column centre_scorecards.aht_s is 'Mean handling time in seconds.';
comment on column centre_scorecards.scored_calls is 'Calls with a score.';
comment on column centre_scorecards.operators is 'Operators who answered.';
comment on column centre_scorecards.quarantined is 'Calls put aside for bad input.';
comment on column centre_scorecards.unscoreable is 'Calls that nobody could judge.';
comment on column centre_scorecards.needs_review is 'Calls that a person should listen to.';
comment on column centre_scorecards.auto_fails is 'Calls with an automatic fail.';
comment on column centre_scorecards.coverage_pct is 'Points decided of the points that apply, mean in percent.';
comment on column centre_scorecards.wait_s is 'Mean waiting time of the clients in seconds.';
comment on column centre_scorecards.hold_s is 'Mean time on hold a call, in seconds.';
comment on column centre_scorecards.dead_air_s is 'Mean dead air a call, in seconds.';
comment on column centre_scorecards.client_sentiment_change is 'Mean sentiment of the clients at the end less at the start.';
