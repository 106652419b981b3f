-- grain: one row per finding in a graded call
create or replace view findings as
select
    call_id,
    finding_no,
    kind,
    role,
    turn_no,
    start_s,
    end_s,
    quote,
    severity,
    target,
    confidence,
    detector,
    if(j.judged_at is null, 'machine', 'human') as judge,
    if(j.is_refuted, j.judged_at, null) as refuted_at
from core.findings
left join core.judged_findings as j using (call_id, finding_no, start_s);

comment on view findings is
    'Findings in a call, with their place and quote. Count those whose refuted_at is empty.';
comment on column findings.call_id is 'The call.';
comment on column findings.finding_no is '1, 2, ... in order of start_s within the call.';
comment on column findings.kind is
    'abuse, forbidden_phrase, personal_data, raised_voice, interruption, dead_air, dropped_speech, channel_mapping.';
comment on column findings.role is 'The role of the speaker: operator, client or unknown.';
comment on column findings.turn_no is 'The turn of the finding; empty where it is not in a turn.';
comment on column findings.start_s is 'Start, in seconds from the start of the recording.';
comment on column findings.end_s is 'End, in seconds.';
comment on column findings.quote is 'The words, as in the turn.';
comment on column findings.severity is 'Of abuse: profanity, insult or threat.';
comment on column findings.target is 'Of abuse: operator, company, client or other.';
comment on column findings.confidence is 'Confidence, 0 to 1.';
comment on column findings.detector is 'The detector and its version.';
comment on column findings.judge is 'human where a person confirmed or refuted the finding, else machine.';
comment on column findings.refuted_at is
    'When a person marked the finding as not correct; empty for a finding that counts.';
