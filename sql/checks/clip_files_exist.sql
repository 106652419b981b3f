-- fail: a coaching clip has no audio file
select clip_id, call_id, path
from coaching_clips
anti join clip_files using (path)
