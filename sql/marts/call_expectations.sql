-- grain: one row per scored call
create or replace view call_expectations as
select
    call_id,
    expected_pct,
    usual_pct,
    line_effect_pct,
    mix_doubt
from intermediate.call_expectations;

comment on view call_expectations is 'The score that an average operator of the centre would get in each call.';
comment on column call_expectations.call_id is 'The call.';
comment on column call_expectations.expected_pct is
    'The expected score in percent, from the effects of the call''s mix in its month (view mix_effects).';
comment on column call_expectations.usual_pct is
    'The mean expected score of the centre''s scored calls in that month: the reference mix of the adjustment.';
comment on column call_expectations.line_effect_pct is 'The contribution of the line to the expected score, in points.';
comment on column call_expectations.mix_doubt is
    'Uncertainty of the effect of the operator''s mix, in variances of one call.';
