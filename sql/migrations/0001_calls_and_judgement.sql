-- Everything that one run learns about a call. Tables in `store` are ours; people read the views in sql/marts.
-- No primary keys on the large tables: a re-graded call is deleted and inserted in one transaction, and sql/checks looks for doubles.
create table store.centres (
    centre_id varchar primary key,
    name varchar not null,
    timezone varchar not null
);

-- What intake handed over, before any conflict was settled: the other side of the reconciliation.
create table store.received (
    call_id varchar not null,
    recording_sha256 varchar
);

create table store.calls (
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
    loaded_at timestamptz not null
);

create table store.audio (
    call_id varchar not null,
    duration_s double not null,
    sample_rate_hz bigint not null,
    codec varchar not null,
    channels bigint not null,
    tracks bigint not null
);

create table store.holds (
    call_id varchar not null,
    start_s double not null,
    end_s double not null,
    kind varchar not null
);

create table store.roles (
    call_id varchar not null,
    role_confidence double not null,
    explanation varchar not null,
    is_mapping_suspect boolean not null
);

create table store.turns (
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
    interrupts boolean not null
);

create table store.personal_data (
    call_id varchar not null,
    turn_no bigint not null,
    kind varchar not null,
    start_s double not null,
    end_s double not null
);

create table store.sentiments (
    call_id varchar not null,
    turn_no bigint not null,
    sentiment varchar not null,
    confidence double not null
);

create table store.findings (
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

create table store.procedures (
    call_id varchar not null,
    outcome varchar not null,
    warned_at_s double,
    ended_notice_at_s double,
    confidence double not null,
    explanation varchar not null
);

create table store.verdicts (
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
    judge varchar not null default 'machine'
);

create table store.evaluations (
    call_id varchar not null,
    scorecard_id varchar not null,
    scorecard_version varchar not null,
    score_pct double,
    is_auto_fail boolean not null,
    auto_fail_reason varchar,
    coverage_pct double not null,
    needs_review boolean not null,
    judge varchar not null default 'machine',
    evaluated_at timestamptz not null
);

create table store.metrics (
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

create table store.clips (
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
