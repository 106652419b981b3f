-- Reasons for calling that fit no topic, found weekly. A row is aggregate: its words occur in several calls; the calls stand in the other table and are
-- forgotten with them.
create table new_reasons (
    reason_id integer primary key,
    centre_id text not null,
    first_day text not null,                -- local days of the week, YYYY-MM-DD
    last_day text not null,
    words text not null,                    -- that name it, separated by commas
    calls integer not null,                 -- of the week in the group, among those that were compared
    compared integer not null,              -- calls of the week that stand for all of its calls
    earlier integer not null,               -- the same of the weeks before
    earlier_compared integer not null,
    p_value real not null,
    found_at real not null,
    status text not null default 'new' check (status in ('new', 'accepted', 'dismissed')),
    decided_by text,                        -- the name of the account
    decided_at real,
    topic_id text                           -- that was made of it in the draft of the scorecard
) strict;
create index new_reasons_by_centre on new_reasons (centre_id, first_day);
create table new_reason_calls (
    reason_id integer not null references new_reasons on delete cascade,
    call_id text not null,
    turn_no integer not null,               -- of the client, in which the reason is said
    place integer not null,                 -- 0: the most typical call
    primary key (reason_id, call_id)
) strict, without rowid;
create index new_reason_calls_by_call on new_reason_calls (call_id);
