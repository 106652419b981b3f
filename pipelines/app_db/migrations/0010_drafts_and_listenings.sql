-- What a reviewer has filled in of an evaluation and not submitted yet. Only that account reads it; it is removed when the evaluation is submitted, when
-- the draft is discarded, and when the call is forgotten.
create table evaluation_drafts (
    call_id text not null,
    account_id integer not null references accounts on delete cascade,
    saved_at real not null,
    is_blind integer not null check (is_blind in (0, 1)),  -- begun while the results were withheld: they stay withheld until it is submitted
    answers_json text not null,             -- the fields of the form by name; personal data masked
    primary key (call_id, account_id)
) strict, without rowid;

-- How much of a recording a reviewer played, as the player reported it, limited by the time since the server sent the sound.
create table listenings (
    call_id text not null,
    account_id integer not null references accounts on delete cascade,
    sent_at real not null,                  -- when sound was sent
    reported_at real,                       -- when the player reported last
    played_s real not null default 0,       -- seconds of the recording
    listened_at real,                       -- when enough was played to count as listening; null until then
    primary key (call_id, account_id)
) strict, without rowid;
