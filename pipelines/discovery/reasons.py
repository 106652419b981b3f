"""Discovered reasons in the application database: found anew each week, made a topic or dismissed by a manager."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import date

from pipelines.app_db.database import AppDatabase, Row, present
from pipelines.core.published import Published
from pipelines.discovery.openings import PLACEHOLDER
from pipelines.queries.quotes import texts
from pipelines.scorecards import drafts
from pipelines.scorecards.editing import AddTopic, edit
from pipelines.scorecards.errors import ScorecardError

NEW, ACCEPTED, DISMISSED = "new", "accepted", "dismissed"
MOST_QUOTES = 5
LONGEST_EXAMPLE = 200  # characters, as in the form of a topic
_PAGE = 60  # reasons that a page lists


@dataclass(frozen=True, slots=True)
class FoundReason:
    """A group of calls with its name; counts are of the calls that were compared. `calls`: (call_id, turn_no), the most typical first."""

    words: tuple[str, ...]
    calls: tuple[tuple[str, int], ...]
    compared: int
    earlier: int
    earlier_compared: int
    p_value: float


def replace_week(db: AppDatabase, centre_id: str, first_day: date, last_day: date, found: Sequence[FoundReason]) -> None:
    """Store what was found in a week; reasons of the same week that nobody decided on are replaced, the others stay."""
    with db.writing() as connection:
        week = [centre_id, first_day.isoformat(), last_day.isoformat()]
        connection.execute(f"delete from new_reasons where centre_id = ? and first_day = ? and last_day = ? and status = '{NEW}'", week)
        for one in found:
            reason_id = connection.execute(
                """insert into new_reasons (centre_id, first_day, last_day, words, calls, compared, earlier, earlier_compared, p_value, found_at)
                values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
                [*week, ", ".join(one.words), len(one.calls), one.compared, one.earlier, one.earlier_compared, one.p_value, present()],
            ).lastrowid
            connection.executemany(
                "insert into new_reason_calls values (?, ?, ?, ?)",
                [[reason_id, call_id, turn_no, place] for place, (call_id, turn_no) in enumerate(one.calls)],
            )


def listed(db: AppDatabase, centre_id: str) -> list[Row]:
    """The reasons of a centre, the newest week first, those that wait for a decision before the others."""
    return db.rows(
        f"select * from new_reasons where centre_id = ? order by status <> '{NEW}', first_day desc, p_value, reason_id limit {_PAGE}",
        centre_id,
    )


def known(db: AppDatabase, centre_id: str, first_day: date) -> list[Row]:
    """The latest reasons of a centre, but for those of the week from `first_day` that nobody decided on."""
    return db.rows(
        f"select * from new_reasons where centre_id = ? and not (first_day = ? and status = '{NEW}') order by found_at desc limit {_PAGE}",
        centre_id, first_day.isoformat(),
    )  # fmt: skip


def count_waiting(db: AppDatabase, centre_ids: Sequence[str]) -> int:
    """How many reasons of these centres wait for a decision."""
    marks = ", ".join("?" * len(centre_ids))
    return int(db.rows(f"select count(*) as n from new_reasons where status = '{NEW}' and centre_id in ({marks})", *centre_ids)[0]["n"])


def load_reason(db: AppDatabase, centre_id: str, reason_id: int) -> Row | None:
    """A reason of a centre, if there is one."""
    rows = db.rows("select * from new_reasons where centre_id = ? and reason_id = ?", centre_id, reason_id)
    return rows[0] if rows else None


def calls_of(db: AppDatabase, reason_ids: Sequence[int]) -> list[Row]:
    """The calls of some reasons that are not forgotten: reason_id, call_id, turn_no, the most typical first."""
    marks = ", ".join("?" * len(reason_ids))
    return db.rows(f"select * from new_reason_calls where reason_id in ({marks}) order by reason_id, place", *reason_ids)


def quotes(published: Published, calls: Sequence[Row]) -> list[Row]:
    """What the clients of some calls said, masked for every reader: call_id, turn_no, text, language; calls that are gone are left out."""
    kept = {row["call_id"]: row for row in published.of_calls("calls", [c["call_id"] for c in calls], "call_id", "call_id, text_kept")}
    rows = [call | {"text_kept": kept[call["call_id"]]["text_kept"]} for call in calls if call["call_id"] in kept]
    read = texts(published, rows, hears_personal_data=False) if rows else {}
    keys = [(row["call_id"], row["turn_no"]) for row in rows]
    return [read[key] for key in keys if key in read]


def dismiss(db: AppDatabase, reason: Row, by: str) -> bool:
    """Dismiss a reason; false when somebody has decided on it before. `by` is the name of the account."""
    return _decide(db, reason, DISMISSED, by, None)


def make_topic(db: AppDatabase, published: Published, reason: Row, by: str, withheld: Container[str] = ()) -> str:
    """Add a topic with the reason's words and sentences to the draft of the scorecard, and return its id.

    The manager names it in the form of the topic; it counts once the draft is activated. Calls in `withheld`, which the manager must still
    judge blind, are not quoted. Raises ScorecardError or MisconfiguredError
    when the profile cannot take it, and leaves the reason as it was; ScorecardError when somebody has decided on it before.
    """
    if reason["status"] != NEW:
        raise ScorecardError("nr_err_decided", name=reason["decided_by"])
    centre_id, topic_id = reason["centre_id"], f"reason_{reason['reason_id']}"
    calls = [call for call in calls_of(db, [reason["reason_id"]]) if call["call_id"] not in withheld]
    said = quotes(published, calls[:MOST_QUOTES])
    examples = [text for one in said if (text := " ".join(PLACEHOLDER.sub(" ", one["text"]).split())[:LONGEST_EXAMPLE].strip())]
    draft = drafts.load_draft(db, centre_id)
    text = draft.text if draft else drafts.current_text(centre_id)
    languages = drafts.profile_of(centre_id, text).languages
    values = {"id": topic_id, "title": dict.fromkeys(languages, reason["words"]), "description": reason["words"], "examples": examples}
    drafts.save_draft(db, centre_id, edit(text, [AddTopic(values)]), by, seen_at=draft.edited_at if draft else None)
    _decide(db, reason, ACCEPTED, by, topic_id)
    return topic_id


def _decide(db: AppDatabase, reason: Row, status: str, by: str, topic_id: str | None) -> bool:
    with db.writing() as connection:
        changed = connection.execute(
            f"update new_reasons set status = ?, decided_by = ?, decided_at = ?, topic_id = ? where reason_id = ? and status = '{NEW}'",
            [status, by, present(), topic_id, reason["reason_id"]],
        ).rowcount
    return changed > 0
