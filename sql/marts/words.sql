-- grain: one row per word (or placeholder of masked words) of a turn
create or replace view words as
select
    t.call_id,
    t.turn_no,
    t.position as word_no,
    t.word.text,
    t.word.start_s,
    t.word.end_s,
    t.word.probability,
    t.call_no
from (
    select call_id, call_no, turn_no, unnest(words) as word, generate_subscripts(words, 1) as position
    from core.turns
) as t;

comment on view words is
    'The words of each turn with their times; a placeholder such as [ACCOUNT] replaces all masked words.';
comment on column words.call_id is 'The call.';
comment on column words.turn_no is 'The turn of the call.';
comment on column words.word_no is '1, 2, ... within the turn.';
comment on column words.text is 'The word with its punctuation, as in turns.text.';
comment on column words.start_s is 'Start of the word, in seconds from the start of the recording.';
comment on column words.end_s is 'End of the word, in seconds.';
comment on column words.probability is 'Confidence of speech recognition for the word, 0 to 1.';
comment on column words.call_no is 'The number of the call, as in calls.';
