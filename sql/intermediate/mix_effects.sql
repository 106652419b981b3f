-- replaces, for t in touched_months: m.centre_id is not distinct from t.centre_id and m.month is not distinct from t.month
with
cells as materialized (
    -- Calls with the same levels in every factor are one row from here on.
    select
        row_number() over () as cell_id,
        *
    from (
        select
            centre_id,
            month,
            [
                '', coalesce(topic, 'unknown'), coalesce(client_type, 'unknown'),
                coalesce(topic, 'unknown') || ', ' || coalesce(client_type, 'unknown'),
                coalesce(line, 'unknown'), coalesce(direction, 'unknown'), coalesce(cast(hours_of(started_local) as varchar), 'unknown'),
                coalesce(language, 'unknown'), coalesce(operator_id, 'unknown')
            ] as level_names,
            count(*) as calls,
            sum(score_pct) as score_sum
        from intermediate.calls as c
        where
            score_pct is not null and exists (
                from touched_months as t where t.centre_id is not distinct from c.centre_id and t.month is not distinct from c.month
            )
        group by all
    ) as alike
),
named as (
    select
        * exclude (level_names),
        unnest(level_names) as level,
        unnest(['mean', 'topic', 'client type', 'topic and client type', 'line', 'direction', 'hours', 'language', 'operator']) as factor,
        unnest(range(9)) as turn
    from cells
),
levels as materialized (
    select
        *,
        row_number() over (order by centre_id, month, turn, level) as level_id,
        dense_rank() over (order by centre_id, month) as mix_id,
        row_number() over (partition by centre_id, month order by turn, level) as place
    from (
        select
            centre_id,
            month,
            turn,
            factor,
            level,
            cast(sum(calls) as bigint) as calls,
            sum(score_sum) as score_sum,
            prior_calls(factor) as prior
        from named
        group by centre_id, month, turn, factor, level
    ) as counted
),
placed as materialized (
    select n.cell_id, n.calls, l.level_id, l.place, l.turn
    from named as n
    join levels as l
        on
            l.centre_id is not distinct from n.centre_id and l.month is not distinct from n.month and l.turn = n.turn
            and l.level = n.level
),
half as materialized (
    select a.level_id, a.place, b.level_id as other_id, b.place as other_place, sum(a.calls) as calls
    from placed as a
    join placed as b on b.cell_id = a.cell_id and b.turn > a.turn
    group by all
),
together as materialized (
    -- The number of calls that two levels share: the only input of the fit.
    select level_id, other_id, other_place, calls from half
    union all
    select other_id, level_id, place, calls from half
),
equations as (
    select level_id, list({'place': other_place, 'calls': calls}) as others
    from together
    group by level_id
),
systems as (
    select
        l.mix_id,
        list(list_transform(e.others, lambda o: o.place) order by l.place) as places,
        list(list_transform(e.others, lambda o: cast(o.calls as double)) order by l.place) as shared,
        list(l.score_sum order by l.place) as sums,
        list(l.calls + l.prior order by l.place) as weights
    from levels as l
    join equations as e on e.level_id = l.level_id
    group by l.mix_id
),
fit as (
    -- Backfitting: in turn, each level is set to the residual of the others, shrunk towards zero by its prior calls. Twenty rounds.
    -- (sqlfluff does not know a lambda of two parameters.)
    select
        mix_id,
        list_reduce( -- noqa: PRS
            list_transform(range(20 * len(sums)), lambda n: [cast(n % len(sums) + 1 as double)]),
            lambda found, turn: list_concat(
                found[1:cast(turn[1] as int) - 1],
                [
                    (
                        sums[cast(turn[1] as int)]
                        - list_dot_product(shared[cast(turn[1] as int)], list_select(found, places[cast(turn[1] as int)]))
                    ) / weights[cast(turn[1] as int)]
                ],
                found[cast(turn[1] as int) + 1:]
            ),
            list_transform(sums, lambda s: cast(0 as double))
        ) as effects
    from systems
),
operators as (
    -- The information of each operator's calls on each level of the mix.
    select t.level_id, o.level_id as operator_level, t.calls, o.calls as operator_calls, calls_worth(t.calls, o.calls) as told
    from together as t
    join levels as o on o.level_id = t.other_id and o.factor = 'operator'
    join levels as l on l.level_id = t.level_id and l.factor <> 'mean'
),
known as (
    select
        l.*,
        l.prior + o.told as worth,
        l.calls / sum(l.calls) over (partition by l.centre_id, l.month, l.turn) as share
    from levels as l
    join (select level_id, sum(told) as told from operators group by level_id) as o on o.level_id = l.level_id
),
unlike as (
    -- Squared distance of an operator's mix from the centre's, by level, divided by the information of the others on it.
    select
        o.operator_level,
        sum((o.calls / o.operator_calls - k.share) ** 2 / (k.worth - o.told) - k.share ** 2 / k.worth) as beyond_usual
    from operators as o
    join known as k on k.level_id = o.level_id
    group by o.operator_level
),
usual as (
    select centre_id, month, sum(share ** 2 / worth) as usual from known group by centre_id, month
)
select
    l.centre_id,
    l.month,
    l.factor,
    l.level,
    l.calls,
    settled(f.effects[l.place]) as effect_pct,
    case when l.factor = 'operator' then settled_to(s.usual + u.beyond_usual, 9) end as mix_doubt
from levels as l
join fit as f on f.mix_id = l.mix_id
left join unlike as u on u.operator_level = l.level_id
left join usual as s on s.centre_id is not distinct from l.centre_id and s.month is not distinct from l.month
