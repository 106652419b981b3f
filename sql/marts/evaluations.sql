-- grain: one row per call, scorecard and judge
create or replace view evaluations as
select
    call_id,
    scorecard_id,
    scorecard_version,
    score_pct,
    is_auto_fail as auto_fail,
    auto_fail_reason,
    auto_fail_criterion_id,
    coverage_pct,
    needs_review,
    judge,
    evaluated_at
from core.evaluations;

comment on view evaluations is 'The result of applying a scorecard to a call.';
comment on column evaluations.call_id is 'The call.';
comment on column evaluations.scorecard_id is 'The scorecard.';
comment on column evaluations.scorecard_version is 'Version of the scorecard that was applied.';
comment on column evaluations.score_pct is
    'Points won of the points decided, in percent; 0 after an automatic fail; empty when nothing could be decided.';
comment on column evaluations.auto_fail is 'A criterion failed that sets the whole score to 0.';
comment on column evaluations.auto_fail_reason is 'The failed criterion and the reason.';
comment on column evaluations.auto_fail_criterion_id is
    'The criterion that set the score to 0; empty without an automatic fail.';
comment on column evaluations.coverage_pct is 'Points decided of the points that apply to this call, in percent.';
comment on column evaluations.needs_review is 'A person should listen to this call.';
comment on column evaluations.judge is 'machine or human.';
comment on column evaluations.evaluated_at is
    'When this result was first loaded; unchanged when the same result is loaded again.';
