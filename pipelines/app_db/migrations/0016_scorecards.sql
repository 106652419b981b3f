-- The draft of a centre's profile, shared by everybody who may edit it. It becomes a file when it is activated.
create table scorecard_drafts (
    centre_id text primary key,
    text text not null,                     -- YAML
    based_on_version text not null,         -- the version that the draft was begun from,
    based_on_sha256 text not null,          -- and its text, which may be changed by hand under the same version
    edited_by text not null,                -- the name of the account
    edited_at real not null
) strict, without rowid;

-- Requests to judge the calls of some days again by the newest version of a centre's profile.
create table regrade_requests (
    request_id integer primary key,
    centre_id text not null,
    first_day text not null,                -- local days of the centre, YYYY-MM-DD
    last_day text not null,
    version text not null,                  -- that the calls are to be judged by
    requested_by text not null,
    requested_at real not null,
    approved_by text,
    approved_at real,
    declined_by text,
    done_at real                            -- when all these calls were judged again, or the request was declined
) strict;
create index regrade_requests_by_centre on regrade_requests (centre_id, requested_at);
