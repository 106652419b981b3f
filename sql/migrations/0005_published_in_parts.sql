-- What was changed and is not published yet: publishing checks these calls and works out again the rows of `made` that they touch.
create table store.unpublished (call_id varchar not null, was_known boolean not null);

-- Where such calls stood before they were changed: the rows there are to be worked out again as well.
create table store.touched (centre_id varchar, operator_id varchar, month date, first_local timestamp);

-- When a rest is due at a centre, from its YAML.
alter table store.centres add column abusive_in_a_row bigint default 2;
alter table store.centres add column abusive_calls bigint default 3;
alter table store.centres add column abuse_s double default 60;

-- The sentiment of a turn stands beside its words: joining the two took longer than all else at 80 million turns.
create table store.felt_turns (
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
    sentiment_confidence double
);

insert into store.felt_turns
select t.*, s.sentiment, s.confidence
from store.turns as t
left join store.sentiments as s on s.call_id = t.call_id and s.turn_no = t.turn_no;

drop table store.turns;

drop table store.sentiments;

alter table store.felt_turns rename to turns;
