-- grain: one row per sentence of the summary of a call
create or replace view call_summaries as
select
    call_id,
    sentence_no,
    text,
    turn_no,
    quote,
    start_s,
    end_s
from core.call_summaries;

comment on view call_summaries is
    'Summaries of calls that a language model wrote (CALLGRADE_SUMMARIES), each sentence with its quote.';
comment on column call_summaries.call_id is 'The call.';
comment on column call_summaries.sentence_no is 'The number of the sentence, from 1; a sentence that its quote did not prove is left out.';
comment on column call_summaries.text is 'The sentence, in the language of the call.';
comment on column call_summaries.turn_no is 'The turn of the quote.';
comment on column call_summaries.quote is 'The words that prove the sentence, as in the turn.';
comment on column call_summaries.start_s is 'Start of the quote, in seconds from the start of the recording.';
comment on column call_summaries.end_s is 'End of the quote, in seconds.';
