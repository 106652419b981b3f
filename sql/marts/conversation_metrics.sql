-- grain: one row per graded call
create or replace view conversation_metrics as
select
    call_id,
    handling_time_s,
    operator_talk_ratio,
    client_talk_ratio,
    overlap_ratio,
    dead_air_s,
    hold_s,
    operator_words_per_min,
    client_words_per_min,
    interruptions_by_operator,
    interruptions_by_client,
    client_sentiment_start,
    client_sentiment_end,
    asr_confidence
from core.metrics;

comment on view conversation_metrics is 'Metrics of each conversation.';
comment on column conversation_metrics.call_id is 'The call.';
comment on column conversation_metrics.handling_time_s is 'Handling time in seconds; its mean is the AHT.';
comment on column conversation_metrics.operator_talk_ratio is 'Share of the call in which the operator speaks, 0 to 1.';
comment on column conversation_metrics.client_talk_ratio is 'Share of the call in which the client speaks, 0 to 1.';
comment on column conversation_metrics.overlap_ratio is 'Share of the call in which both speak, 0 to 1.';
comment on column conversation_metrics.dead_air_s is 'Seconds of unannounced silence.';
comment on column conversation_metrics.hold_s is 'Seconds on hold.';
comment on column conversation_metrics.operator_words_per_min is 'Speaking rate of the operator, in words per minute.';
comment on column conversation_metrics.client_words_per_min is 'Speaking rate of the client, in words per minute.';
comment on column conversation_metrics.interruptions_by_operator is 'How often the operator interrupted the client.';
comment on column conversation_metrics.interruptions_by_client is 'How often the client interrupted the operator.';
comment on column conversation_metrics.client_sentiment_start is 'Mean sentiment of the first third of the client''s turns, -1 to 1.';
comment on column conversation_metrics.client_sentiment_end is 'Mean sentiment of the last third of the client''s turns, -1 to 1.';
comment on column conversation_metrics.asr_confidence is 'Confidence of speech recognition for this call, 0 to 1.';
