-- grain: one row per spoken piece of personal data
create or replace view personal_data as
select call_id, turn_no, kind, start_s, end_s
from core.personal_data;

comment on view personal_data is
    'The places of spoken personal data, for beeping it in audio; the data itself is not stored.';
comment on column personal_data.call_id is 'The call.';
comment on column personal_data.turn_no is 'The turn of the call.';
comment on column personal_data.kind is 'account, card, phone, name, address, passport, email, code_word or birth_date.';
comment on column personal_data.start_s is 'Start, in seconds from the start of the recording.';
comment on column personal_data.end_s is 'End, in seconds.';
