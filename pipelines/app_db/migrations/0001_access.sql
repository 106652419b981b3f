-- Who may come in, what they opened, and what they did. Times are seconds since 1970 (UTC).
create table secrets (
    name text primary key,
    value blob not null
) strict;

create table accounts (
    account_id integer primary key,
    name text not null unique,              -- folded: two spellings of one name never meet
    role text not null check (role in ('operator', 'trainer', 'analyst', 'manager', 'administrator')),
    password_hash text not null,            -- argon2id, with its own salt and parameters
    operator_id text,                       -- whose calls an operator's account shows
    hears_personal_data integer not null default 0 check (hears_personal_data in (0, 1)),
    is_active integer not null default 1 check (is_active in (0, 1)),
    language text,                          -- null: as the browser asks
    created_at real not null,
    check (role <> 'operator' or operator_id is not null)
) strict;

create table account_centres (
    account_id integer not null references accounts on delete cascade,
    centre_id text not null,                -- '*' means every centre
    primary key (account_id, centre_id)
) strict, without rowid;

create table sessions (
    session_hash text primary key,          -- sha256 of what the browser holds: who reads this file cannot sign in with it
    account_id integer not null references accounts on delete cascade,
    opened_at real not null,
    seen_at real not null
) strict, without rowid;

create table sign_in_attempts (
    at real not null,
    name text not null,
    address text not null
) strict;
create index sign_in_attempts_by_name on sign_in_attempts (name, at);
create index sign_in_attempts_by_address on sign_in_attempts (address, at);

create table audit (
    audit_id integer primary key,
    at real not null,
    account_id integer,                     -- null: nobody had signed in
    account_name text not null,
    address text not null,
    action text not null,
    outcome text not null check (outcome in ('done', 'refused')),
    centre_id text,
    subject text                            -- a call, a clip, an account, a page: its id, cut to 200 characters
) strict;
create index audit_by_time on audit (at);
create index audit_by_centre on audit (centre_id, at);
create trigger audit_is_not_rewritten before update on audit begin select raise(abort, 'the audit is append only'); end;
create trigger audit_is_not_removed before delete on audit begin select raise(abort, 'the audit is append only'); end;

-- Calls that a person has listened to for quality, and the random sample drawn for it, kept so that nobody can draw until it suits.
create table reviewed_calls (
    call_id text not null,
    account_id integer not null references accounts,
    at real not null,
    primary key (call_id, account_id)
) strict, without rowid;
