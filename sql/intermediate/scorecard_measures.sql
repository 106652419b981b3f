-- replaces, for t in touched_periods: m.centre_id is not distinct from t.centre_id and m.period = t.period and m.period_start is not distinct from t.period_start
select
    case
        when grouping(operator_id) = 0 then 'operator'
        when grouping(line) = 0 then 'line'
        else 'centre'
    end as subject,
    centre_id,
    case when grouping(line) = 0 then line end as line,
    case when grouping(operator_id) = 0 then operator_id end as operator_id,
    period,
    period_start,
    max_by(operator_tenure, latest_local) as operator_tenure,
    cast(sum(calls) as bigint) as calls,
    cast(sum(graded) as bigint) as graded,
    settled(share_pct(sum(graded), sum(calls))) as graded_pct,
    cast(sum(quarantined) as bigint) as quarantined,
    cast(sum(unscoreable) as bigint) as unscoreable,
    cast(sum(scored_calls) as bigint) as scored_calls,
    cast(sum(calls - scored_calls) as bigint) as unscored_calls,
    mean_of(sum(score_sum), sum(scored_calls)) as raw_score_pct,
    mean_of(sum(expected_sum), sum(scored_calls)) as expected_score_pct,
    mean_of(sum(usual_sum), sum(scored_calls)) as usual_score_pct,
    mean_of(sum(line_effect_sum), sum(scored_calls)) as line_effect_pct,
    round(sum(mix_doubt_sum) / nullif(sum(scored_calls), 0), 9) as mix_doubt,
    greatest(settled(sum(squares_sum) - sum(score_sum - expected_sum) ** 2 / nullif(sum(scored_calls), 0)), 0) as squares_sum,
    cast(sum(needs_review) as bigint) as needs_review,
    cast(sum(auto_fails) as bigint) as auto_fails,
    mean_of(sum(coverage_sum), sum(evaluated_calls)) as coverage_pct,
    cast(sum(abusive_calls) as bigint) as abusive_calls,
    settled(share_pct(sum(abusive_calls), sum(calls))) as abusive_calls_pct,
    settled(sum(abuse_exposure_s)) as abuse_exposure_s,
    mean_of(sum(handling_time_sum_s), sum(measured_calls)) as aht_s,
    mean_of(sum(wait_sum_s), sum(waits)) as wait_s,
    max(longest_wait_s) as longest_wait_s,
    settled(share_pct(sum(quick_answers), sum(waits))) as quick_answers_pct,
    mean_of(sum(hold_sum_s), sum(measured_calls)) as hold_s,
    mean_of(sum(dead_air_sum_s), sum(measured_calls)) as dead_air_s,
    mean_of(sum(operator_talk_ratio_sum), sum(talk_ratios)) as operator_talk_ratio,
    mean_of(sum(interruptions_sum), sum(measured_calls)) as interruptions_per_call,
    mean_of(sum(sentiment_start_sum), sum(sentiments)) as client_sentiment_start,
    mean_of(sum(sentiment_end_sum), sum(sentiments)) as client_sentiment_end,
    mean_of(sum(sentiment_end_sum - sentiment_start_sum), sum(sentiments)) as client_sentiment_change,
    cast(sum(upset_calls) as bigint) as upset_calls,
    cast(sum(upset_calmed) as bigint) as upset_calmed,
    cast(sum(kept_calls) as bigint) as kept_calls,
    cast(sum(lost_calls) as bigint) as lost_calls,
    cast(sum(reading_calls) as bigint) as reading_calls,
    cast(sum(wrong_company_calls) as bigint) as wrong_company_calls,
    cast(sum(wrong_company_redirected) as bigint) as wrong_company_redirected,
    cast(sum(callbacks) as bigint) as callbacks,
    cast(sum(callbacks_done) as bigint) as callbacks_done,
    count(distinct operator_id) as operators
from intermediate.daily_work as w
cross join (values ('day'), ('week'), ('month'), ('all')) as p (period)
cross join lateral (select case when p.period <> 'all' then period_of(p.period, day) end as period_start) as s
where
    exists (
        from touched_periods as t
        where t.centre_id is not distinct from w.centre_id and t.period = p.period and t.period_start is not distinct from s.period_start
    )
group by
    grouping sets (
        (centre_id, operator_id, period, period_start), (centre_id, line, period, period_start), (centre_id, period, period_start)
    )
having grouping(operator_id) = 1 or operator_id is not null
