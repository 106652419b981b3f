-- Formulas that several views and checks share, so that they cannot drift apart.

-- Text as quotes are compared: lower case, ё as е, one apostrophe, letters and digits only, single spaces.
create or replace macro plain_text(said) as (
    trim(regexp_replace(replace(lower(translate(nfc_normalize(said), '’ʼ`', '''''''')), 'ё', 'е'), '[^\p{L}\p{N}'']+', ' ', 'g'))
);

-- The block of calls, by their number, in whose rows of made.said a call stands:
-- one row a block and lemma, a twentieth of one a call and lemma.
create or replace macro call_block(call_no) as ((call_no - 1) // 500);

-- The calendar time on the wall of the centre, for a moment and the centre's time zone.
create or replace macro wall_time(moment, zone) as (moment at time zone coalesce(zone, 'UTC'));

-- The first day of the day, week (from Monday) or month that a wall time falls in.
create or replace macro period_of(period, wall) as cast(date_trunc(period, wall) as date);

-- Share as a percentage; null, never a division by zero, where there is nothing to divide by.
create or replace macro share_pct(part, whole) as 100.0 * part / nullif(whole, 0);

-- How far one call's score lies from the next one of the same operator (variance), with a prior of 5 calls at 15 points.
create or replace macro within_variance(squares_sum, calls, operators) as (
    (coalesce(squares_sum, 0) + 5 * 15.0 ** 2) / (greatest(calls - operators, 0) + 5)
);

-- A score kept between 0 and 100; null stays null (least and greatest alone would pass over it).
create or replace macro as_pct(points) as case when points is not null then least(greatest(points, 0), 100) end;

-- The Luhn sum of a run of digits is a multiple of ten: most payment cards are, one other number in ten is.
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
