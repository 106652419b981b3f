-- replaces, for t in touched_months: m.centre_id is not distinct from t.centre_id and m.month is not distinct from t.month
with scored as (
    select
        call_id,
        coalesce(centre_id, '') as centre_id,
        coalesce(month, date '0001-01-01') as month,
        coalesce(topic, 'unknown') as topic,
        coalesce(client_type, 'unknown') as client_type,
        coalesce(line, 'unknown') as line,
        coalesce(direction, 'unknown') as direction,
        coalesce(cast(hours_of(started_local) as varchar), 'unknown') as hours,
        coalesce(language, 'unknown') as language,
        coalesce(operator_id, 'unknown') as operator_id
    from intermediate.calls as c
    where score_pct is not null and exists (
        from touched_months as t where t.centre_id is not distinct from c.centre_id and t.month is not distinct from c.month
    )
),
known as materialized (
    select coalesce(centre_id, '') as centre_id, coalesce(month, date '0001-01-01') as month, factor, level, effect_pct, mix_doubt
    from intermediate.mix_effects as c
    where exists (
        from touched_months as t where t.centre_id is not distinct from c.centre_id and t.month is not distinct from c.month
    )
),
expected as (
    select
        s.call_id,
        s.centre_id,
        s.month,
        m.effect_pct + t.effect_pct + c.effect_pct + b.effect_pct
        + l.effect_pct + d.effect_pct + h.effect_pct + g.effect_pct as expected_pct,
        l.effect_pct as line_effect_pct,
        o.mix_doubt
    from scored as s
    left join known as m on m.centre_id = s.centre_id and m.month = s.month and m.factor = 'mean'
    left join known as t on t.centre_id = s.centre_id and t.month = s.month and t.factor = 'topic' and t.level = s.topic
    left join known as c on c.centre_id = s.centre_id and c.month = s.month and c.factor = 'client type' and c.level = s.client_type
    left join known as b
        on
            b.centre_id = s.centre_id and b.month = s.month and b.factor = 'topic and client type'
            and b.level = s.topic || ', ' || s.client_type
    left join known as l on l.centre_id = s.centre_id and l.month = s.month and l.factor = 'line' and l.level = s.line
    left join known as d on d.centre_id = s.centre_id and d.month = s.month and d.factor = 'direction' and d.level = s.direction
    left join known as h on h.centre_id = s.centre_id and h.month = s.month and h.factor = 'hours' and h.level = s.hours
    left join known as g on g.centre_id = s.centre_id and g.month = s.month and g.factor = 'language' and g.level = s.language
    left join known as o on o.centre_id = s.centre_id and o.month = s.month and o.factor = 'operator' and o.level = s.operator_id
)
select
    call_id,
    nullif(centre_id, '') as centre_id,
    nullif(month, date '0001-01-01') as month,
    settled(expected_pct) as expected_pct,
    settled(avg(expected_pct) over (partition by centre_id, month)) as usual_pct,
    line_effect_pct,
    mix_doubt
from expected
