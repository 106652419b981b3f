-- grain: one row per turn of a graded call and speech act of the operator in it
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
from core.speech_acts;

comment on view speech_acts is
    'Speech acts of the operator: greeting, asking who is calling, empathy, announcing a hold, and others.';
comment on column speech_acts.call_id is 'The call.';
comment on column speech_acts.turn_no is 'The turn of the speech act.';
comment on column speech_acts.act is
    'greeting, company, self_name, offer_help, identify, clarify, empathy, hold_ask, hold_thanks, solution, '
    'self_service, anything_else, thanks, farewell, warn_abuse, end_notice, night_notice, redirect or '
    'callback_intro. Acts that would count against the operator are in findings and criterion_results.';
comment on column speech_acts.role is 'operator, or unknown where the role could not be determined.';
comment on column speech_acts.start_s is 'Start of the sentence, in seconds from the start of the recording.';
comment on column speech_acts.end_s is 'End of the sentence, in seconds.';
comment on column speech_acts.quote is 'The sentence, as in the turn.';
comment on column speech_acts.confidence is
    'Confidence, 0 to 1; acts below 0.8 are left out, so a missing row proves nothing.';
comment on column speech_acts.call_no is 'The number of the call, as in calls.';
