-- grain: one row per scored call
create or replace view call_expectations as
select
    call_id,
    expected_pct,
    usual_pct,
    line_effect_pct,
    mix_doubt
from made.call_expectations;

comment on view call_expectations is 'What an average operator of the centre would score in each call.';
comment on column call_expectations.call_id is 'The call.';
comment on column call_expectations.expected_pct is
    'The expected score in percent, from the effects of the call''s mix in its month (view mix_effects).';
comment on column call_expectations.usual_pct is
    'The mean expectation of the centre''s scored calls in that month: the mix that scores are adjusted to.';
comment on column call_expectations.line_effect_pct is 'The part of the expectation that the line makes, in points.';
comment on column call_expectations.mix_doubt is 'How uncertain the worth of the operator''s mix is, in variances of one call.';
