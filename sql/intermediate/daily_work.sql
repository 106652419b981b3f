-- replaces, for t in touched_months: m.centre_id is not distinct from t.centre_id and m.month is not distinct from t.month
select
    f.centre_id,
    f.month,
    coalesce(f.line, 'unknown') as line,
    f.operator_id,
    cast(f.started_local as date) as day,
    max(f.started_local) as latest_local,
    max_by(f.operator_tenure, f.started_local) as operator_tenure,
    count(*) as calls,
    count(*) filter (where f.status = 'graded') as graded,
    count(*) filter (where f.status = 'quarantined') as quarantined,
    count(*) filter (where f.status = 'unscoreable') as unscoreable,
    count(f.score_pct) as scored_calls,
    settled(sum(f.score_pct)) as score_sum,
    settled(sum(e.expected_pct)) as expected_sum,
    settled(sum(e.usual_pct)) as usual_sum,
    settled(sum(e.line_effect_pct)) as line_effect_sum,
    settled_to(sum(e.mix_doubt), 9) as mix_doubt_sum,
    settled(sum((f.score_pct - e.expected_pct) ** 2)) as squares_sum,
    settled(sum(f.coverage_pct)) as coverage_sum,
    count(f.coverage_pct) as evaluated_calls,
    count(*) filter (where f.needs_review) as needs_review,
    count(*) filter (where f.auto_fail) as auto_fails,
    count(*) filter (where f.is_abusive) as abusive_calls,
    settled(sum(f.abuse_exposure_s)) as abuse_exposure_s,
    count(f.wait_s) as waits,
    settled(sum(f.wait_s)) as wait_sum_s,
    max(f.wait_s) as longest_wait_s,
    count(*) filter (where f.wait_s <= quick_answer_s()) as quick_answers,
    count(f.handling_time_s) as measured_calls,
    settled(sum(f.handling_time_s)) as handling_time_sum_s,
    settled(sum(f.hold_s)) as hold_sum_s,
    settled(sum(f.dead_air_s)) as dead_air_sum_s,
    settled(sum(f.operator_talk_ratio)) as operator_talk_ratio_sum,
    count(f.operator_talk_ratio) as talk_ratios,
    settled(sum(f.interruptions_by_operator)) as interruptions_sum,
    count(f.client_sentiment_change) as sentiments,
    settled(sum(f.client_sentiment_start) filter (where f.client_sentiment_change is not null)) as sentiment_start_sum,
    settled(sum(f.client_sentiment_end) filter (where f.client_sentiment_change is not null)) as sentiment_end_sum,
    count(*) filter (where is_upset(f.client_sentiment_start) and f.client_sentiment_end is not null) as upset_calls,
    count(*) filter (where is_upset(f.client_sentiment_start) and f.client_sentiment_change > 0) as upset_calmed,
    count(*) filter (where f.is_kept) as kept_calls,
    count(*) filter (where not f.is_kept) as lost_calls,
    count(*) filter (where f.topic = 'meter_reading' and f.direction = 'inbound') as reading_calls,
    count(*) filter (where f.topic = 'wrong_company') as wrong_company_calls,
    count(*) filter (where f.topic = 'wrong_company' and f.redirected) as wrong_company_redirected,
    count(*) filter (where f.direction = 'callback') as callbacks,
    count(*) filter (where f.direction = 'callback' and f.status = 'graded') as callbacks_done
from (
    select *
    from intermediate.calls as c
    where exists (
        from touched_months as t where t.centre_id is not distinct from c.centre_id and t.month is not distinct from c.month
    )
) as f
left join (
    select *
    from intermediate.call_expectations as c
    where exists (
        from touched_months as t where t.centre_id is not distinct from c.centre_id and t.month is not distinct from c.month
    )
) as e on e.call_id = f.call_id
group by f.centre_id, f.month, coalesce(f.line, 'unknown'), f.operator_id, cast(f.started_local as date)
