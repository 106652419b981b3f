-- grain: one row per call received, graded or rejected
create or replace view calls as
select
    call_id,
    centre_id,
    recording_sha256,
    started_at,
    direction,
    line,
    queue,
    ivr_path,
    operator_id,
    operator_tenure,
    client_ref,
    wait_s,
    duration_s,
    channels,
    language,
    topic,
    topic_confidence,
    client_type,
    client_type_confidence,
    disconnect_party,
    status,
    status_reason,
    role_confidence,
    speech_model,
    scored_by,
    status_step,
    recording,
    size_bytes,
    codec,
    sample_rate_hz,
    tracks,
    operator_channel,
    role_explanation,
    is_mapping_suspect,
    text_kept,
    started_local,
    extra_json,
    loaded_at,
    call_no,
    medium,
    status_reason_key,
    status_reason_values
from made.calls;

comment on view calls is 'Every call that was received: graded, quarantined (bad input) or unscoreable (sound, but nobody could judge it).';
comment on column calls.call_id is
    'Identity of the call, from the call log; a second recording under the same id gets ~ and the start of its sha256.';
comment on column calls.centre_id is 'The contact centre, as in pipelines/centres/packaged.';
comment on column calls.recording_sha256 is 'sha256 of the recording, in hexadecimal; empty where no recording was found.';
comment on column calls.started_at is 'When the call began, with time zone.';
comment on column calls.direction is 'inbound, outbound or callback, from the log.';
comment on column calls.line is 'The line that took the call (first, second, technical ...), from the log.';
comment on column calls.queue is 'The queue the client waited in, from the log.';
comment on column calls.ivr_path is 'The way through the voice menu, from the log.';
comment on column calls.operator_id is 'Who answered, from the log.';
comment on column calls.operator_tenure is 'trainee, experienced ..., from the log.';
comment on column calls.client_ref is 'The client under a reference that is not a name, from the log.';
comment on column calls.wait_s is 'How long the client waited for an answer, in seconds, from the log.';
comment on column calls.duration_s is 'Length of the recording in seconds.';
comment on column calls.channels is 'Audio channels in the file: 1 or 2; 0 for a transcript.';
comment on column calls.language is 'The main language of the conversation (ru, uk, hu, en); as in the log for a call that was rejected.';
comment on column calls.topic is 'What the call was about, one of the topics of the centre; unknown rather than guessed.';
comment on column calls.topic_confidence is 'How sure we are of the topic, 0 to 1.';
comment on column calls.client_type is 'How the client came across in this call (addressed, vented, ...).';
comment on column calls.client_type_confidence is 'How sure we are of the client type, 0 to 1.';
comment on column calls.disconnect_party is 'Who hung up: operator, client, system or unknown; from the exchange, never guessed.';
comment on column calls.status is 'graded, quarantined or unscoreable.';
comment on column calls.status_reason is 'Why the call is not graded, in one sentence; empty for a graded one.';
comment on column calls.role_confidence is 'How sure we are who is the operator and who the client, 0 to 1.';
comment on column calls.speech_model is
    'Versions of the models that made words and speakers; transcript where they were delivered as text.';
comment on column calls.scored_by is 'Version of everything that judged the call.';
comment on column calls.status_step is 'The step that rejected the call; empty for a graded one.';
comment on column calls.recording is 'File name of the recording, without its folder.';
comment on column calls.size_bytes is 'Size of the recording in bytes.';
comment on column calls.codec is 'How the sound is coded in the file.';
comment on column calls.sample_rate_hz is 'Sample rate of the file in hertz.';
comment on column calls.tracks is 'Different audio tracks: 1 for mono and for the same sound on both channels, 2 for true stereo.';
comment on column calls.operator_channel is 'Which channel (0 or 1) the operator is on, from the log.';
comment on column calls.role_explanation is 'Why we think who is who, in one sentence.';
comment on column calls.is_mapping_suspect is 'True when the words say that the log names the wrong operator channel.';
comment on column calls.text_kept is 'redacted: personal data is masked in every text; raw: it was kept on request.';
comment on column calls.started_local is
    'When the call began, on the wall clock of the centre (no time zone); days and hours are counted by it.';
comment on column calls.extra_json is 'Columns of the call log that Callgrade does not know, as JSON.';
comment on column calls.loaded_at is 'When this content was first loaded.';
comment on column calls.call_no is
    'The number of the call in the order of loading, another one when it is loaded '
    'anew. Joined by it beside call_id, turns and lemmas are found quickly.';
comment on column calls.medium is
    'What was delivered: recording, or transcript (no sound: no voice levels, '
    'no clips); empty where a row of the log named nothing that was there.';
comment on column calls.status_reason_key is
    'The kind of the reason, a key of pipelines/core/rejections.yaml; empty for a graded call and for what an older version rejected.';
comment on column calls.status_reason_values is 'What fills the places of the reason''s sentence, as JSON.';
