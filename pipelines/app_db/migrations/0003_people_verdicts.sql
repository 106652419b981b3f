-- What people say of calls. Nothing here is ever changed: a later row stands instead of an earlier one, which stays readable.
-- A person has seen what the machine said of a call: what he says of it from then on is not blind.
create table seen_verdicts (
    call_id text not null,
    account_id integer not null references accounts,
    at real not null,
    primary key (call_id, account_id)
) strict, without rowid;

-- One form, filled in by one person for one call.
create table people_evaluations (
    evaluation_id integer primary key,
    call_id text not null,
    centre_id text not null,
    account_id integer not null references accounts,
    at real not null,
    is_blind integer not null check (is_blind in (0, 1)),
    scorecard_id text not null,
    scorecard_version text not null
) strict;
create index people_evaluations_by_call on people_evaluations (call_id);
create index people_evaluations_by_centre on people_evaluations (centre_id, is_blind);

-- An operator does not agree with a point of an own call.
create table disputes (
    dispute_id integer primary key,
    call_id text not null,
    centre_id text not null,
    account_id integer not null references accounts,
    operator_id text not null,
    scorecard_id text not null,
    criterion_id text not null,
    verdict text not null,                  -- what stood then
    judge text not null check (judge in ('machine', 'human')),
    reason text not null,                   -- personal data masked
    turn_no integer,
    at real not null,
    unique (call_id, scorecard_id, criterion_id)
) strict;
create index disputes_by_centre on disputes (centre_id, at);
create index disputes_by_account on disputes (account_id, at);

create table dispute_decisions (
    dispute_id integer primary key references disputes on delete cascade,
    call_id text not null,
    account_id integer not null references accounts,
    is_upheld integer not null check (is_upheld in (0, 1)),
    reason text not null,                   -- personal data masked
    at real not null
) strict;

-- The operator has read the decision.
create table read_decisions (
    dispute_id integer primary key references disputes on delete cascade,
    call_id text not null,
    at real not null
) strict;

-- A person's answer to one criterion, on a form or by deciding a dispute.
create table people_verdicts (
    verdict_id integer primary key,
    call_id text not null,
    evaluation_id integer references people_evaluations on delete cascade,
    dispute_id integer references disputes on delete cascade,
    account_id integer not null references accounts,
    at real not null,
    scorecard_id text not null,
    criterion_id text not null,
    verdict text not null check (verdict in ('pass', 'fail', 'na', 'unsure')),
    quote text,
    role text,
    turn_no integer,
    start_s real,
    end_s real,
    note text not null,                     -- personal data masked
    machine_verdict text,                   -- what the machine said then
    check ((evaluation_id is null) <> (dispute_id is null))
) strict;
create index people_verdicts_by_call on people_verdicts (call_id);
create index people_verdicts_by_time on people_verdicts (at);

-- Upheld disputes as cases that the rules are tested against: masked words, nobody's id, so they stay when the call is forgotten.
create table regression_cases (
    case_id text primary key,
    at real not null,
    case_json text not null
) strict, without rowid;

create trigger people_verdicts_are_not_rewritten before update on people_verdicts begin select raise(abort, 'people''s verdicts are append only'); end;
create trigger people_evaluations_are_not_rewritten before update on people_evaluations begin select raise(abort, 'evaluations are append only'); end;
create trigger disputes_are_not_rewritten before update on disputes begin select raise(abort, 'disputes are append only'); end;
create trigger decisions_are_not_rewritten before update on dispute_decisions begin select raise(abort, 'decisions are append only'); end;
