"""Records who listened to a call: counted by audible playback, not by opening a page or prefetching sound.

Two conditions apply: the server sent the sound to this account, and the player, in a form with the session's token, reports seconds that
played audibly. At most the seconds that can have passed since the server sent the sound, at the player's fastest speed, are credited.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pipelines.app_db.accounts import Account
from pipelines.app_db.database import AppDatabase, present
from pipelines.app_db.sessions import LONGEST_S
from pipelines.core.published import Row

LEAST_S = 10.0  # seconds of the recording that count as listening,
LEAST_SHARE = 0.8  # or this share of a shorter one
FASTEST = 2.0  # times the normal speed
_SLACK_S = 1.0
_SENT_AGAIN_S = 600.0  # a player requests a recording in ranges: within this time nothing is written again


def least_s(duration_s: float | None) -> float:
    """The seconds of a call that must be played to count as listening."""
    return min(LEAST_S, LEAST_SHARE * duration_s) if duration_s else LEAST_S


def note_sent(store: AppDatabase, account: Account, call_id: str) -> None:
    """Record that the server sent sound of a call to a reviewer."""
    now = present()
    if store.rows(
        "select 1 from listenings where call_id = ? and account_id = ? and sent_at > ?", call_id, account.account_id, now - _SENT_AGAIN_S
    ):
        return
    with store.writing() as db:
        db.execute(
            """insert into listenings (call_id, account_id, sent_at) values (?, ?, ?)
               on conflict (call_id, account_id) do update set sent_at = excluded.sent_at""",
            [call_id, account.account_id, now],
        )


def report(store: AppDatabase, account: Account, call: Row, seconds: float) -> bool:
    """Add seconds reported by a player; return whether the account has listened to the call.

    Nothing is added without sent sound.
    """
    if not math.isfinite(seconds) or seconds <= 0:
        return False
    now = present()
    with store.writing() as db:
        found = db.execute(
            "select sent_at, reported_at, played_s, listened_at from listenings where call_id = ? and account_id = ? and sent_at > ?",
            [call["call_id"], account.account_id, now - LONGEST_S],
        ).fetchone()
        if found is None:
            return False
        possible_s = (now - max(found["sent_at"], found["reported_at"] or 0.0)) * FASTEST + _SLACK_S
        played_s = found["played_s"] + min(seconds, max(possible_s, 0.0))
        is_enough = played_s >= least_s(call["duration_s"])
        db.execute(
            "update listenings set reported_at = ?, played_s = ?, listened_at = coalesce(listened_at, ?) where call_id = ? and account_id = ?",
            [now, played_s, now if is_enough else None, call["call_id"], account.account_id],
        )
    return is_enough or found["listened_at"] is not None


def latest(store: AppDatabase, call_ids: Sequence[str]) -> dict[str, Row]:
    """The latest listener of each of these calls (`name`, `at`); calls without one are left out."""
    if not call_ids:
        return {}
    rows = store.rows(
        f"""select l.call_id, a.name, l.listened_at as at from listenings as l join accounts as a using (account_id)
            where l.listened_at is not null and l.call_id in ({", ".join("?" * len(call_ids))}) order by l.listened_at""",
        *call_ids,
    )
    return {row["call_id"]: row for row in rows}
