-- replaces, for t in touched_blocks: m.block = t.block
-- The calls and turns of a block in which each lemma was said.
-- Stored in the order of the lemmas, so that one is found without reading them all.
with places as (
    select
        x.lemma,
        w.block,
        w.call_no,
        list_sort(list_distinct(list(w.turn_no))) as turn_nos
    from touched_words as w
    join intermediate.lexicon as x on x.form = w.form and x.language = w.language
    group by x.lemma, w.block, w.call_no
)

select
    lemma,
    block,
    list({'call_no': call_no, 'turn_nos': turn_nos} order by call_no) as calls
from places
group by lemma, block
order by lemma, block
