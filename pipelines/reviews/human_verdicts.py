"""Human verdicts on criteria: stored beside the automatic ones, append-only, and taking precedence over them.

Among several human verdicts on a criterion, the decision on a dispute comes first, then one that decides before `unsure`, then the latest.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.app_db.accounts import Account
from pipelines.app_db.database import AppDatabase, present
from pipelines.core.published import Row

VERDICTS = ("pass", "fail", "na", "unsure")
LONGEST_QUOTE, LONGEST_NOTE = 200, 400  # a complete form in Cyrillic letters must stay under the server's 64 kB
_AT_ONCE = 500
Standing = dict[tuple[str, str], Row]  # scorecard and criterion → the verdict that counts


@dataclass(frozen=True, slots=True)
class HumanVerdict:
    """A person's verdict on one criterion."""

    criterion_id: str
    verdict: str
    quote: str | None = None
    role: str | None = None
    turn_no: int | None = None
    start_s: float | None = None
    end_s: float | None = None
    note: str = ""


class NoEvidenceError(Exception):
    """A verdict lacks its evidence; the text is a message key, `field` the form field to correct."""

    def __init__(self, key: str, field: str) -> None:
        super().__init__(key)
        self.field = field


def said(criterion_id: str, verdict: str, turn_no: str, quote: str, note: str, turns: Sequence[Row], duration_s: float) -> HumanVerdict:
    """A verdict from a submitted form, with its evidence looked up in the turns.

    Raises NoEvidenceError when the turn is not in the call, the quote does not occur in it, or a pass has none.
    """
    if verdict not in VERDICTS:
        raise NoEvidenceError("say_verdict", "verdict")
    if len(quote) > LONGEST_QUOTE or len(note) > LONGEST_NOTE:
        raise NoEvidenceError("say_shorter", "quote" if len(quote) > LONGEST_QUOTE else "note")
    if not turn_no:
        if quote:
            raise NoEvidenceError("say_turn", "turn")
        if verdict == "pass":
            raise NoEvidenceError("say_quote", "turn")
        span = (0.0, duration_s) if verdict == "fail" else (None, None)  # the searched range: the whole call
        return HumanVerdict(criterion_id, verdict, start_s=span[0], end_s=span[1], note=note)
    turn = next((t for t in turns if str(t["turn_no"]) == turn_no), None)
    if turn is None:
        raise NoEvidenceError("say_turn", "turn")
    quote = " ".join((quote or turn["text"]).split())
    if not stands_in(quote, turn["text"]):
        raise NoEvidenceError("say_not_there", "quote")
    return HumanVerdict(criterion_id, verdict, quote, turn["role"], turn["turn_no"], turn["start_s"], turn["end_s"], note)


def note_seen(store: AppDatabase, account: Account, call_id: str) -> None:
    """Record that a person has seen the automatic results of a call."""
    if not has_seen(store, account, call_id):
        with store.writing() as db:
            db.execute("insert into seen_verdicts values (?, ?, ?) on conflict do nothing", [call_id, account.account_id, present()])


def has_seen(store: AppDatabase, account: Account, call_id: str) -> bool:
    """Whether a person has seen the automatic results of a call."""
    return bool(store.rows("select 1 from seen_verdicts where call_id = ? and account_id = ?", call_id, account.account_id))


def seen_of(store: AppDatabase, account: Account, call_ids: Sequence[str]) -> set[str]:
    """The calls among these whose automatic results a person has seen."""
    found: set[str] = set()
    for first in range(0, len(call_ids), _AT_ONCE):
        some = call_ids[first : first + _AT_ONCE]
        sql = f"select call_id from seen_verdicts where account_id = ? and call_id in ({', '.join('?' * len(some))})"
        found |= {row["call_id"] for row in store.rows(sql, account.account_id, *some)}
    return found


def keep_evaluation(
    store: AppDatabase,
    account: Account,
    call: Row,
    scorecard: Row,
    answers: Sequence[HumanVerdict],
    machine: Mapping[str, str],
    *,
    is_withheld: bool,
) -> bool:
    """Save an evaluation and remove its draft; true when it is blind, that is, results were withheld from this account until now.

    `scorecard` names the criteria, `machine` holds the current automatic verdicts.
    """
    with store.writing() as db:
        seen = db.execute(
            "select 1 from seen_verdicts where call_id = ? and account_id = ?", [call["call_id"], account.account_id]
        ).fetchone()
        at = present()
        cursor = db.execute(
            """insert into people_evaluations (call_id, centre_id, account_id, at, is_blind, scorecard_id, scorecard_version)
               values (?, ?, ?, ?, ?, ?, ?)""",
            [
                call["call_id"],
                call["centre_id"],
                account.account_id,
                at,
                is_withheld and seen is None,
                scorecard["scorecard_id"],
                scorecard["scorecard_version"],
            ],
        )
        for answer in answers:
            add(
                db,
                account,
                call["call_id"],
                scorecard["scorecard_id"],
                answer,
                machine.get(answer.criterion_id),
                at,
                evaluation_id=cursor.lastrowid,
            )
        db.execute("insert into seen_verdicts values (?, ?, ?) on conflict do nothing", [call["call_id"], account.account_id, at])
        db.execute("delete from evaluation_drafts where call_id = ? and account_id = ?", [call["call_id"], account.account_id])
    return is_withheld and seen is None


def add(
    db: sqlite3.Connection,
    account: Account,
    call_id: str,
    scorecard_id: str,
    answer: HumanVerdict,
    machine_verdict: str | None,
    at: float,
    *,
    evaluation_id: int | None = None,
    dispute_id: int | None = None,
) -> None:
    """Add one verdict inside a transaction of the database."""
    db.execute(
        """insert into people_verdicts (call_id, evaluation_id, dispute_id, account_id, at, scorecard_id, criterion_id, verdict, quote, role, turn_no,
                                        start_s, end_s, note, machine_verdict)
           values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        [call_id, evaluation_id, dispute_id, account.account_id, at, scorecard_id, answer.criterion_id, answer.verdict, answer.quote, answer.role,
         answer.turn_no, answer.start_s, answer.end_s, answer.note, machine_verdict],
    )  # fmt: skip


def everything(store: AppDatabase, call_ids: Sequence[str] | None = None) -> list[Row]:
    """All human verdicts on some calls (None: on all), oldest first, with their reviewers."""
    sql = """select v.*, a.name as person, e.is_blind from people_verdicts as v
             join accounts as a using (account_id) left join people_evaluations as e using (evaluation_id) {} order by v.verdict_id"""
    if call_ids is None:
        return store.rows(sql.format(""))
    found: list[Row] = []
    for first in range(0, len(call_ids), _AT_ONCE):
        some = call_ids[first : first + _AT_ONCE]
        found += store.rows(sql.format(f"where v.call_id in ({', '.join('?' * len(some))})"), *some)
    return found


def standing(store: AppDatabase, call_ids: Sequence[str] | None = None) -> dict[str, Standing]:
    """By call the human verdict that counts for each criterion."""
    found: dict[str, Standing] = {}
    for row in sorted(everything(store, call_ids), key=_weight):
        found.setdefault(row["call_id"], {})[row["scorecard_id"], row["criterion_id"]] = row
    return found


def count_since(store: AppDatabase, centre_id: str, at: float) -> int:
    """The number of counting verdicts at a centre after a point in time, such as that of the published copy."""
    rows = store.rows(
        """select distinct v.call_id from people_verdicts as v left join people_evaluations as e using (evaluation_id)
           left join disputes as d on d.dispute_id = v.dispute_id where v.at > ? and coalesce(e.centre_id, d.centre_id) = ?""",
        at, centre_id,
    )  # fmt: skip
    found = standing(store, [row["call_id"] for row in rows])
    return sum(row["at"] > at for verdicts in found.values() for row in verdicts.values())


def _weight(row: Row) -> tuple[bool, bool, int]:
    return row["dispute_id"] is not None, row["verdict"] != "unsure", row["verdict_id"]


def stands_in(quote: str, text: str) -> bool:
    """Whether the words of a quote occur in a text, ignoring case and punctuation."""
    return bool(_plain(quote)) and f" {_plain(quote)} " in f" {_plain(text)} "


def _plain(text: str) -> str:
    """Text normalised for comparing quotes: letters and digits in lower case, single spaces."""
    return " ".join(re.sub(r"[^\w']+|_", " ", re.sub("[’ʼ`]", "'", text.lower()).replace("ё", "е")).split())
