-- How scores are adjusted for the call mix and operators are compared;
-- docs/comparing.md explains it, tests/warehouse/simulate_operators.py checks it.

-- Hours of the day that are judged alike, as the first of three: 0, 3, ..., 21.
create or replace macro hours_of(wall) as extract(hour from wall) // 3 * 3;

-- The tenure in the log means somebody who is still being trained.
create or replace macro is_trainee(tenure) as (
    coalesce(regexp_matches(lower(trim(tenure)), '^(trainee|intern|probation|стаж[её]р|стажист|практикант|учен|gyakornok|tanuló)'), false)
);

-- How many calls at no effect every level of a factor begins with; more draws small levels harder towards zero.
-- An operator begins with few, or the mix would take what is his.
create or replace macro prior_calls(factor) as (
    case factor when 'mean' then 0 when 'topic and client type' then 30 when 'operator' then 2 else 10 end
);

-- What one operator's calls tell of a level of the mix, in calls, when his own level has to be learned from them too.
create or replace macro calls_worth(calls_in_level, calls) as (
    calls_in_level - calls_in_level ** 2 / (calls + prior_calls('operator'))
);

-- How far one operator's calls lie apart (variance), pooled with 20 calls of his peers so that few calls do not pass for steady work.
create or replace macro own_variance(squares_sum, calls, peers_variance) as (
    (coalesce(squares_sum, 0) + 20 * peers_variance) / (greatest(calls - 1, 0) + 20)
);

-- The spreads between operators that are tried, in points: 0.05 to 40, close together where they are small.
create or replace macro spreads_tried() as list_transform(range(24), lambda k: 40 * ((k + 0.8) / 23.8) ** 2);

-- How much of the range each tried spread stands for, up to a constant factor.
create or replace macro spread_share(spread) as spread ** 1.5;

-- Half of a 90 % interval in standard deviations, as of a normal: simulated operators lie in it as often as they should.
create or replace macro interval_90() as 1.645;

-- Half of the wider interval, of 95 %, by which operators are told apart: who is set below another must be so beyond doubt.
create or replace macro interval_apart() as 1.96;

-- Seconds within which an answer counts as quick.
create or replace macro quick_answer_s() as 30;

-- The client's words sound upset (mean sentiment of his turns, -1 to 1).
create or replace macro is_upset(sentiment) as sentiment <= -0.15;

-- A number to so many decimals and with no zero below zero, so that the order in which rows were added up never shows.
create or replace macro settled_to(number, decimals) as case when round(number, decimals) = 0 then 0 else round(number, decimals) end;

-- The same to six decimals, for sums and means.
create or replace macro settled(number) as settled_to(number, 6);

-- Mean from a sum and a count; null where nothing was counted.
create or replace macro mean_of(total, counted) as round(total / nullif(counted, 0), 6);
