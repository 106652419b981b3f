-- What people corrected on the pages of calls, copied from the application's database before each publication. Automatic rows stay as they are, and are
-- replaced when a call is scored again; these are not. An empty column: nothing to correct.
create table core.corrected_calls (
    call_id varchar not null,
    topic varchar,
    client_type varchar,
    outcome varchar
);

-- Findings that a person confirmed or refuted. A row holds for the finding of this number only where it still begins at this time.
create table core.judged_findings (
    call_id varchar not null,
    finding_no bigint not null,
    start_s double not null,
    judged_at timestamptz not null,
    is_refuted boolean not null
);
