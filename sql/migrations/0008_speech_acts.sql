-- What operators clearly did with words, in the order of the calls' numbers, so that trainers find it by what it is; calls that were judged before
-- have none until they are judged again.
create table store.speech_acts (
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
