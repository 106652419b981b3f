-- Questions of scorecards that a language model answered, or why it did not, with what each cost; and summaries of calls, each sentence with its quote.
create table core.question_answers (
    call_id varchar not null,
    criterion_id varchar not null,
    answer varchar,
    problem varchar,
    is_final boolean not null,
    model varchar not null,
    prompt_version varchar not null,
    question_version varchar not null,
    prompt_tokens bigint not null,
    completion_tokens bigint not null,
    seconds double not null,
    requests bigint not null
);

create table core.call_summaries (
    call_id varchar not null,
    sentence_no bigint not null,
    text varchar not null,
    turn_no bigint not null,
    quote varchar not null,
    start_s double not null,
    end_s double not null
);
