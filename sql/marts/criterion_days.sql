-- grain: one row per centre, local day, operator and criterion
create or replace view criterion_days as
select centre_id, day, operator_id, criterion_id, passed, failed, unsure, not_applicable, by_people, max_points
from intermediate.criterion_days;

comment on view criterion_days is
    'Counts of passed, failed and undecided verdicts per criterion: criterion_results by day, with human verdicts '
    'in place of automatic ones.';
comment on column criterion_days.centre_id is 'The contact centre; empty where it is unknown.';
comment on column criterion_days.day is 'Local day of the centre; empty for calls without a row in the call log.';
comment on column criterion_days.operator_id is 'The operator id in the call log; empty where it has none.';
comment on column criterion_days.criterion_id is 'The criterion.';
comment on column criterion_days.passed is 'Calls with the verdict pass.';
comment on column criterion_days.failed is 'Calls with the verdict fail.';
comment on column criterion_days.unsure is 'Calls with the automatic verdict unsure that no person has decided yet.';
comment on column criterion_days.not_applicable is 'Calls to which the criterion does not apply.';
comment on column criterion_days.by_people is 'Those of these verdicts that a person gave.';
comment on column criterion_days.max_points is 'The highest maximum of points for one verdict on that day.';
