-- fail: points without a decided verdict, or more points than the maximum
select call_id, criterion_id, judge, verdict, points, max_points
from criterion_results
where
    (verdict in ('na', 'unsure', 'fail') and points <> 0)
    or verdict not in ('pass', 'fail', 'na', 'unsure')
    or points < 0
    or points > max_points
