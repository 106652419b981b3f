-- warn: coverage differs from the decided points as a share of the applicable points
with totals as (
    select
        call_id, scorecard_id,
        share_pct(
            coalesce(sum(max_points) filter (where verdict in ('pass', 'fail')), 0),
            sum(max_points) filter (where verdict in ('pass', 'fail', 'unsure'))
        ) as coverage_pct
    from criterion_results
    where judge = 'machine'
    group by call_id, scorecard_id
)
select e.call_id, e.scorecard_id, e.coverage_pct, t.coverage_pct as from_verdicts_pct
from evaluations as e
join totals as t on t.call_id = e.call_id and t.scorecard_id = e.scorecard_id
where e.judge = 'machine' and abs(e.coverage_pct - t.coverage_pct) > 0.06
