-- grain: one row per coaching clip
create or replace view coaching_clips as
select clip_id, call_id, criterion_id, kind, start_s, end_s, quote, path, masked, expires_at
from core.clips;

comment on view coaching_clips is 'Short excerpts of calls for training: good examples and moments to improve.';
comment on column coaching_clips.clip_id is 'Id of the clip.';
comment on column coaching_clips.call_id is 'The call that it was cut from.';
comment on column coaching_clips.criterion_id is 'The criterion it illustrates.';
comment on column coaching_clips.kind is 'good_example or to_improve.';
comment on column coaching_clips.start_s is 'Start of the clip in the recording, in seconds.';
comment on column coaching_clips.end_s is 'End of the clip in the recording, in seconds.';
comment on column coaching_clips.quote is 'The words that the verdict rests on.';
comment on column coaching_clips.path is 'The audio file, relative to the folder beside the warehouse that ends in .callgrade.';
comment on column coaching_clips.masked is 'Personal data is beeped out.';
comment on column coaching_clips.expires_at is 'When the clip is to be deleted.';
