-- replaces, for t in touched_calls: t.was_known and m.call_id = t.call_id
-- Which lemma was said in which turns of a call. Kept in the order of the lemmas, so that one is found without reading them all.
select
    x.lemma,
    w.call_id,
    w.call_no,
    list_sort(list_distinct(list(w.turn_no))) as turn_nos
from touched_words as w
join made.lexicon as x on x.form = w.form and x.language = w.language
group by x.lemma, w.call_id, w.call_no
order by x.lemma, w.call_no
