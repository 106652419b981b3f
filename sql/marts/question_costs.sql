-- grain: one row per call and question that a language model was asked
create or replace view question_costs as
select
    call_id,
    criterion_id,
    model,
    prompt_version,
    prompt_tokens,
    completion_tokens,
    seconds,
    requests,
    question_version,
    problem,
    is_final
from core.question_answers
where model <> '';

comment on view question_costs is
    'The cost of each question that a language model was asked about a call, and of each summary.';
comment on column question_costs.call_id is 'The call.';
comment on column question_costs.criterion_id is 'The criterion with the question; (summary) for the summary of the call.';
comment on column question_costs.model is 'The language model.';
comment on column question_costs.prompt_version is 'Version of the prompts: a digest.';
comment on column question_costs.prompt_tokens is 'Tokens of all requests, as the model counted them.';
comment on column question_costs.completion_tokens is 'Tokens of all responses, as the model counted them.';
comment on column question_costs.seconds is 'Seconds from the first request to the last response.';
comment on column question_costs.requests is 'Requests that were sent, repeated ones included.';
comment on column question_costs.question_version is 'Version of the question: a digest; empty for a summary.';
comment on column question_costs.problem is
    'Why there is no answer: unreachable, late, refused, no_quote, unproven, ...; empty where there is one.';
comment on column question_costs.is_final is
    'Whether the model answered; a question that it could not be asked is asked again by the next run.';
