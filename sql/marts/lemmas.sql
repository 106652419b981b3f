-- grain: one row per lemma and graded call
create or replace view lemmas as
select
    s.lemma,
    c.call_id,
    s.call.turn_nos,
    s.call.call_no
from (select lemma, unnest(calls) as call from intermediate.lemma_index) as s
join core.calls as c on c.call_no = s.call.call_no;

comment on view lemmas is
    'The words said in each call, by lemma, with their turns; search it with turns_saying(phrase).';
comment on column lemmas.lemma is 'The base form of a word, in the spelling of plain_text: lower case, ё as е.';
comment on column lemmas.call_id is 'The call.';
comment on column lemmas.turn_nos is 'The turns of the call in which the word was said, in order.';
comment on column lemmas.call_no is 'The number of the call, as in calls.';

-- The turns in which all words of a phrase were said, in any form and order: from turns_saying('перерасчёт за отопление').
create or replace macro turns_saying(phrase) as table
    with wanted as (
        select distinct unnest(string_split(plain_text(phrase), ' ')) as form
    ),
    meant as (
    -- A form that occurs in no call is searched for as a lemma.
        select distinct w.form, coalesce(x.lemma, w.form) as lemma
        from wanted as w
        left join intermediate.lexicon as x on x.form = w.form
        where w.form <> ''
    ),
    said as (
        select m.form, unnest(s.calls) as call
        from intermediate.lemma_index as s
        join meant as m on m.lemma = s.lemma
    ),
    places as (
        select s.form, s.call.call_no, unnest(s.call.turn_nos) as turn_no
        from said as s
    ),
    found as (
        select call_no, turn_no
        from places
        group by call_no, turn_no
        having count(distinct form) = (select count(distinct form) from meant)
    )
    select c.call_id, f.turn_no, f.call_no
    from found as f
    join core.calls as c on c.call_no = f.call_no;

-- Those of some lemmas that occur in any call: from lemmas_said(['счётчик', 'газ']).
create or replace macro lemmas_said(wanted) as table
    select distinct lemma
    from intermediate.lexicon
    where list_contains(wanted, lemma);

-- The calls among these numbers in which each of some lemmas was said, with its turns:
-- from lemmas_in_calls(['счётчик', 'газ'], [17, 18]).
create or replace macro lemmas_in_calls(wanted, call_nos) as table
    with chosen as materialized (
        select unnest(call_nos) as call_no
    )
    select
        s.lemma,
        s.call.call_no,
        s.call.turn_nos
    from (
        select
            lemma,
            unnest(calls) as call
        from intermediate.lemma_index
        where list_contains(wanted, lemma) and block in (select call_block(call_no) from chosen)
    ) as s
    semi join chosen on chosen.call_no = s.call.call_no;
