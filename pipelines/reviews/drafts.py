"""Drafts of evaluations, saved on the server while a reviewer types, readable for that account alone.

Personal data is masked before a draft is saved, as in all typed text. A draft is removed when its evaluation is submitted
(`human_verdicts.keep_evaluation`), when the reviewer discards it, and when the call is forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pipelines.app_db.accounts import Account
from pipelines.app_db.database import AppDatabase, present
from pipelines.core.published import Row
from pipelines.queries.masking import mask_typed
from pipelines.reviews.human_verdicts import LONGEST_NOTE, LONGEST_QUOTE, VERDICTS, stands_in

FIELDS = ("verdict", "turn", "quote", "note")
CURRENT = "current"  # the criterion that receives quotes
_LONGEST_TURN = 5


@dataclass(frozen=True, slots=True)
class Draft:
    """A saved draft: the fields of the form by name, and when it was saved (seconds since 1970)."""

    answers: Mapping[str, str]
    saved_at: float


def read_form(given: Callable[[str], str], criteria: Sequence[str], turns: Sequence[Row]) -> dict[str, str]:
    """The filled fields of a form as stored in a draft: truncated to the form's limits, personal data masked.

    A quote that occurs in its turn is unchanged, because the turns are masked already.
    """
    texts = {str(turn["turn_no"]): turn["text"] for turn in turns}
    found: dict[str, str] = {}
    for name in criteria:
        verdict, turn, quote, note = (given(f"{field}_{name}") for field in FIELDS)
        found[f"verdict_{name}"] = verdict if verdict in VERDICTS else ""
        found[f"turn_{name}"] = turn[:_LONGEST_TURN]
        quote = quote[:LONGEST_QUOTE]
        found[f"quote_{name}"] = quote if not quote or stands_in(quote, texts.get(turn, "")) else mask_typed(quote)
        found[f"note_{name}"] = mask_typed(note[:LONGEST_NOTE])
    current = given(CURRENT)
    answers = {name: value for name, value in found.items() if value}
    return answers | ({CURRENT: current} if answers and current in criteria else {})


def save(store: AppDatabase, account: Account, call_id: str, answers: Mapping[str, str], *, is_blind: bool) -> float:
    """Save a draft, replacing the previous one; return when. An empty form has no draft. A draft that was begun blind stays so."""
    at = present()
    with store.writing() as db:
        if not answers:
            db.execute("delete from evaluation_drafts where call_id = ? and account_id = ?", [call_id, account.account_id])
            return at
        db.execute(
            """insert into evaluation_drafts values (?, ?, ?, ?, ?)
               on conflict (call_id, account_id) do update set saved_at = excluded.saved_at, answers_json = excluded.answers_json""",
            [call_id, account.account_id, at, is_blind, json.dumps(answers, ensure_ascii=False)],
        )
    return at


def find(store: AppDatabase, account: Account, call_id: str) -> Draft | None:
    """The account's own draft for a call."""
    rows = store.rows(
        "select answers_json, saved_at from evaluation_drafts where call_id = ? and account_id = ?", call_id, account.account_id
    )
    return Draft(json.loads(rows[0]["answers_json"]), rows[0]["saved_at"]) if rows else None


def discard(store: AppDatabase, account: Account, call_id: str) -> None:
    """Remove the account's own draft for a call."""
    with store.writing() as db:
        db.execute("delete from evaluation_drafts where call_id = ? and account_id = ?", [call_id, account.account_id])
