-- What people correct on the page of a call: its topic, the type of its client, and findings. Nothing here is ever changed: a later row on the same thing
-- stands instead of an earlier one. Rows are forgotten with their call.
create table corrections (
    correction_id integer primary key,
    call_id text not null,
    centre_id text not null,
    account_id integer not null references accounts,
    at real not null,
    kind text not null check (kind in ('topic', 'client_type', 'finding')),
    value text,                             -- a topic, a type of client, or confirmed or refuted; null: withdrawn, the automatic result stands
    machine_value text,                     -- the automatic topic or type of client then
    finding_kind text,                      -- the finding as it was then: abuse, interruption, ...
    role text,
    turn_no integer,
    start_s real,
    end_s real,
    quote text,                             -- personal data masked
    severity text,
    target text,
    check ((kind = 'finding') = (finding_kind is not null and role is not null and start_s is not null and end_s is not null)),
    check (kind <> 'finding' or value is null or value in ('confirmed', 'refuted'))
) strict;
create index corrections_by_call on corrections (call_id);
create index corrections_by_centre on corrections (centre_id, at);
create trigger corrections_are_not_rewritten before update on corrections begin select raise(abort, 'corrections are append only'); end;
