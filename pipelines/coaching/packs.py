"""Coaching packs: selected moments in an order, with notes and an expiry date, after which the pack and its files are removed."""

from __future__ import annotations

import logging
import secrets
import shutil
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from pipelines.app_db.accounts import EVERY_CENTRE, Account
from pipelines.app_db.database import AppDatabase, Row, open_store, present, store_path
from pipelines.coaching.clip_extraction import LONGEST_EVIDENCE_S, with_context
from pipelines.core.intervals import Span
from pipelines.core.settings import Settings
from pipelines.queries.moments import KINDS

log = logging.getLogger("callgrade")

MOST_MOMENTS = 40
LONGEST_TITLE, LONGEST_NOTES = 120, 2000
DAYS_KEPT = 30


@dataclass(frozen=True, slots=True)
class Balance:
    """The numbers of good examples and moments to improve in a pack."""

    good: int
    to_improve: int

    @property
    def is_balanced(self) -> bool:
        """Whether both kinds are present, and neither is more than twice the other."""
        few, many = sorted((self.good, self.to_improve))
        return few > 0 and many <= 2 * few


def make(
    store: AppDatabase,
    account: Account,
    centre_id: str,
    title: str,
    expires: date,
    *,
    theme: str | None = None,
    operator_id: str | None = None,
) -> str:
    """Create a pack without moments; return its id."""  # fmt: skip
    pack_id = secrets.token_hex(8)
    with store.writing() as db:
        db.execute(
            "insert into packs (pack_id, centre_id, title, theme, operator_id, made_by, made_at, expires_at) values (?, ?, ?, ?, ?, ?, ?, ?)",
            [pack_id, centre_id, title[:LONGEST_TITLE], theme, operator_id, account.name, present(), end_of(expires)],
        )
    return pack_id


def of_account(store: AppDatabase, account: Account) -> list[Row]:
    """The unexpired packs of the account's centres, newest first, each with its counts of moments."""
    centres = sorted(account.centres)
    where = "1" if EVERY_CENTRE in centres else f"p.centre_id in ({', '.join('?' * len(centres))})"
    return store.rows(
        f"""select p.*, count(m.moment_id) as moments, coalesce(sum(m.kind = 'good_example'), 0) as good
            from packs p left join pack_moments m using (pack_id)
            where p.expires_at > ? and {where} group by p.pack_id order by p.made_at desc""",
        present(), *([] if EVERY_CENTRE in centres else centres),
    )  # fmt: skip


def find(store: AppDatabase, account: Account, pack_id: str) -> Row | None:
    """An unexpired pack that this account may see."""
    rows = store.rows("select * from packs where pack_id = ? and expires_at > ?", pack_id, present())
    return rows[0] if rows and account.sees_centre(rows[0]["centre_id"]) else None


def made_for(store: AppDatabase, account: Account, pack_id: str | None = None) -> list[Row]:
    """The unexpired packs for the operator of an account (or one of them), newest first; none for other accounts."""
    if account.role != "operator" or account.operator_id is None:
        return []
    rows = store.rows(
        """select p.*, count(m.moment_id) as moments, coalesce(sum(m.kind = 'good_example'), 0) as good
           from packs p left join pack_moments m using (pack_id)
           where p.operator_id = ? and p.expires_at > ? and coalesce(p.pack_id = ?, true) group by p.pack_id order by p.made_at desc""",
        account.operator_id, present(), pack_id,
    )  # fmt: skip
    return [row for row in rows if account.sees_centre(row["centre_id"])]


def moments_of(store: AppDatabase, pack_id: str) -> list[Row]:
    """The moments of a pack in their order."""
    return store.rows("select * from pack_moments where pack_id = ? order by position, moment_id", pack_id)


def balance(moments: Iterable[Row]) -> Balance:
    """The counts of both kinds."""
    kinds = [m["kind"] for m in moments]
    return Balance(kinds.count("good_example"), kinds.count("to_improve"))


def add(store: AppDatabase, pack: Row, found: Sequence[Row]) -> int:
    """Append moments (rows of `moments.search`) of the pack's centre; return how many were added.

    Moments already in it are skipped.
    """
    added = 0
    with store.writing() as db:
        for moment in found:
            count, last = db.execute(
                "select count(*), coalesce(max(position), 0) from pack_moments where pack_id = ?", [pack["pack_id"]]
            ).fetchone()
            same = db.execute(
                "select 1 from pack_moments where pack_id = ? and call_id = ? and abs(start_s - ?) < 0.01 and abs(end_s - ?) < 0.01",
                [pack["pack_id"], moment["call_id"], moment["start_s"], moment["end_s"]],
            ).fetchone()
            if same or count >= MOST_MOMENTS or moment["centre_id"] != pack["centre_id"] or not moment["recording_sha256"]:
                continue
            db.execute(
                """insert into pack_moments (pack_id, moment_id, position, call_id, recording_sha256, kind, criterion_id, act, finding_kind, severity, start_s, end_s)
                   values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
                [
                    pack["pack_id"], secrets.token_hex(8), last + 1, moment["call_id"], moment["recording_sha256"], _kind_of(moment),
                    moment["criterion_id"], moment["act"], moment["finding_kind"], moment["severity"], moment["start_s"], moment["end_s"],
                ],
            )  # fmt: skip
            added += 1
    return added


def _kind_of(moment: Row) -> str:
    """The initial kind of a moment: one that only shows an act counts as a good example until somebody changes it."""
    return str(moment["kind"] or ("good_example" if moment["act"] else "to_improve"))


def change(store: AppDatabase, pack_id: str, *, title: str, notes: str, operator_id: str | None, is_disguised: bool, expires: date) -> None:
    """Change a pack's title and settings."""
    with store.writing() as db:
        db.execute(
            "update packs set title = ?, notes = ?, operator_id = ?, is_disguised = ?, expires_at = ? where pack_id = ?",
            [title[:LONGEST_TITLE], notes[:LONGEST_NOTES], operator_id, is_disguised, end_of(expires), pack_id],
        )


def change_moment(store: AppDatabase, pack_id: str, moment_id: str, *, kind: str, notes: str) -> None:
    """Change a moment's kind and notes."""
    with store.writing() as db:
        db.execute(
            "update pack_moments set kind = ?, notes = ? where pack_id = ? and moment_id = ?",
            [kind if kind in KINDS else "to_improve", notes[:LONGEST_NOTES], pack_id, moment_id],
        )


def move(store: AppDatabase, pack_id: str, moment_id: str, by: int) -> None:
    """Move a moment one place up (-1) or down (1)."""
    with store.writing() as db:
        ids = _ids(db, pack_id)
        if moment_id in ids:
            at = ids.index(moment_id)
            ids.insert(min(max(at + by, 0), len(ids) - 1), ids.pop(at))
        _number(db, pack_id, ids)


def take_out(store: AppDatabase, pack_id: str, moment_id: str) -> None:
    """Remove a moment from a pack."""
    with store.writing() as db:
        db.execute("delete from pack_moments where pack_id = ? and moment_id = ?", [pack_id, moment_id])
        _number(db, pack_id, _ids(db, pack_id))


def remove(settings: Settings, store: AppDatabase, pack_id: str) -> None:
    """Remove a pack and its files."""
    with store.writing() as db:
        db.execute("delete from packs where pack_id = ?", [pack_id])
    shutil.rmtree(folder(settings) / pack_id, ignore_errors=True)


def remove_expired(settings: Settings) -> None:
    """Remove expired packs, and all files of moments that are no longer in a pack."""
    if not store_path(settings).exists():
        return
    store = open_store(settings)
    with store.writing() as db:
        gone = db.execute("delete from packs where expires_at <= ?", [present()]).rowcount
    kept = {(row["pack_id"], row["moment_id"]) for row in store.rows("select pack_id, moment_id from pack_moments")}
    for lies in folder(settings).glob("*"):
        if lies.name not in {pack_id for pack_id, _ in kept}:
            shutil.rmtree(lies, ignore_errors=True)
            continue
        for file in lies.iterdir():
            if (lies.name, file.name.split("-")[0]) not in kept:
                file.unlink(missing_ok=True)
    if gone:
        log.info("packs: %d expired and were removed", gone)


def folder(settings: Settings) -> Path:
    """The folder of the packs' sound files."""
    return settings.site / "packs"


def span(turns: Sequence[Span], call: Row, moment: Row) -> Span:
    """The interval of a recording that shows a moment: its evidence with context, extended to turn boundaries."""
    evidence = (moment["start_s"], min(moment["end_s"], moment["start_s"] + 2 * LONGEST_EVIDENCE_S))
    return with_context(evidence, turns, call["duration_s"] or evidence[1])


def last_day(settings: Settings) -> date:
    """The latest possible expiry date of a pack: calls are forgotten after their retention period."""
    return datetime.fromtimestamp(present(), UTC).date() + timedelta(days=settings.retention_days)


def end_of(day: date) -> float:
    """The end of a day."""
    return datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC).timestamp()


def day_of(moment: float) -> date:
    """The last day before a timestamp."""
    return datetime.fromtimestamp(moment - 1, UTC).date()


def _ids(db: sqlite3.Connection, pack_id: str) -> list[str]:
    return [row[0] for row in db.execute("select moment_id from pack_moments where pack_id = ? order by position, moment_id", [pack_id])]


def _number(db: sqlite3.Connection, pack_id: str, ids: Sequence[str]) -> None:
    db.executemany(
        "update pack_moments set position = ? where pack_id = ? and moment_id = ?", [(n, pack_id, one) for n, one in enumerate(ids, 1)]
    )
