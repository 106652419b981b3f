-- Made-up calls, in the columns of the staged Parquet: one temporary table `staged_<kind>` for each kind of record. Nothing of a real call is in them.
-- {first} and {last} bound the numbers of the calls, {per_day} are taken on a day; every value follows from the number of its call.
-- {like} is the number of the call whose words this one repeats, its own or another's: what is said follows from it. made_turns.sql makes the turns.
create or replace temp macro share(n, what) as (hash(n, what) % 1000003) / 1000003.0;
create or replace temp macro one_of(list, n, what) as list[1 + cast(floor(len(list) * share(n, what)) as int)];
-- Few words make up most of what is said.
create or replace temp macro word(n, turn_no, place) as
    getvariable('vocabulary')[1 + cast(floor(len(getvariable('vocabulary')) * share(n * 1000 + turn_no, place) ** 4) as int)];

create or replace temp table made as
with numbered as (
    select
        n,
        {like} as like_n,
        getvariable('centres')[1 + cast(floor(len(getvariable('centres')) * (n % {per_day}) / {per_day}) as int)] as centre,
        date '2024-01-01' + cast(n // {per_day} as int) as day
    from range({first}, {last}) as numbers (n)
)
select
    n,
    like_n,
    centre.id || '-' || strftime(day, '%Y%m%d') || '-' || lpad(cast(n % {per_day} as varchar), 5, '0') as call_id,
    centre.id as centre_id,
    centre.language as language,
    timezone(centre.timezone, day + to_seconds(cast(if(share(n, 'night') < 0.1, 86399, 28800 + 43200 * share(n, 'at')) * share(n, 'of day') as int))) as started_at,
    'op-' || lpad(cast(floor(50 * share(n, 'operator')) as varchar), 3, '0') as operator_id,
    case when share(n, 'status') < 0.97 then 'graded' when share(n, 'status') < 0.99 then 'quarantined' else 'unscoreable' end as status,
    round(30 - 60 * ln(0.02 + 0.98 * share(like_n, 'length')), 2) as duration_s,
    cast(20 + floor(41 * share(like_n, 'turns')) as int) as turns,
    share(n, 'abuse') < 0.04 as is_abusive
from numbered;

create or replace temp table staged_calls as
select
    call_id,
    centre_id,
    call_id || '.ogg' as recording,
    sha256(call_id) as recording_sha256,
    cast(1000 * duration_s as bigint) as size_bytes,
    started_at,
    one_of(['inbound', 'inbound', 'inbound', 'inbound', 'inbound', 'inbound', 'outbound', 'callback'], n, 'direction') as direction,
    one_of(['first', 'first', 'second', 'technical'], n, 'line') as line,
    'readings' as queue,
    'main/readings' as ivr_path,
    operator_id,
    if(hash(operator_id) % 10 = 0, 'trainee', 'experienced') as operator_tenure,
    'c-' || cast(floor(500000 * share(n, 'client')) as bigint) as client_ref,
    round(-20 * ln(0.01 + 0.99 * share(n, 'wait')), 0) as wait_s,
    one_of(['client', 'client', 'client', 'operator', 'unknown', 'system'], n, 'ends') as disconnect_party,
    cast(null as bigint) as operator_channel,
    language,
    '{{}}' as extra_json
from made;

create or replace temp table staged_rejected as
select call_id, 'audio' as step, status, 'The recording breaks off; send it again.' as reason, centre_id, call_id || '.ogg' as recording, sha256(call_id) as recording_sha256
from made
where status <> 'graded';

create or replace temp table staged_audio as
select
    call_id,
    duration_s,
    8000::bigint as sample_rate_hz,
    'opus' as codec,
    2::bigint as channels,
    2::bigint as tracks,
    if(share(n, 'hold') < 0.2, [{{'start_s': 10.0, 'end_s': 14.5, 'kind': 'music'}}], []) as holds
from made
where status = 'graded';

create or replace temp table staged_roles as
select call_id, round(0.8 + 0.2 * share(n, 'roles'), 3) as role_confidence, 'The first voice names the company.' as explanation, false as is_mapping_suspect
from made
where status = 'graded';

create or replace temp table staged_personal_data as
select call_id, 4::bigint as turn_no, 'account' as kind, round(3 * duration_s / turns, 3) as start_s, round(3.5 * duration_s / turns, 3) as end_s
from made
where status = 'graded' and share(n, 'account') < 0.6;

create or replace temp table staged_findings as
select
    call_id,
    kind,
    if(kind = 'abuse', 'client', 'operator') as role,
    cast(if(kind = 'abuse', 6, 5) as bigint) as turn_no,
    round(4 * duration_s / turns, 3) as start_s,
    round(5.9 * duration_s / turns, 3) as end_s,
    if(kind = 'abuse', word(like_n, 6, 0), null) as quote,
    if(kind = 'abuse', 'insult', null) as severity,
    if(kind = 'abuse', 'operator', null) as target,
    0.9 as confidence,
    'made up' as detector
from (select *, unnest(if(is_abusive, ['abuse', 'raised_voice'], if(share(n, 'finds') < 0.5, ['interruption', 'dead_air'], []))) as kind from made)
where status = 'graded';

create or replace temp table staged_speech_acts as
with asked as (
    select *, unnest(getvariable('acts')) as act, unnest(range(1, len(getvariable('acts')) + 1)) as number
    from made
    where status = 'graded'
)
select
    call_id,
    cast(2 * (number % 10) + 1 as bigint) as turn_no,
    act,
    'operator' as role,
    round(2 * (number % 10) * duration_s / turns, 3) as start_s,
    round((2 * (number % 10) + 0.9) * duration_s / turns, 3) as end_s,
    word(like_n, 2 * (number % 10) + 1, 0) || ' ' || word(like_n, 2 * (number % 10) + 1, 1) as quote,
    0.9 as confidence
from asked
where
    case
        when act in ('warn_abuse', 'end_notice') then is_abusive
        when act in ('callback_intro', 'redirect', 'night_notice') then share(n, act) < 0.05
        else share(n, act) < 0.7
    end;

create or replace temp table staged_procedures as
select
    call_id,
    if(is_abusive, one_of(['calmed', 'ended_after_warning', 'tolerated', 'ended_without_warning'], n, 'outcome'), 'not_needed') as outcome,
    cast(null as double) as warned_at_s,
    cast(null as double) as ended_notice_at_s,
    0.9 as confidence,
    'Made up.' as explanation,
    '{{"key":"made_up"}}' as explanation_json
from made
where status = 'graded';

create or replace temp table staged_verdicts as
with asked as (
    select *, unnest(getvariable('criteria')) as criterion_id, unnest(range(1, len(getvariable('criteria')) + 1)) as number
    from made
    where status = 'graded'
),
judged as (
    select
        *,
        case
            when share(n, number) < 0.3 then 'na'
            when share(n, number) < 0.37 then 'unsure'
            when share(n, number) < 0.42 + 0.15 * (hash(operator_id, centre_id) % 100) / 100 + if(is_abusive, 0.1, 0) then 'fail'
            else 'pass'
        end as verdict,
        2.0 + number % 5 as max_points
    from asked
)
select
    call_id,
    centre_id as scorecard_id,
    '1' as scorecard_version,
    criterion_id,
    verdict,
    round(0.6 + 0.4 * share(n * 100 + number, 'sure'), 3) as confidence,
    if(verdict = 'pass', max_points, 0) as points,
    max_points,
    if(verdict in ('pass', 'fail'), word(like_n, 2 * (number % 10) + 1, 0) || ' ' || word(like_n, 2 * (number % 10) + 1, 1), null) as quote,
    if(verdict in ('pass', 'fail'), 'operator', null) as role,
    if(verdict in ('pass', 'fail'), cast(2 * (number % 10) + 1 as bigint), null) as turn_no,
    if(verdict in ('pass', 'fail'), round(2 * (number % 10) * duration_s / turns, 3), null) as start_s,
    if(verdict in ('pass', 'fail'), round((2 * (number % 10) + 0.9) * duration_s / turns, 3), null) as end_s,
    if(verdict = 'pass', 'The operator said it.', 'Searched for and not found.') as explanation,
    '{{"key":"said"}}' as explanation_json
from judged;

create or replace temp table staged_evaluations as
select
    call_id,
    any_value(scorecard_id) as scorecard_id,
    '1' as scorecard_version,
    round(100 * sum(points) / nullif(sum(max_points) filter (where verdict in ('pass', 'fail')), 0), 2) as score_pct,
    false as is_auto_fail,
    cast(null as varchar) as auto_fail_reason,
    round(100 * coalesce(sum(max_points) filter (where verdict in ('pass', 'fail')), 0) / nullif(sum(max_points) filter (where verdict <> 'na'), 0), 2) as coverage_pct,
    count(*) filter (where verdict = 'unsure') > 2 as needs_review,
    cast(null as varchar) as auto_fail_criterion_id
from staged_verdicts
group by call_id;

create or replace temp table staged_metrics as
select
    call_id,
    language,
    one_of(getvariable('topics'), n, 'topic') as topic,
    round(0.5 + 0.5 * share(n, 'topic sure'), 3) as topic_confidence,
    if(is_abusive, 'rude', one_of(['addressed', 'venting', 'uninformed', 'complainer', 'opinionated'], n, 'client type')) as client_type,
    round(0.5 + 0.5 * share(n, 'type sure'), 3) as client_type_confidence,
    duration_s as handling_time_s,
    round(0.3 + 0.3 * share(n, 'talk'), 3) as operator_talk_ratio,
    round(0.3 + 0.3 * share(n, 'client talk'), 3) as client_talk_ratio,
    round(0.1 * share(n, 'overlap'), 3) as overlap_ratio,
    round(10 * share(n, 'dead air'), 2) as dead_air_s,
    if(share(n, 'hold') < 0.2, 4.5, 0) as hold_s,
    round(100 + 60 * share(n, 'pace'), 1) as operator_words_per_min,
    round(80 + 60 * share(n, 'client pace'), 1) as client_words_per_min,
    cast(floor(3 * share(n, 'interrupts')) as bigint) as interruptions_by_operator,
    cast(floor(3 * share(n, 'interrupted')) as bigint) as interruptions_by_client,
    round(2 * share(n, 'starts') - 1, 3) as client_sentiment_start,
    round(2 * share(n, 'ends well') - 1, 3) as client_sentiment_end,
    round(0.7 + 0.3 * share(n, 'heard'), 4) as asr_confidence,
    'speech-1' as speech_model,
    'rules-1' as scored_by
from made
where status = 'graded';
