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
from core.turns;

comment on view turns is 'The transcript: one speaker''s words until another speaks.';
comment on column turns.call_id is 'The call.';
comment on column turns.turn_no is '1, 2, ... in order of start_s.';
comment on column turns.role is 'operator, client, or unknown where the role could not be determined.';
comment on column turns.start_s is 'Start of the turn, in seconds from the start of the recording.';
comment on column turns.end_s is 'End of the turn, in seconds.';
comment on column turns.text is 'The words; personal data is masked as [ACCOUNT], [PHONE], [NAME], ... unless calls.text_kept is raw.';
comment on column turns.language is 'Language of the turn (ru, uk, hu, en).';
comment on column turns.asr_confidence is 'Confidence of speech recognition for this turn, 0 to 1.';
comment on column turns.sentiment is 'Sentiment of the words: negative, neutral or positive.';
comment on column turns.sentiment_confidence is 'Confidence of the sentiment, 0 to 1.';
comment on column turns.voice_level_db is
    'Loudness relative to the speaker''s median in this call, in decibels; it measures level, not emotion.';
comment on column turns.raised_voice is 'The turn is clearly louder than this speaker''s usual level.';
comment on column turns.overlap_s is 'Overlap with turns of other speakers, in seconds.';
comment on column turns.speaker is 'Speaker label, local to the call.';
comment on column turns.track is 'Audio track of the turn.';
comment on column turns.role_confidence is 'Confidence of the role, 0 to 1.';
comment on column turns.interrupts is
    'The turn interrupts another speaker: it began while they spoke, and continued after them.';
comment on column turns.call_no is 'The number of the call, as in calls.';
