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
from store.evaluations;

comment on view evaluations is 'A scorecard applied to a call.';
comment on column evaluations.call_id is 'The call.';
comment on column evaluations.scorecard_id is 'The scorecard.';
comment on column evaluations.scorecard_version is 'Version of the scorecard that was applied.';
comment on column evaluations.score_pct is
    'Points won of the points decided, in percent; 0 after an automatic fail; empty when nothing could be decided.';
comment on column evaluations.auto_fail is 'A criterion failed that zeroes the whole evaluation.';
comment on column evaluations.auto_fail_reason is 'Which criterion, and why.';
comment on column evaluations.auto_fail_criterion_id is 'The criterion that failed so; empty without an automatic fail.';
comment on column evaluations.coverage_pct is 'Points decided of the points that apply to this call, in percent.';
comment on column evaluations.needs_review is 'A person should listen to this call.';
comment on column evaluations.judge is 'machine or human.';
comment on column evaluations.evaluated_at is 'When this result was first loaded; unchanged when the same result comes again.';
