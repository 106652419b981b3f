-- replaces, for t in touched_periods: m.centre_id is not distinct from t.centre_id and m.period = t.period and m.period_start is not distinct from t.period_start
with measures as materialized (
    select *
    from intermediate.scorecard_measures as m
    where scored_calls > 0 and subject <> 'line' and exists (
        from touched_periods as t
        where t.centre_id is not distinct from m.centre_id and t.period = m.period and t.period_start is not distinct from m.period_start
    )
),
peers as (
    select
        o.centre_id,
        o.period,
        o.period_start,
        o.operator_id,
        is_trainee(o.operator_tenure) as is_trainee,
        o.scored_calls,
        o.squares_sum,
        o.mix_doubt,
        c.usual_score_pct,
        o.raw_score_pct - o.expected_score_pct as residual_pct,
        within_variance(sum(o.squares_sum) over together, sum(o.scored_calls) over together, count(*) over together) as peers_variance
    from measures as o
    join measures as c
        on
            c.subject = 'centre' and c.centre_id is not distinct from o.centre_id and c.period = o.period
            and c.period_start is not distinct from o.period_start
    where o.subject = 'operator'
    window together as (partition by o.centre_id, o.period, o.period_start)
),
doubted as materialized (
    -- Uncertainty of each operator's residual: the calls vary, and the effect of the mix is itself estimated from calls.
    select
        *,
        dense_rank() over (order by centre_id, period, period_start, is_trainee) as peer_group,
        own_variance(squares_sum, scored_calls, peers_variance) / scored_calls + peers_variance * mix_doubt as doubt
    from peers
),
tried as materialized (
    -- An operator's lead varies between topics: 1/250 of the spread's variance adds to the uncertainty.
    select d.* replace (d.doubt + s.spread ** 2 / 250 as doubt), s.spread, 1 / (d.doubt + s.spread ** 2 / 250 + s.spread ** 2) as trust
    from (select peer_group, operator_id, residual_pct, doubt from doubted) as d
    cross join (select unnest(spreads_tried()) as spread) as s
),
fits as (
    -- The restricted likelihood of the residuals for each spread between operators, whatever their mean.
    select
        peer_group,
        spread,
        sum(trust) as trust,
        sum(trust * residual_pct) / sum(trust) as mean_pct,
        ln(spread_share(spread))
        - (ln(sum(trust)) - sum(ln(trust)) + sum(trust * residual_pct ** 2) - sum(trust * residual_pct) ** 2 / sum(trust)) / 2 as log_odds
    from tried
    group by peer_group, spread
),
likely as (
    select *, exp(log_odds - max(log_odds) over g) as odds
    from fits
    window g as (partition by peer_group)
),
pooled as (
    -- The operator's residual is weighted according to the spread, averaged over all spreads by their probability.
    select
        t.peer_group,
        t.operator_id,
        sum(l.odds * l.mean_pct) / sum(l.odds) as peers_pct,
        sum(l.odds * (l.mean_pct + t.spread ** 2 * t.trust * (t.residual_pct - l.mean_pct))) / sum(l.odds) as own_pct,
        sum(l.odds * (l.mean_pct + t.spread ** 2 * t.trust * (t.residual_pct - l.mean_pct)) ** 2) / sum(l.odds) as own_square,
        sum(l.odds * (t.spread ** 2 * t.trust * t.doubt + (t.doubt * t.trust) ** 2 / l.trust)) / sum(l.odds) as own_variance,
        sqrt(sum(l.odds * t.spread ** 2) / sum(l.odds)) as spread_pct
    from tried as t
    join likely as l on l.peer_group = t.peer_group and l.spread = t.spread
    group by t.peer_group, t.operator_id
),
scored as materialized (
    select
        d.*,
        settled(p.spread_pct) as spread_pct,
        settled(as_pct(d.usual_score_pct + p.peers_pct)) as peer_score_pct,
        settled(as_pct(d.usual_score_pct + p.own_pct)) as score_pct,
        settled(as_pct(d.usual_score_pct + p.own_pct - interval_90() * p.own_sd)) as score_low_pct,
        settled(as_pct(d.usual_score_pct + p.own_pct + interval_90() * p.own_sd)) as score_high_pct,
        settled(as_pct(d.usual_score_pct + p.own_pct - interval_apart() * p.own_sd)) as apart_low_pct,
        settled(as_pct(d.usual_score_pct + p.own_pct + interval_apart() * p.own_sd)) as apart_high_pct
    from doubted as d
    join (select *, sqrt(own_variance + greatest(own_square - own_pct ** 2, 0)) as own_sd from pooled) as p
        on p.peer_group = d.peer_group and p.operator_id = d.operator_id
),
ends as (
    select peer_group, operator_id, apart_high_pct as at_pct, 1 as is_high from scored
    union all
    select peer_group, operator_id, apart_low_pct, 0 from scored
),
closed as (
    -- In descending order, a group is complete where an interval ends after another has begun.
    select *, is_high = 0 and lag(is_high) over down = 1 as closes
    from ends
    window down as (partition by peer_group order by at_pct desc, is_high desc, operator_id asc)
),
numbered as (
    select *, sum(cast(closes as int)) over (partition by peer_group order by at_pct desc, is_high desc, operator_id asc) as groups_closed
    from closed
)
select
    s.centre_id,
    s.operator_id,
    s.period,
    s.period_start,
    s.is_trainee,
    s.scored_calls,
    settled(as_pct(s.usual_score_pct + s.residual_pct)) as own_score_pct,
    s.score_pct,
    s.score_low_pct,
    s.score_high_pct,
    count(*) over (partition by s.peer_group) as peers,
    s.peer_score_pct,
    s.spread_pct,
    case
        when s.score_low_pct > s.peer_score_pct then 'above'
        when s.score_high_pct < s.peer_score_pct then 'below'
        else 'not told apart'
    end as standing,
    cast(h.groups_closed + 1 as bigint) as first_group,
    cast(l.groups_closed as bigint) as last_group
from scored as s
join numbered as h on h.peer_group = s.peer_group and h.operator_id = s.operator_id and h.is_high = 1
join numbered as l on l.peer_group = s.peer_group and l.operator_id = s.operator_id and l.is_high = 0
