"""Review queues: calls with undecided points, calls with critical failures, and a random sample."""

from __future__ import annotations

import hashlib
import hmac
from datetime import date, timedelta

from pipelines.app_db.accounts import Account
from pipelines.app_db.database import AppDatabase, present
from pipelines.core.published import Published, Row

KINDS = ("unsure", "critical", "sample")
SHOWN = 50
SAMPLE_A_WEEK = 10

_UNDECIDED = """
    select call_id, criterion_id, max_points
    from criterion_results as r
    where verdict = 'unsure' and judge = 'machine' and not exists (
        select 1 from criterion_results as h where h.call_id = r.call_id and h.criterion_id = r.criterion_id and h.judge = 'human'
    )
"""


def undecided(published: Published, centre_id: str, limit: int = SHOWN) -> list[Row]:
    """Calls with points that only a person can decide, the most points first."""
    rows = published.rows(
        f"""with points as (select call_id, sum(max_points) as points from ({_UNDECIDED}) group by call_id)
            select f.call_id
            from call_facts as f
            left join points as p using (call_id)
            where f.centre_id = ? and f.status = 'graded' and (p.points > 0 or f.needs_review)
            order by coalesce(p.points, 0) desc, f.started_local desc nulls last, f.call_id
            limit ?""",
        centre_id, limit,
    )  # fmt: skip
    return _listed(published, [row["call_id"] for row in rows])


def critical(published: Published, centre_id: str, limit: int = SHOWN) -> list[Row]:
    """Calls with a critical failure, newest first."""
    rows = published.rows(
        "select call_id from call_facts where centre_id = ? and status = 'graded' and auto_fail order by started_local desc nulls last, call_id limit ?",
        centre_id, limit,
    )  # fmt: skip
    return _listed(published, [row["call_id"] for row in rows])


def sample(published: Published, store: AppDatabase, centre_id: str, week: date, size: int = SAMPLE_A_WEEK) -> list[Row]:
    """A random sample of a week's calls (from its Monday): the same for everyone, not repeatable and not predictable."""
    rows = published.rows(
        "select call_id from calls where centre_id = ? and status = 'graded' and started_local >= ? and started_local < ?",
        centre_id, week, week + timedelta(days=7),
    )  # fmt: skip
    lots = sorted((_lot(store, row["call_id"]), row["call_id"]) for row in rows)[:size]
    return _listed(published, [call_id for _, call_id in lots])


def latest_sample(published: Published, store: AppDatabase, centre_id: str) -> list[Row]:
    """The sample of the latest week with calls; each row says whether the call contains a threat (`has_threat`)."""
    latest = published.rows(
        "select cast(date_trunc('week', max(started_local)) as date) as week from calls where centre_id = ? and status = 'graded'",
        centre_id,
    )[0]["week"]
    rows = sample(published, store, centre_id, latest) if latest else []
    ids = [row["call_id"] for row in rows]
    found = published.of_calls("findings", ids, "call_id", more="kind = 'abuse' and severity = 'threat' and role <> 'operator'")
    threats = {row["call_id"] for row in found if row.get("refuted_at") is None}  # a copy of an earlier version has no such column
    return [row | {"week": latest, "has_threat": row["call_id"] in threats} for row in rows]


def _listed(published: Published, call_ids: list[str]) -> list[Row]:
    """The columns of a list for these calls, in their order."""
    if not call_ids:
        return []
    these = ", ".join("?" * len(call_ids))
    rows = published.rows(
        f"""with undecided as (
                select call_id, list(criterion_id order by max_points desc, criterion_id) as criteria
                from ({_UNDECIDED} and r.call_id in ({these})) group by call_id
            )
            select f.call_id, f.started_local, f.operator_id, f.topic, f.auto_fail, f.needs_review, f.score_pct, f.coverage_pct, f.duration_s, p.outcome,
                   coalesce(p.outcome, 'not_needed') <> 'not_needed' as abusive, coalesce(u.criteria, []) as unsure
            from call_facts as f
            left join abuse_procedures as p using (call_id)
            left join undecided as u using (call_id)
            where f.call_id in ({these})""",
        *call_ids, *call_ids,
    )  # fmt: skip
    found = {row["call_id"]: row for row in rows}
    return [found[call_id] for call_id in call_ids if call_id in found]


def mark_reviewed(store: AppDatabase, account: Account, call_id: str) -> None:
    """Mark a call as reviewed by a person, who may have listened to it or read it; `listening` records who listened."""
    with store.writing() as db:
        db.execute(
            "insert into reviewed_calls values (?, ?, ?) on conflict (call_id, account_id) do update set at = excluded.at",
            [call_id, account.account_id, present()],
        )


def reviewed_ids(store: AppDatabase) -> list[str]:
    """The calls that anybody marked as reviewed or evaluated."""
    rows = store.rows("select call_id from reviewed_calls union select call_id from people_evaluations")
    return [row["call_id"] for row in rows]


def reviews(store: AppDatabase, call_ids: list[str]) -> dict[str, Row]:
    """The latest reviewer of each of these calls, and when."""
    if not call_ids:
        return {}
    rows = store.rows(
        f"""select r.call_id, a.name, r.at from reviewed_calls r join accounts a using (account_id)
            where r.call_id in ({", ".join("?" * len(call_ids))}) order by r.at""",
        *call_ids,
    )
    return {row["call_id"]: row for row in rows}


def _lot(store: AppDatabase, call_id: str) -> str:
    return hmac.new(store.signing_key, b"sample " + call_id.encode(), hashlib.sha256).hexdigest()
