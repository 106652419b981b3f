-- grain: one row per interval in which the client waits
create or replace view holds as
select call_id, start_s, end_s, kind
from core.holds;

comment on view holds is 'Intervals of a call in which the client waits: nobody speaks, or music plays.';
comment on column holds.call_id is 'The call.';
comment on column holds.start_s is 'Start, in seconds from the start of the recording.';
comment on column holds.end_s is 'End, in seconds.';
comment on column holds.kind is 'silence or music.';
