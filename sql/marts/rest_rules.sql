-- grain: one row per centre
create or replace view rest_rules as
select centre_id, abusive_in_a_row, abusive_calls, abuse_s
from core.centres;

comment on view rest_rules is
    'When an operator is due a rest, from the centre''s profile: after so many consecutive abusive calls, so many '
    'in a shift, or so many seconds of abuse in a shift.';
comment on column rest_rules.centre_id is 'The contact centre.';
comment on column rest_rules.abusive_in_a_row is 'Consecutive abusive calls after which a rest is due.';
comment on column rest_rules.abusive_calls is 'Abusive calls in one shift after which a rest is due.';
comment on column rest_rules.abuse_s is 'Seconds of abuse in one shift after which a rest is due.';
