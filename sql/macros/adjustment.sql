-- Adjustment of scores for the call mix, and comparison of operators;
-- see docs/comparing.md; tests/warehouse/simulate_operators.py checks it.

-- The three-hour block of a time of day, as its first hour: 0, 3, ..., 21.
create or replace macro hours_of(wall) as extract(hour from wall) // 3 * 3;

-- Whether the tenure in the log is that of a trainee.
create or replace macro is_trainee(tenure) as (
    coalesce(regexp_matches(lower(trim(tenure)), '^(trainee|intern|probation|стаж[её]р|стажист|практикант|учен|gyakornok|tanuló)'), false)
);

-- Prior calls without effect for every level of a factor; more of them shrink small levels more strongly towards zero.
-- An operator has few, or the mix would absorb the operator's own effect.
create or replace macro prior_calls(factor) as (
    case factor when 'mean' then 0 when 'topic and client type' then 30 when 'operator' then 2 else 10 end
);

-- The information of one operator's calls on a level of the mix, in calls, when the operator's effect is estimated from them too.
create or replace macro calls_worth(calls_in_level, calls) as (
    calls_in_level - calls_in_level ** 2 / (calls + prior_calls('operator'))
);

-- Variance of one operator's calls, pooled with 20 calls of the peers, so that few calls do not look like consistent work.
create or replace macro own_variance(squares_sum, calls, peers_variance) as (
    (coalesce(squares_sum, 0) + 20 * peers_variance) / (greatest(calls - 1, 0) + 20)
);

-- The candidate spreads between operators, in points: 0.05 to 40, denser where they are small.
create or replace macro spreads_tried() as list_transform(range(24), lambda k: 40 * ((k + 0.8) / 23.8) ** 2);

-- The share of the range that each candidate spread represents, up to a constant factor.
create or replace macro spread_share(spread) as spread ** 1.5;

-- Half of a 90 % normal interval in standard deviations; it has the right coverage for simulated operators.
create or replace macro interval_90() as 1.645;

-- Half of the wider, 95 % interval for distinguishing operators: ranking one below another needs more certainty.
create or replace macro interval_apart() as 1.96;

-- An answer within these seconds counts as quick.
create or replace macro quick_answer_s() as 30;

-- Whether the client's words are upset (mean sentiment of the client's turns, -1 to 1).
create or replace macro is_upset(sentiment) as sentiment <= -0.15;

-- A number rounded to so many decimals, without a negative zero, so that the order of summation has no effect.
create or replace macro settled_to(number, decimals) as case when round(number, decimals) = 0 then 0 else round(number, decimals) end;

-- The same with six decimals, for sums and means.
create or replace macro settled(number) as settled_to(number, 6);

-- The mean from a sum and a count; null where the count is 0.
create or replace macro mean_of(total, counted) as round(total / nullif(counted, 0), 6);
