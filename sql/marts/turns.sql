-- grain: one row per turn of a graded call
create or replace view turns as
select
    call_id,
    turn_no,
    role,
    start_s,
    end_s,
    text,
    language,
    asr_confidence,
    sentiment,
    sentiment_confidence,
    voice_level_db,
    raised_voice,
    overlap_s,
    speaker,
    track,
    role_confidence,
    interrupts,
    call_no
from store.turns;

comment on view turns is 'What was said: one speaker''s words until the other takes the floor.';
comment on column turns.call_id is 'The call.';
comment on column turns.turn_no is '1, 2, ... in order of start_s.';
comment on column turns.role is 'operator, client, or unknown where we could not tell.';
comment on column turns.start_s is 'Start of the turn, in seconds from the start of the recording.';
comment on column turns.end_s is 'End of the turn, in seconds.';
comment on column turns.text is 'The words; personal data is masked as [ACCOUNT], [PHONE], [NAME], ... unless calls.text_kept is raw.';
comment on column turns.language is 'Language of the turn (ru, uk, hu, en).';
comment on column turns.asr_confidence is 'How sure the recogniser is of these words, 0 to 1.';
comment on column turns.sentiment is 'How the words sound: negative, neutral or positive.';
comment on column turns.sentiment_confidence is 'How sure we are of the sentiment, 0 to 1.';
comment on column turns.voice_level_db is
    'Loudness against the same speaker''s own median in this call, in decibels; a level, never a feeling.';
comment on column turns.raised_voice is 'The turn is clearly louder than this speaker''s usual level.';
comment on column turns.overlap_s is 'How long the turn runs over other people''s turns, in seconds.';
comment on column turns.speaker is 'Speaker label, local to the call.';
comment on column turns.track is 'Audio track of the turn.';
comment on column turns.role_confidence is 'How sure we are of the role, 0 to 1.';
comment on column turns.interrupts is 'The turn began while another person was speaking and took the floor.';
comment on column turns.call_no is 'The number of the call, as in calls.';
