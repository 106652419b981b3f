-- Formulas shared by several views and checks.

-- Text normalised for comparing quotes: lower case, ё as е, one apostrophe, letters and digits only, single spaces.
create or replace macro plain_text(words) as (
    trim(regexp_replace(replace(lower(translate(nfc_normalize(words), '’ʼ`', '''''''')), 'ё', 'е'), '[^\p{L}\p{N}'']+', ' ', 'g'))
);

-- The block of call numbers that a call belongs to in intermediate.lemma_index,
-- which has one row per block and lemma, a twentieth of one per call and lemma.
create or replace macro call_block(call_no) as ((call_no - 1) // 500);

-- The local time of a timestamp in the centre's time zone.
create or replace macro wall_time(moment, zone) as (moment at time zone coalesce(zone, 'UTC'));

-- The first day of the day, week (from Monday) or month of a local time.
create or replace macro period_of(period, wall) as cast(date_trunc(period, wall) as date);

-- A share as a percentage; null where the denominator is 0.
create or replace macro share_pct(part, whole) as 100.0 * part / nullif(whole, 0);

-- Variance between the scores of one operator's calls, with a prior of 5 calls at 15 points.
create or replace macro within_variance(squares_sum, calls, operators) as (
    (coalesce(squares_sum, 0) + 5 * 15.0 ** 2) / (greatest(calls - operators, 0) + 5)
);

-- A score limited to 0 to 100; null stays null (least and greatest alone would ignore it).
create or replace macro as_pct(points) as case when points is not null then least(greatest(points, 0), 100) end;

-- Whether the Luhn sum of the digits is a multiple of ten: true of payment cards, and of one other number in ten.
create or replace macro passes_luhn(digits) as (
    list_sum(
        list_transform(
            range(1, length(digits) + 1),
            lambda i: case
                when i % 2 = 1 then cast(digits[length(digits) - i + 1] as integer)
                else
                    (cast(digits[length(digits) - i + 1] as integer) * 2) // 10
                    + (cast(digits[length(digits) - i + 1] as integer) * 2) % 10
            end
        )
    ) % 10 = 0
);
