-- The schemas get the names of what they contain: `core` (it was `store`) for loaded rows, `intermediate` (it was `made`) for rows computed from
-- them, which the views read. DuckDB 1.5.5 cannot rename a schema, so the rows are copied, in their order. These are all tables of `core`.
create schema core;

-- The facts of each centre from its profile: its local time, and when a rest is due.
create table core.centres (
    centre_id varchar primary key,
    name varchar not null,
    timezone varchar not null,
    abusive_in_a_row bigint default 2,
    abusive_calls bigint default 3,
    abuse_s double default 60
);

-- What intake delivered, before conflicts were resolved: the other side of the reconciliation.
create table core.received (
    call_id varchar not null,
    recording_sha256 varchar
);

-- Every call received, with its row of the log and its status. Calls are numbered as they are loaded.
create table core.calls (
    call_id varchar not null,
    centre_id varchar,
    recording varchar,
    recording_sha256 varchar,
    size_bytes bigint,
    started_at timestamptz,
    direction varchar,
    line varchar,
    queue varchar,
    ivr_path varchar,
    operator_id varchar,
    operator_tenure varchar,
    client_ref varchar,
    wait_s double,
    disconnect_party varchar,
    operator_channel bigint,
    language varchar,
    extra_json varchar,
    status varchar not null,
    status_step varchar,
    status_reason varchar,
    text_kept varchar not null,
    content_md5 varchar not null,
    loaded_at timestamptz not null,
    call_no bigint,
    medium varchar default 'recording',
    status_reason_key varchar,
    status_reason_values varchar
);

-- Properties of the recordings.
create table core.audio (
    call_id varchar not null,
    duration_s double not null,
    sample_rate_hz bigint not null,
    codec varchar not null,
    channels bigint not null,
    tracks bigint not null
);

-- Intervals in which the client waits.
create table core.holds (
    call_id varchar not null,
    start_s double not null,
    end_s double not null,
    kind varchar not null
);

-- The assignment of operator and client.
create table core.roles (
    call_id varchar not null,
    role_confidence double not null,
    explanation varchar not null,
    is_mapping_suspect boolean not null
);

-- Turns with their words and sentiment, in the order of call_no.
create table core.turns (
    call_id varchar not null,
    turn_no bigint not null,
    track bigint not null,
    speaker varchar not null,
    role varchar not null,
    role_confidence double not null,
    start_s double not null,
    end_s double not null,
    text varchar not null,
    words struct("text" varchar, start_s double, end_s double, probability double)[] not null,
    language varchar not null,
    asr_confidence double not null,
    voice_level_db double,
    raised_voice boolean not null,
    overlap_s double not null,
    interrupts boolean not null,
    sentiment varchar,
    sentiment_confidence double,
    call_no bigint
);

-- Where personal data was spoken; not the data itself.
create table core.personal_data (
    call_id varchar not null,
    turn_no bigint not null,
    kind varchar not null,
    start_s double not null,
    end_s double not null
);

-- Speech acts of the operator, in the order of call_no.
create table core.speech_acts (
    call_id varchar not null,
    turn_no bigint not null,
    act varchar not null,
    role varchar not null,
    start_s double not null,
    end_s double not null,
    quote varchar not null,
    confidence double not null,
    call_no bigint
);

-- Abuse, forbidden phrases and other findings.
create table core.findings (
    call_id varchar not null,
    finding_no bigint not null,
    kind varchar not null,
    role varchar not null,
    turn_no bigint,
    start_s double not null,
    end_s double not null,
    quote varchar,
    severity varchar,
    target varchar,
    confidence double not null,
    detector varchar not null
);

-- The outcome of the abuse procedure.
create table core.procedures (
    call_id varchar not null,
    outcome varchar not null,
    warned_at_s double,
    ended_notice_at_s double,
    confidence double not null,
    explanation varchar not null,
    explanation_json varchar default '{}'
);

-- Verdicts on criteria; automatic ones have a call_no.
create table core.verdicts (
    call_id varchar not null,
    scorecard_id varchar not null,
    scorecard_version varchar not null,
    criterion_id varchar not null,
    verdict varchar not null,
    confidence double not null,
    points double not null,
    max_points double not null,
    quote varchar,
    role varchar,
    turn_no bigint,
    start_s double,
    end_s double,
    explanation varchar not null,
    judge varchar not null default 'machine',
    explanation_json varchar default '{}',
    judged_at timestamptz,
    call_no bigint
);

-- Scores by call, scorecard and judge.
create table core.evaluations (
    call_id varchar not null,
    scorecard_id varchar not null,
    scorecard_version varchar not null,
    score_pct double,
    is_auto_fail boolean not null,
    auto_fail_reason varchar,
    coverage_pct double not null,
    needs_review boolean not null,
    judge varchar not null default 'machine',
    evaluated_at timestamptz not null,
    auto_fail_criterion_id varchar
);

-- Measures of the conversation, and the versions that judged it.
create table core.metrics (
    call_id varchar not null,
    language varchar not null,
    topic varchar not null,
    topic_confidence double not null,
    client_type varchar not null,
    client_type_confidence double not null,
    handling_time_s double not null,
    operator_talk_ratio double,
    client_talk_ratio double,
    overlap_ratio double not null,
    dead_air_s double not null,
    hold_s double not null,
    operator_words_per_min double,
    client_words_per_min double,
    interruptions_by_operator bigint not null,
    interruptions_by_client bigint not null,
    client_sentiment_start double,
    client_sentiment_end double,
    asr_confidence double not null,
    speech_model varchar not null,
    scored_by varchar not null
);

-- Coaching clips.
create table core.clips (
    clip_id varchar not null,
    call_id varchar not null,
    criterion_id varchar,
    kind varchar not null,
    start_s double not null,
    end_s double not null,
    quote varchar,
    path varchar not null,
    masked boolean not null,
    expires_at timestamptz
);

-- Automatic verdicts that were replaced.
create table core.past_verdicts (
    call_id varchar,
    scorecard_id varchar,
    scorecard_version varchar,
    criterion_id varchar,
    verdict varchar,
    confidence double,
    points double,
    max_points double,
    quote varchar,
    role varchar,
    turn_no bigint,
    start_s double,
    end_s double,
    explanation varchar,
    judge varchar,
    explanation_json varchar,
    judged_at timestamptz,
    replaced_at timestamptz,
    call_no bigint,
    replaced_by varchar
);

-- Automatic evaluations that were replaced.
create table core.past_evaluations (
    call_id varchar,
    scorecard_id varchar,
    scorecard_version varchar,
    score_pct double,
    is_auto_fail boolean,
    auto_fail_reason varchar,
    coverage_pct double,
    needs_review boolean,
    judge varchar,
    evaluated_at timestamptz,
    auto_fail_criterion_id varchar,
    speech_model varchar,
    scored_by varchar,
    replaced_at timestamptz
);

-- Checksums of erased calls, so that they are rejected when they are received again.
create table core.forgotten (
    recording_sha256 varchar,
    call_id_sha256 varchar not null,
    reason varchar not null,
    forgotten_at timestamptz not null
);

-- Calls that were changed since the last publication.
create table core.unpublished (
    call_id varchar not null
);

-- Where these calls counted before the change; the rows there are recomputed too.
create table core.touched (
    centre_id varchar,
    operator_id varchar,
    month date,
    first_local timestamp
);

-- The blocks of these calls in intermediate.lemma_index.
create table core.touched_blocks (
    block bigint
);

-- The calls of each publication.
create table core.publications (
    publication bigint not null,
    call_id varchar not null
);

create table core.migrations (
    name varchar primary key,
    sha256 varchar not null,
    applied_at timestamptz not null
);

insert into core.centres by name from store.centres;
insert into core.received by name from store.received;
insert into core.calls by name from store.calls;
insert into core.audio by name from store.audio;
insert into core.holds by name from store.holds;
insert into core.roles by name from store.roles;
insert into core.turns by name from store.turns;
insert into core.personal_data by name from store.personal_data;
insert into core.speech_acts by name from store.speech_acts;
insert into core.findings by name from store.findings;
insert into core.procedures by name from store.procedures;
insert into core.verdicts by name from store.verdicts;
insert into core.evaluations by name from store.evaluations;
insert into core.metrics by name from store.metrics;
insert into core.clips by name from store.clips;
insert into core.past_verdicts by name from store.past_verdicts;
insert into core.past_evaluations by name from store.past_evaluations;
insert into core.forgotten by name from store.forgotten;
insert into core.unpublished by name from store.unpublished;
insert into core.touched by name from store.touched;
insert into core.touched_blocks by name from store.touched_blocks;
insert into core.publications by name from store.publications;

insert into core.migrations from store.migrations where name not like '~%'; -- the digests of views and of `made`, which are created anew

drop table store.centres;
drop table store.received;
drop table store.calls;
drop table store.audio;
drop table store.holds;
drop table store.roles;
drop table store.turns;
drop table store.personal_data;
drop table store.speech_acts;
drop table store.findings;
drop table store.procedures;
drop table store.verdicts;
drop table store.evaluations;
drop table store.metrics;
drop table store.clips;
drop table store.past_verdicts;
drop table store.past_evaluations;
drop table store.forgotten;
drop table store.unpublished;
drop table store.touched;
drop table store.touched_blocks;
drop table store.publications;

drop schema if exists made cascade;

-- What stays of `store` is its list of migrations: a version before this one looks there, and must refuse the file instead of starting an
-- empty one in it.
insert into store.migrations
select '0012_core_and_intermediate.sql', 'see core.migrations', max(applied_at) from store.migrations;
