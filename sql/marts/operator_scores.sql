-- grain: one row per centre, operator with a score, period (day, week, month, all) and its first day
create or replace view operator_scores as
select
    centre_id,
    operator_id,
    period,
    period_start,
    is_trainee,
    scored_calls,
    own_score_pct,
    score_pct,
    score_low_pct,
    score_high_pct,
    peers,
    peer_score_pct,
    spread_pct,
    standing,
    first_group,
    last_group
from intermediate.operator_scores;

comment on view operator_scores is
    'Operators and their peers: the score adjusted for the call mix and partially pooled, its 90 % interval, and '
    'groups of similar peers.';
comment on column operator_scores.centre_id is 'The contact centre.';
comment on column operator_scores.operator_id is 'The operator.';
comment on column operator_scores.period is 'day, week, month, or all for all published calls.';
comment on column operator_scores.period_start is 'First local day of the period; empty for all.';
comment on column operator_scores.is_trainee is
    'The operator was a trainee in the latest call of the period; trainees are compared only with trainees.';
comment on column operator_scores.scored_calls is 'Calls with a score.';
comment on column operator_scores.own_score_pct is
    'The score adjusted for the call mix, before shrinkage towards the peers.';
comment on column operator_scores.score_pct is
    'The adjusted score, shrunk towards the mean of the peers where calls are few.';
comment on column operator_scores.score_low_pct is 'Lower end of the 90 % interval of score_pct.';
comment on column operator_scores.score_high_pct is 'Upper end of the 90 % interval.';
comment on column operator_scores.peers is 'Number of operators in the comparison, including this one.';
comment on column operator_scores.peer_score_pct is 'Mean score of the peers, adjusted in the same way.';
comment on column operator_scores.spread_pct is 'Estimated standard deviation of the true scores of the peers.';
comment on column operator_scores.standing is
    'above or below when the whole interval is on one side of the mean of the peers, else not told apart.';
comment on column operator_scores.first_group is
    'The first, best group of peers this operator belongs to; groups are numbered from the best, 1.';
comment on column operator_scores.last_group is
    'The last group. Two peers who share a group cannot be distinguished; two who share none can.';
