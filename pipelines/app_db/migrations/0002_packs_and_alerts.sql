-- Coaching packs: which moments, in which order, for whom, until when. No words of a call are kept here; pages read them in the published copy.
create table packs (
    pack_id text primary key,               -- drawn at random
    centre_id text not null,
    title text not null,
    theme text,                             -- of a pack that was proposed: a theme of web/proposals.py
    operator_id text,                       -- for whom; null: for everybody
    notes text not null default '',
    is_disguised integer not null default 0 check (is_disguised in (0, 1)),
    made_by text not null,                  -- the name of the account
    made_at real not null,
    expires_at real not null
) strict, without rowid;
create index packs_by_centre on packs (centre_id, expires_at);

create table pack_moments (
    pack_id text not null references packs on delete cascade,
    moment_id text not null,                -- drawn at random
    position integer not null,
    call_id text not null,
    recording_sha256 text not null,         -- of the recording that it was chosen from: another one has other words at these times
    kind text not null check (kind in ('good_example', 'to_improve')),
    criterion_id text,                      -- what it shows: a criterion,
    finding_kind text,                      -- or something noticed,
    severity text,
    start_s real not null,                  -- or the words at this place
    end_s real not null,
    notes text not null default '',
    primary key (pack_id, moment_id)
) strict, without rowid;

-- Alerts: what was told to whom, so that nothing is told twice. The body is emptied once it was delivered.
create table alerts (
    alert_id text primary key,              -- goes along with the message, so that a receiver can tell a repeated one
    rule_id text not null,
    channel text not null,
    centre_id text not null,
    made_at real not null,
    body text not null,                     -- JSON: kind, counts, ids, a link
    tries integer not null default 0,
    try_after real not null default 0,
    sent_at real,
    given_up_at real,
    error text
) strict, without rowid;

create table alerted_calls (
    rule_id text not null,
    channel text not null,
    call_id text not null,
    alert_id text not null references alerts,
    primary key (rule_id, channel, call_id)
) strict, without rowid;

create table alerted_times (
    rule_id text not null,
    channel text not null,
    centre_id text not null,
    about text not null,                    -- a topic or nothing, and a day
    alert_id text not null references alerts,
    primary key (rule_id, channel, centre_id, about)
) strict, without rowid;
