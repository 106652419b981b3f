-- fail: a score differs from the points won as a share of the points decided (unsure and na are not counted; an automatic fail is 0)
with totals as (
    select
        call_id, scorecard_id, judge,
        share_pct(sum(points), sum(max_points) filter (where verdict in ('pass', 'fail'))) as score_pct
    from criterion_results
    group by call_id, scorecard_id, judge
)
select e.call_id, e.scorecard_id, e.score_pct, t.score_pct as from_verdicts_pct
from evaluations as e
left join totals as t on t.call_id = e.call_id and t.scorecard_id = e.scorecard_id and t.judge = e.judge
where
    e.judge = 'machine'
    and case
        when e.auto_fail then coalesce(e.score_pct, 0) <> 0
        else (e.score_pct is null) <> (t.score_pct is null) or abs(e.score_pct - t.score_pct) > 0.06
    end
