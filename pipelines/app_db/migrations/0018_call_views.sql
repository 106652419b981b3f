-- Saved filters of the list of calls: an account's own, or shared with everybody of a centre who reads its calls.
create table call_views (
    view_id integer primary key,
    account_id integer not null references accounts,
    name text not null,                     -- personal data masked
    query text not null,                    -- parameters of the address, checked when they were saved
    centre_id text,                         -- shared with this centre; null: only the account's own
    saved_at real not null,
    unique (account_id, name)
) strict;
create index call_views_by_centre on call_views (centre_id);
