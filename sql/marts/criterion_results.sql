-- grain: one row per call, scorecard, criterion and judge
create or replace view criterion_results as
select
    call_id,
    scorecard_id,
    scorecard_version,
    criterion_id,
    verdict,
    confidence,
    points,
    max_points,
    quote,
    role,
    turn_no,
    start_s,
    end_s,
    judge,
    explanation,
    explanation_json,
    call_no
from core.verdicts;

comment on view criterion_results is 'The verdict on each criterion of a scorecard for each call, with its evidence.';
comment on column criterion_results.call_id is 'The call.';
comment on column criterion_results.scorecard_id is 'The scorecard.';
comment on column criterion_results.scorecard_version is 'Version of the scorecard that was applied.';
comment on column criterion_results.criterion_id is 'The criterion: greeting, farewell, abuse_procedure, ...';
comment on column criterion_results.verdict is
    'pass, fail, na (does not apply to this call) or unsure (a person should decide; not counted).';
comment on column criterion_results.confidence is 'Confidence of the verdict, 0 to 1.';
comment on column criterion_results.points is 'Points won.';
comment on column criterion_results.max_points is 'Maximum of points.';
comment on column criterion_results.quote is 'The words of the evidence, as in the turn; empty for a fail by absence.';
comment on column criterion_results.role is 'The speaker''s role in the quote.';
comment on column criterion_results.turn_no is 'The turn of the quote.';
comment on column criterion_results.start_s is
    'Start of the evidence in seconds: the quote, or the part of the call that was searched.';
comment on column criterion_results.end_s is 'End of the evidence in seconds.';
comment on column criterion_results.judge is 'machine or human.';
comment on column criterion_results.explanation is 'The explanation, in one sentence; automatic ones are in English.';
comment on column criterion_results.explanation_json is
    'The same as JSON: the key of a sentence in pipelines/i18n/strings and the values in it; {} for a person''s own words.';
comment on column criterion_results.call_no is 'The number of the call, as in calls.';
