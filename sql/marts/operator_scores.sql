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
from made.operator_scores;

comment on view operator_scores is
    'Operators beside their peers: the score adjusted for the call mix and partly pooled, its 90 % interval, and who cannot be told apart.';
comment on column operator_scores.centre_id is 'The contact centre.';
comment on column operator_scores.operator_id is 'The operator.';
comment on column operator_scores.period is 'day, week, month, or all for everything published.';
comment on column operator_scores.period_start is 'First local day of the period; empty for all.';
comment on column operator_scores.is_trainee is
    'The latest call of the period was taken as a trainee; trainees are compared with trainees only.';
comment on column operator_scores.scored_calls is 'Calls with a score.';
comment on column operator_scores.own_score_pct is 'The score adjusted for the call mix, before it is drawn towards the peers.';
comment on column operator_scores.score_pct is 'The adjusted score, drawn towards the mean of the peers where calls are few.';
comment on column operator_scores.score_low_pct is 'Lower end of the 90 % interval of score_pct.';
comment on column operator_scores.score_high_pct is 'Upper end of the 90 % interval.';
comment on column operator_scores.peers is 'Operators who are compared with each other here, this one included.';
comment on column operator_scores.peer_score_pct is 'Mean score of the peers, adjusted in the same way.';
comment on column operator_scores.spread_pct is
    'How far the true scores of the peers lie apart (standard deviation), as far as can be told.';
comment on column operator_scores.standing is
    'above or below when the whole interval lies on one side of the mean of the peers, else not told apart.';
comment on column operator_scores.first_group is
    'The first, best group of peers this operator belongs to; groups are numbered from the best, 1.';
comment on column operator_scores.last_group is 'The last group. Two peers who share a group cannot be told apart; two who share none can.';
