-- grain: one row per call, scorecard, judge and period in which the evaluation was unchanged
create or replace view evaluation_history as
with judgements as (
    select
        e.*,
        if(e.judge = 'machine', m.speech_model, null) as speech_model,
        if(e.judge = 'machine', m.scored_by, null) as scored_by,
        cast(null as timestamptz) as replaced_at
    from core.evaluations as e
    left join core.metrics as m on m.call_id = e.call_id -- no further condition: one on e alone would compare every pair of rows
    union all by name
    select *
    from core.past_evaluations
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

-- The evaluations valid at a point in time: from evaluations_as_of(timestamptz '2026-03-31 23:59:59+00').
create or replace macro evaluations_as_of(moment) as table
    select * from evaluation_history where valid_from <= moment and (valid_to is null or valid_to > moment);

comment on view evaluation_history is
    'Every evaluation that a call has had, with its versions; evaluations_as_of(moment) returns those valid at a point in time.';
comment on column evaluation_history.call_id is 'The call.';
comment on column evaluation_history.scorecard_id is 'The scorecard.';
comment on column evaluation_history.scorecard_version is 'Version of the scorecard that was applied.';
comment on column evaluation_history.score_pct is
    'Points won of the points decided, in percent; 0 after an automatic fail; empty when nothing could be decided.';
comment on column evaluation_history.auto_fail is 'A criterion failed that sets the whole score to 0.';
comment on column evaluation_history.auto_fail_reason is 'The failed criterion and the reason.';
comment on column evaluation_history.coverage_pct is 'Points decided of the points that apply to this call, in percent.';
comment on column evaluation_history.needs_review is 'A person should listen to this call.';
comment on column evaluation_history.judge is 'machine or human.';
comment on column evaluation_history.speech_model is
    'Versions of the models for words and speakers; empty for a person.';
comment on column evaluation_history.scored_by is
    'Version of the rules and models that judged the call; empty for a person.';
comment on column evaluation_history.valid_from is 'Start of the period in which it was valid.';
comment on column evaluation_history.auto_fail_criterion_id is
    'The criterion that set the score to 0; empty when none did.';
comment on column evaluation_history.valid_to is 'When it was replaced; empty while it is valid.';
