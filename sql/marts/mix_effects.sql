-- grain: one row per centre, month, factor of the call mix and level of that factor
create or replace view mix_effects as
select
    centre_id,
    month,
    factor,
    level,
    calls,
    effect_pct,
    mix_doubt
from intermediate.mix_effects;

comment on view mix_effects is
    'The effect of each level of the call mix in points, from the additive model of each month that adjusts scores.';
comment on column mix_effects.centre_id is 'The contact centre.';
comment on column mix_effects.month is 'First day of the month (local); empty for calls without a start time.';
comment on column mix_effects.factor is
    'mean, topic, client type, topic and client type, line, direction, hours (three at a time), language or operator.';
comment on column mix_effects.level is 'The topic, the client type, ...; for hours the first of three; empty for the mean.';
comment on column mix_effects.calls is 'Scored calls of this level.';
comment on column mix_effects.effect_pct is
    'Points above or below the other levels, adjusted for all other factors, shrunk towards zero where calls are '
    'few; for the mean, the intercept.';
comment on column mix_effects.mix_doubt is
    'For an operator: uncertainty of the effect of the operator''s mix relative to the centre''s, in variances of '
    'one call; else empty.';
