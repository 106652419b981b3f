"""Disputes: an operator objects to a failed point of an own call, and a manager upholds or rejects it, once, with a reason."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta

from pipelines.app_db.accounts import EVERY_CENTRE, Account
from pipelines.app_db.database import AppDatabase, present
from pipelines.core.published import Row
from pipelines.reviews import human_verdicts
from pipelines.reviews.human_verdicts import HumanVerdict

SHORTEST_REASON, LONGEST_REASON = 10, 1000
_ALL = """
    select d.*, a.name as asked_by, c.is_upheld, c.reason as decision, c.at as decided_at, b.name as decided_by,
           v.verdict as new_verdict, v.quote as new_quote, r.at as read_at
    from disputes as d
    join accounts as a using (account_id)
    left join dispute_decisions as c using (dispute_id)
    left join accounts as b on b.account_id = c.account_id
    left join people_verdicts as v using (dispute_id)
    left join read_decisions as r using (dispute_id)
"""


class NotDisputableError(Exception):
    """A dispute cannot be opened or decided; its text is a message key, `field` the form field to correct, if any."""

    def __init__(self, key: str, field: str = "") -> None:
        super().__init__(key)
        self.field = field


def reason_given(text: str) -> str:
    """The reason, if valid. Raises NotDisputableError when it is too short or too long."""
    if len(text) < SHORTEST_REASON:
        raise NotDisputableError("dispute_reason_short", "reason")
    if len(text) > LONGEST_REASON:
        raise NotDisputableError("dispute_reason_long", "reason")
    return text


def until(point: Row, evaluated_at: datetime, days: int) -> float:
    """The deadline for disputing a point: so many days after the current verdict, automatic or human, was given."""
    since = point["at"] if point["judge"] == "human" and point.get("at") else evaluated_at.timestamp()
    return float(since + timedelta(days=days).total_seconds())


def mark(store: AppDatabase, account: Account, call: Row, rows: dict[str, list[Row]], days: int) -> dict[str, Row]:
    """By criterion the dispute that this account sees, and whether and until when the account may open one."""
    there = {(d["scorecard_id"], d["criterion_id"]): d for d in store.rows(f"{_ALL} where d.call_id = ?", call["call_id"])}
    judged = {e["scorecard_id"]: e["evaluated_at"] for e in rows["evaluations"] if e["judge"] == "machine"}
    found: dict[str, Row] = {}
    for point in standing_points(rows["criterion_results"]):
        dispute = there.get((point["scorecard_id"], point["criterion_id"]))
        end = until(point, judged[point["scorecard_id"]], days) if point["scorecard_id"] in judged else 0.0
        is_open = account.may("dispute") and dispute is None and point["verdict"] == "fail" and present() < end
        if dispute or is_open:
            found[point["criterion_id"]] = {"dispute": dispute, "may_open": is_open, "until": end, "point": point}
    return found


def standing_points(results: Sequence[Row]) -> list[Row]:
    """One row per criterion: the human verdict before the automatic one."""
    return list({(r["scorecard_id"], r["criterion_id"]): r for r in sorted(results, key=lambda r: r["judge"] == "human")}.values())


def open_dispute(store: AppDatabase, account: Account, call: Row, marked: Row | None, reason: str, turn_no: int | None) -> int:
    """Save a dispute; return its id. Raises NotDisputableError when the point cannot be disputed (any more)."""
    if marked is None or not marked["may_open"]:
        raise NotDisputableError("dispute_not_open")
    point = marked["point"]
    values = [
        call["call_id"], call["centre_id"], account.account_id, call["operator_id"], point["scorecard_id"], point["criterion_id"], point["verdict"],
        point["judge"], reason, turn_no, present(),
    ]  # fmt: skip
    with store.writing() as db:
        try:
            cursor = db.execute(
                """insert into disputes (call_id, centre_id, account_id, operator_id, scorecard_id, criterion_id, verdict, judge, reason, turn_no, at)
                   values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
                values,
            )
        except sqlite3.IntegrityError:  # the form was sent twice
            raise NotDisputableError("dispute_not_open") from None
    return int(cursor.lastrowid or 0)


def decide(
    store: AppDatabase,
    account: Account,
    dispute: Row,
    reason: str,
    answer: HumanVerdict | None,
    machine_verdict: str | None,
    case: Row | None,
) -> None:
    """Uphold a dispute with the new verdict and its regression case, or reject it (no answer), in one transaction.

    Raises NotDisputableError when it has been decided meanwhile.
    """
    at = present()
    with store.writing() as db:
        try:
            db.execute(
                "insert into dispute_decisions values (?, ?, ?, ?, ?, ?)",
                [dispute["dispute_id"], dispute["call_id"], account.account_id, answer is not None, reason, at],
            )
        except sqlite3.IntegrityError:
            raise NotDisputableError("dispute_decided_already") from None
        if answer is not None:
            human_verdicts.add(
                db, account, dispute["call_id"], dispute["scorecard_id"], answer, machine_verdict, at, dispute_id=dispute["dispute_id"]
            )
        if case is not None:
            db.execute("insert into regression_cases values (?, ?, ?) on conflict do nothing", [case["case_id"], at, case["case_json"]])


def find(store: AppDatabase, dispute_id: int) -> Row | None:
    """A dispute with its decision, if there is one."""
    return next(iter(store.rows(f"{_ALL} where d.dispute_id = ?", dispute_id)), None)


def of_operator(store: AppDatabase, account: Account) -> list[Row]:
    """The disputes of an operator, newest first."""
    return store.rows(f"{_ALL} where d.account_id = ? order by d.at desc limit 200", account.account_id)


def of_centres(store: AppDatabase, account: Account) -> list[Row]:
    """The disputes of an account's centres: open ones first, oldest first, then decided ones, newest first."""
    where, values = _centres(account)
    return store.rows(f"{_ALL} where {where} order by c.at is not null, case when c.at is null then d.at end, c.at desc limit 200", *values)


def count_to_decide(store: AppDatabase, account: Account) -> int:
    """The number of open disputes at the centres of an account."""
    where, values = _centres(account)
    sql = f"select count(*) as n from disputes as d where {where} and not exists (select 1 from dispute_decisions as c where c.dispute_id = d.dispute_id)"
    return int(store.rows(sql, *values)[0]["n"])


def count_unread(store: AppDatabase, account: Account) -> int:
    """The number of decisions that an operator has not read yet."""
    sql = """select count(*) as n from disputes as d join dispute_decisions as c using (dispute_id)
             where d.account_id = ? and not exists (select 1 from read_decisions as r where r.dispute_id = d.dispute_id)"""
    return int(store.rows(sql, account.account_id)[0]["n"])


def mark_read(store: AppDatabase, account: Account) -> None:
    """Record that an operator has seen all decisions on their disputes."""
    if count_unread(store, account):
        with store.writing() as db:
            db.execute(
                """insert into read_decisions select d.dispute_id, d.call_id, ? from disputes as d join dispute_decisions as c using (dispute_id)
                   where d.account_id = ? on conflict do nothing""",
                [present(), account.account_id],
            )


def _centres(account: Account) -> tuple[str, list[str]]:
    if EVERY_CENTRE in account.centres:
        return "true", []
    return f"d.centre_id in ({', '.join('?' * len(account.centres))})", sorted(account.centres)
