-- grain: one row per call received, with the measures that the scorecards of operators and centres aggregate
create or replace view call_facts as
select
    call_id,
    centre_id,
    line,
    operator_id,
    operator_tenure,
    started_local,
    direction,
    language,
    topic,
    client_type,
    status,
    score_pct,
    coverage_pct,
    auto_fail,
    needs_review,
    is_abusive,
    abuse_exposure_s,
    wait_s,
    handling_time_s,
    hold_s,
    dead_air_s,
    operator_talk_ratio,
    interruptions_by_operator,
    client_sentiment_change,
    client_sentiment_start,
    client_sentiment_end,
    duration_s,
    disconnect_party,
    is_kept,
    redirected
from intermediate.calls;

comment on view call_facts is
    'One row per call with all measures that scorecards aggregate; a human evaluation replaces the automatic one.';
comment on column call_facts.call_id is 'The call.';
comment on column call_facts.centre_id is 'The contact centre.';
comment on column call_facts.line is 'The line that took the call.';
comment on column call_facts.operator_id is 'The operator who answered.';
comment on column call_facts.operator_tenure is 'trainee, experienced, ...';
comment on column call_facts.started_local is 'When the call began, in the local time of the centre.';
comment on column call_facts.direction is 'inbound, outbound or callback.';
comment on column call_facts.language is 'The main language of the conversation.';
comment on column call_facts.topic is 'What the call was about.';
comment on column call_facts.client_type is 'The type of the client.';
comment on column call_facts.status is 'graded, quarantined or unscoreable.';
comment on column call_facts.score_pct is
    'Score of the call, the mean over its scorecards, in percent; empty when nothing could be decided.';
comment on column call_facts.coverage_pct is 'Points decided as a share of the applicable points, in percent.';
comment on column call_facts.auto_fail is 'A criterion failed that sets the score to 0.';
comment on column call_facts.needs_review is 'A person should listen to this call.';
comment on column call_facts.is_abusive is 'The client was abusive in this call.';
comment on column call_facts.abuse_exposure_s is 'Seconds of abuse by the client.';
comment on column call_facts.wait_s is 'How long the client waited for an answer, in seconds.';
comment on column call_facts.handling_time_s is 'Handling time in seconds.';
comment on column call_facts.hold_s is 'Seconds on hold.';
comment on column call_facts.dead_air_s is 'Seconds of dead air.';
comment on column call_facts.operator_talk_ratio is 'Share of the call in which the operator speaks, 0 to 1.';
comment on column call_facts.interruptions_by_operator is 'How often the operator interrupted the client.';
comment on column call_facts.client_sentiment_change is
    'Sentiment of the client at the end minus that at the start, -2 to 2.';
comment on column call_facts.client_sentiment_start is 'Mean sentiment of the first third of the client''s turns, -1 to 1.';
comment on column call_facts.client_sentiment_end is 'Mean sentiment of the last third of the client''s turns, -1 to 1.';
comment on column call_facts.duration_s is 'Length of the recording in seconds.';
comment on column call_facts.disconnect_party is 'Who hung up: operator, client, system or unknown; from the exchange.';
comment on column call_facts.is_kept is
    'False when the line was cut, or the operator hung up on an abusive client without warning or notice; empty '
    'when it is not known who hung up.';
comment on column call_facts.redirected is
    'The criterion redirected was passed: the operator told a client of another company where to call.';
