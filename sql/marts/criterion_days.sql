-- grain: one row per centre, local day, operator and criterion
create or replace view criterion_days as
select centre_id, day, operator_id, criterion_id, passed, failed, unsure, not_applicable, by_people, max_points
from made.criterion_days;

comment on view criterion_days is
    'How often each criterion was passed, failed or left to a person: '
    'criterion_results counted by day, a person''s verdict instead of the machine''s.';
comment on column criterion_days.centre_id is 'The centre; empty for calls of an unknown one.';
comment on column criterion_days.day is 'Day on the wall of the centre; empty for calls without a row in the call log.';
comment on column criterion_days.operator_id is 'The operator, as the call log names him; empty where it does not.';
comment on column criterion_days.criterion_id is 'Which question.';
comment on column criterion_days.passed is 'Calls in which it was passed.';
comment on column criterion_days.failed is 'Calls in which it was failed.';
comment on column criterion_days.unsure is 'Calls in which the machine was not sure and no person has decided yet.';
comment on column criterion_days.not_applicable is 'Calls to which the question does not apply.';
comment on column criterion_days.by_people is 'Verdicts among these that a person gave.';
comment on column criterion_days.max_points is 'The most points that one answer was worth that day.';
