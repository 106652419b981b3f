-- The turns of the calls in the temporary table `made`, and how the client sounds in them; made_calls.sql comes first.
create or replace temp table staged_turns as
with spread as (
    select *, unnest(range(1, turns + 1)) as turn_no
    from made
    where status = 'graded'
),
timed as (
    select
        *,
        2 + cast(floor(7 * share(n * 1000 + turn_no, 'length')) as int) as words,
        round((turn_no - 1) * duration_s / turns, 3) as start_s,
        0.95 * duration_s / turns as length_s
    from spread
),
said as (
    select
        *,
        list_transform(range(words), lambda w: {
            'text': word(n, turn_no, w),
            'start_s': round(start_s + w * length_s / words, 3),
            'end_s': round(start_s + (w + 0.9) * length_s / words, 3),
            'probability': round(1 - 0.5 * share(n * 1000 + turn_no, w + 100) ** 3, 4)
        }) as tokens
    from timed
)
select
    call_id,
    turn_no,
    turn_no % 2 as track,
    if(turn_no % 2 = 1, 'A', 'B') as speaker,
    if(turn_no % 2 = 1, 'operator', 'client') as role,
    0.95 as role_confidence,
    start_s,
    round(start_s + length_s, 3) as end_s,
    list_transform(tokens, lambda t: struct_insert(t, raw := cast(null as varchar))) as tokens,
    language,
    round(0.7 + 0.3 * share(n * 1000 + turn_no, 'heard'), 4) as asr_confidence,
    round(12 * share(n * 1000 + turn_no, 'level') - 6, 1) as voice_level_db,
    share(n * 1000 + turn_no, 'raised') < 0.03 as raised_voice,
    if(share(n * 1000 + turn_no, 'overlap') < 0.1, round(share(n * 1000 + turn_no, 'over'), 3), 0) as overlap_s,
    share(n * 1000 + turn_no, 'interrupts') < 0.02 as interrupts
from said;

create or replace temp table staged_sentiments as
select
    call_id,
    unnest(range(1, turns + 1)) as turn_no,
    one_of(['neutral', 'neutral', 'neutral', 'positive', 'negative'], n * 1000 + turn_no, 'sentiment') as sentiment,
    round(0.5 + 0.5 * share(n * 1000 + turn_no, 'sure'), 3) as confidence
from made
where status = 'graded';
