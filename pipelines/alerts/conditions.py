"""Alert conditions in the published copy: threats, operators at fault, unwarned hang-ups, topic spikes, worse recognition."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import sqrt
from urllib.parse import quote

from pipelines.alerts.rules import AlertRule, Rulebook
from pipelines.core.confidence import normal_quantile
from pipelines.core.published import Published, Row

BASELINE_DAYS = 28
LEAST_BASELINE_DAYS = 3
CHANCE = 1e-4  # the largest probability that a spike or a drop is due to chance


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """An event of a centre to report: calls by their ids, or a time."""

    rule_id: str
    rule: AlertRule
    centre_id: str
    path: str  # of the page with its details
    call_ids: tuple[str, ...] = ()
    about: str = ""  # of an event other than a call: a topic and a day, reported once
    values: dict[str, object] = field(default_factory=dict)


def notice(published: Published, rulebook: Rulebook, at: datetime) -> list[AlertEvent]:
    """All events that match the rules and are recent enough, by rule and centre, including those already reported."""
    found: list[AlertEvent] = []
    since = at - timedelta(days=rulebook.not_older_than_days)
    for rule_id, rule in rulebook.rules.items():
        if rule.kind == "topic_spike":
            found += _spikes(published, rule_id, rule, since, at)
        elif rule.kind == "recognition":
            found += _recognition_quality(published, rule_id, rule, since, at)
        else:
            found += _calls(published, rule_id, rule, since, at)
    return found


def _calls(published: Published, rule_id: str, rule: AlertRule, since: datetime, at: datetime) -> list[AlertEvent]:
    if rule.kind == "threat":
        said = "select call_id from findings where kind = 'abuse' and severity = 'threat' and role <> 'operator' and refuted_at is null and confidence >= ?"
    else:
        outcome = {"operator_at_fault": "operator_at_fault", "hang_up_without_warning": "ended_without_warning"}[rule.kind]
        said = f"select call_id from abuse_procedures where outcome = '{outcome}' and confidence >= ?"
    rows = published.rows(
        f"""select centre_id, call_id from calls where status = 'graded' and centre_id is not null and started_at between ? and ? and call_id in ({said})
            order by centre_id, started_at, call_id""",
        since, at, rule.least_confidence,
    )  # fmt: skip
    by_centre: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows:
        by_centre[row["centre_id"]].append(row["call_id"])
    path = "/care/{}" if rule.kind == "threat" else "/centres/{}/queue?kind=critical"
    return [
        AlertEvent(rule_id, rule, centre_id, path.format(quote(centre_id, safe="")), tuple(ids)) for centre_id, ids in by_centre.items() if _is_meant(rule, centre_id)
    ]  # fmt: skip


def _spikes(published: Published, rule_id: str, rule: AlertRule, since: datetime, at: datetime) -> list[AlertEvent]:
    """Hours with far more calls of a topic than the same hour on earlier days; one event per topic and day, its worst hour."""
    from scipy.stats import poisson

    rows = published.rows(
        """
        select centre_id, topic, cast(started_local as date) as day, cast(extract(hour from started_local) as int) as hour, count(*) as calls,
            bool_or(started_at >= ?) as is_new
        from calls
        where status = 'graded' and centre_id is not null and started_at between ? and ? and list_contains(?, topic)
        group by all
        """,
        since, since - timedelta(days=BASELINE_DAYS), at, list(rule.topics),
    )  # fmt: skip
    days = _active_days(published, since, at)
    earlier: defaultdict[tuple[str, str, int], float] = defaultdict(float)
    for row in rows:
        if not row["is_new"]:
            earlier[row["centre_id"], row["topic"], row["hour"]] += row["calls"]
    worst: dict[tuple[str, str], AlertEvent] = {}
    for row in sorted((r for r in rows if r["is_new"]), key=lambda r: (r["calls"], r["hour"])):
        centre_id, active = row["centre_id"], days.get(row["centre_id"], 0)
        if not _is_meant(rule, centre_id) or active < LEAST_BASELINE_DAYS:
            continue
        usual = earlier[centre_id, row["topic"], row["hour"]] / active
        if row["calls"] < rule.least_calls or row["calls"] < rule.times * usual or poisson.sf(row["calls"] - 1, max(usual, 0.5)) > CHANCE:
            continue
        about = f"{row['topic']} {row['day']}"
        values = {
            "topic": row["topic"],
            "day": row["day"].isoformat(),
            "hour": row["hour"],
            "calls": row["calls"],
            "usual": round(usual, 1),
        }
        worst[centre_id, about] = AlertEvent(rule_id, rule, centre_id, f"/centres/{quote(centre_id, safe='')}", about=about, values=values)
    return [worst[key] for key in sorted(worst)]


def _active_days(published: Published, since: datetime, at: datetime) -> dict[str, int]:
    rows = published.rows(
        """select centre_id, count(distinct cast(started_local as date)) as days from calls
           where status = 'graded' and centre_id is not null and started_at between ? and ? and started_at < ? group by centre_id""",
        since - timedelta(days=BASELINE_DAYS), at, since,
    )  # fmt: skip
    return {row["centre_id"]: row["days"] for row in rows}


def _recognition_quality(published: Published, rule_id: str, rule: AlertRule, since: datetime, at: datetime) -> list[AlertEvent]:
    """Centres whose recognition confidence in the latest days is clearly lower than in the weeks before."""
    rows = published.rows(
        """
        with daily as (
            select c.centre_id, cast(c.started_local as date) as day, m.asr_confidence as sure, c.started_at
            from calls c join conversation_metrics m using (call_id)
            where c.status = 'graded' and c.centre_id is not null and m.asr_confidence is not null and c.started_at between ? and ?
        ),
        latest as (select centre_id, max(day) as last_day, max(started_at) as last_at from daily group by centre_id)
        select d.centre_id, l.last_day, l.last_at, d.day > l.last_day - ? as is_new, count(*) as calls, avg(d.sure) as sure, coalesce(var_samp(d.sure), 0) as spread
        from daily d join latest l using (centre_id)
        group by all
        """,
        at - timedelta(days=BASELINE_DAYS + rule.days), at, rule.days,
    )  # fmt: skip
    parts: defaultdict[str, dict[bool, Row]] = defaultdict(dict)
    for row in rows:
        parts[row["centre_id"]][row["is_new"]] = row
    found = []
    for centre_id, part in sorted(parts.items()):
        if (
            len(part) < 2
            or not _is_meant(rule, centre_id)
            or min(p["calls"] for p in part.values()) < rule.least_calls
            or part[True]["last_at"] < since
        ):
            continue
        drop = part[False]["sure"] - part[True]["sure"]
        error = sqrt(sum(p["spread"] / p["calls"] for p in part.values()))
        if drop >= rule.drop and drop > normal_quantile(1 - CHANCE) * error:
            values = {"now": round(100 * part[True]["sure"], 1), "before": round(100 * part[False]["sure"], 1), "calls": part[True]["calls"], "day": part[True]["last_day"].isoformat()}  # fmt: skip
            week = part[True]["last_day"] - timedelta(days=part[True]["last_day"].weekday())
            found.append(
                AlertEvent(rule_id, rule, centre_id, f"/centres/{quote(centre_id, safe='')}", about=f"week of {week}", values=values)
            )
    return found


def _is_meant(rule: AlertRule, centre_id: str) -> bool:
    return not rule.centres or centre_id in rule.centres
