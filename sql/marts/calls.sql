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
    status_reason_values,
    topic_judge,
    client_type_judge,
    machine_topic,
    machine_client_type
from intermediate.calls;

comment on view calls is
    'Every call that was received: graded, quarantined (bad input) or unscoreable (valid, but could not be judged).';
comment on column calls.call_id is
    'Id of the call, from the call log; a second recording under the same id gets ~ and the start of its sha256.';
comment on column calls.centre_id is 'The contact centre: the id of its profile.';
comment on column calls.recording_sha256 is 'sha256 of the recording, in hexadecimal; empty where no recording was found.';
comment on column calls.started_at is 'When the call began, with time zone.';
comment on column calls.direction is 'inbound, outbound or callback, from the log.';
comment on column calls.line is 'The line that took the call (first, second, technical ...), from the log.';
comment on column calls.queue is 'The queue in which the client waited, from the log.';
comment on column calls.ivr_path is 'The path through the voice menu (IVR), from the log.';
comment on column calls.operator_id is 'The operator who answered, from the log.';
comment on column calls.operator_tenure is 'trainee, experienced ..., from the log.';
comment on column calls.client_ref is 'The pseudonymous reference of the client, from the log.';
comment on column calls.wait_s is 'How long the client waited for an answer, in seconds, from the log.';
comment on column calls.duration_s is 'Length of the recording in seconds.';
comment on column calls.channels is 'Audio channels in the file: 1 or 2; 0 for a transcript.';
comment on column calls.language is 'The main language of the conversation (ru, uk, hu, en); as in the log for a call that was rejected.';
comment on column calls.topic is
    'What the call was about, one of the topics of the centre; unknown rather than guessed. A person''s correction counts.';
comment on column calls.topic_confidence is 'Confidence of the topic, 0 to 1; 1 where a person decided.';
comment on column calls.client_type is
    'The type of the client in this call (addressed, venting, ...). A person''s correction counts.';
comment on column calls.client_type_confidence is 'Confidence of the client type, 0 to 1; 1 where a person decided.';
comment on column calls.disconnect_party is 'Who hung up: operator, client, system or unknown; from the exchange, never guessed.';
comment on column calls.status is 'graded, quarantined or unscoreable.';
comment on column calls.status_reason is
    'The reason why the call is not graded, in one sentence; empty for a graded call.';
comment on column calls.role_confidence is 'Confidence of the assignment of operator and client, 0 to 1.';
comment on column calls.speech_model is
    'Versions of the models for words and speakers; transcript where the call was delivered as text.';
comment on column calls.scored_by is 'Version of the rules and models that judged the call.';
comment on column calls.status_step is 'The step that rejected the call; empty for a graded call.';
comment on column calls.recording is 'File name of the recording, without its folder.';
comment on column calls.size_bytes is 'Size of the recording in bytes.';
comment on column calls.codec is 'Audio codec of the file.';
comment on column calls.sample_rate_hz is 'Sample rate of the file in hertz.';
comment on column calls.tracks is 'Distinct audio tracks: 1 for mono and for identical channels, 2 for true stereo.';
comment on column calls.operator_channel is 'Channel of the operator (0 or 1), from the log.';
comment on column calls.role_explanation is 'The explanation of the role assignment, in one sentence.';
comment on column calls.is_mapping_suspect is
    'True when the words indicate that the log has the wrong operator channel.';
comment on column calls.text_kept is
    'redacted: personal data is masked in every text; raw: it is stored unmasked on request.';
comment on column calls.started_local is
    'When the call began, in the local time of the centre (no time zone); the basis of all days and hours.';
comment on column calls.extra_json is 'Other columns of the call log, as JSON.';
comment on column calls.loaded_at is 'When this content was first loaded.';
comment on column calls.call_no is
    'The number of the call in the order of loading; it changes when the call is loaded again. A join on it in '
    'addition to call_id finds turns and lemmas faster.';
comment on column calls.medium is
    'What was delivered: recording, or transcript (no sound: no voice levels, no clips); empty where a row of the log has no file.';
comment on column calls.status_reason_key is
    'The key of the reason in pipelines/core/rejections.yaml; empty for a graded call and for one that an older version rejected.';
comment on column calls.status_reason_values is 'The values in the sentence of the reason, as JSON.';
comment on column calls.topic_judge is 'Who decided the topic: machine or human; empty for a call that is not graded.';
comment on column calls.client_type_judge is 'Who decided the client type: machine or human; empty for a call that is not graded.';
comment on column calls.machine_topic is 'The automatic topic, whatever a person corrected.';
comment on column calls.machine_client_type is 'The automatic client type, whatever a person corrected.';
