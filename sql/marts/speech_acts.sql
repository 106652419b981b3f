-- grain: one row per turn of a graded call and what the operator clearly did in it with words
create or replace view speech_acts as
select
    call_id,
    turn_no,
    act,
    role,
    start_s,
    end_s,
    quote,
    confidence,
    call_no
from store.speech_acts;

comment on view speech_acts is 'What the operator did with words: greeted, asked who is calling, comforted, announced a hold.';
comment on column speech_acts.call_id is 'The call.';
comment on column speech_acts.turn_no is 'The turn that did it.';
comment on column speech_acts.act is
    'greeting, company, self_name, offer_help, identify, clarify, empathy, hold_ask, hold_thanks, solution, '
    'self_service, anything_else, thanks, farewell, warn_abuse, end_notice, night_notice, redirect or '
    'callback_intro. Nothing that would blame the operator: that is weighed in findings and criterion_results.';
comment on column speech_acts.role is 'operator, or unknown where we could not tell.';
comment on column speech_acts.start_s is 'Start of the sentence that did it, in seconds from the start of the recording.';
comment on column speech_acts.end_s is 'Their end, in seconds.';
comment on column speech_acts.quote is 'The sentence, as its words stand in the turn.';
comment on column speech_acts.confidence is
    'How sure we are, 0 to 1; what is less sure than 0.8 is left out, so that a missing row proves nothing.';
comment on column speech_acts.call_no is 'The number of the call, as in calls.';
