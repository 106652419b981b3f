-- grain: one row per call, scorecard, judge and stretch of time in which the evaluation stood unchanged
create or replace view evaluation_history as
with judgements as (
    select
        e.*,
        if(e.judge = 'machine', m.speech_model, null) as speech_model,
        if(e.judge = 'machine', m.scored_by, null) as scored_by,
        cast(null as timestamptz) as replaced_at
    from store.evaluations as e
    left join store.metrics as m on m.call_id = e.call_id -- nothing else: a condition on e alone would compare every row with every other
    union all by name
    select *
    from store.past_evaluations
)

select
    call_id,
    scorecard_id,
    scorecard_version,
    score_pct,
    is_auto_fail as auto_fail,
    auto_fail_reason,
    coverage_pct,
    needs_review,
    judge,
    speech_model,
    scored_by,
    evaluated_at as valid_from,
    replaced_at as valid_to,
    auto_fail_criterion_id
from judgements;

-- The evaluations as they stood at a moment: from evaluations_as_of(timestamptz '2026-03-31 23:59:59+00').
create or replace macro evaluations_as_of(moment) as table
    select * from evaluation_history where valid_from <= moment and (valid_to is null or valid_to > moment);

comment on view evaluation_history is
    'Every evaluation that a call has had, with the versions that gave it; evaluations_as_of(moment) picks those of a moment.';
comment on column evaluation_history.call_id is 'The call.';
comment on column evaluation_history.scorecard_id is 'The scorecard.';
comment on column evaluation_history.scorecard_version is 'Version of the scorecard that was applied.';
comment on column evaluation_history.score_pct is
    'Points won of the points decided, in percent; 0 after an automatic fail; empty when nothing could be decided.';
comment on column evaluation_history.auto_fail is 'A criterion failed that zeroes the whole evaluation.';
comment on column evaluation_history.auto_fail_reason is 'Which criterion, and why.';
comment on column evaluation_history.coverage_pct is 'Points decided of the points that apply to this call, in percent.';
comment on column evaluation_history.needs_review is 'A person should listen to this call.';
comment on column evaluation_history.judge is 'machine or human.';
comment on column evaluation_history.speech_model is 'Versions of the models that made words and speakers; empty for a person.';
comment on column evaluation_history.scored_by is 'Version of everything that judged the call; empty for a person.';
comment on column evaluation_history.valid_from is 'Since when it stood.';
comment on column evaluation_history.auto_fail_criterion_id is 'The criterion that zeroed the evaluation; empty when none did.';
comment on column evaluation_history.valid_to is 'When another took its place; empty while it stands.';
