"""Blind reviews: the calls a reviewer must judge blind, and the results withheld until then. Only this module decides it.

A reviewer judges the weekly random sample without knowing the automatic result. Until the evaluation is submitted, no page, list, search or
export available to this reviewer shows the score, a verdict, a finding, an undecided criterion or an order that depends on them.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from functools import partial

from pipelines.app_db.accounts import Account
from pipelines.app_db.database import AppDatabase
from pipelines.core.published import Row
from pipelines.queries.snapshot import SnapshotReader
from pipelines.reviews import evaluations, human_verdicts

# The columns of lists and exports with automatic results, and with decisions of other people.
_RESULTS: Row = {
    "score_pct": None, "coverage_pct": None, "auto_fail": None, "needs_review": None, "abusive": None, "is_abusive": None, "outcome": None, "unsure": [],
    "people": [],
}  # fmt: skip


def withheld(published: SnapshotReader, store: AppDatabase, account: Account, centres: Iterable[str]) -> frozenset[str]:
    """The ids of the calls whose results are withheld from this account.

    These are the calls of the current samples, and those whose evaluation the account began blind, as long as it has not seen their
    result: submitting the evaluation shows it, and so does waiving the blind review. Calls with a threat are never withheld, because they
    need action.
    """
    if not account.may("review"):
        return frozenset()
    asked = {row["call_id"] for centre_id in centres for row in sampled(published, store, centre_id) if not row["has_threat"]}
    asked |= {
        row["call_id"] for row in store.rows("select call_id from evaluation_drafts where account_id = ? and is_blind", account.account_id)
    }
    return frozenset(asked - human_verdicts.seen_of(store, account, sorted(asked)))


def sampled(published: SnapshotReader, store: AppDatabase, centre_id: str) -> list[Row]:
    """The random sample of a centre's latest week, computed once per published copy."""
    return published.once(("sample", centre_id), partial(evaluations.latest_sample, published, store, centre_id))


def warm(published: SnapshotReader, store: AppDatabase) -> None:
    """Draw the samples of all centres ahead of the first request."""
    for row in published.rows("select distinct centre_id from calls where centre_id is not null"):
        sampled(published, store, row["centre_id"])


def conceal(rows: Sequence[Row], hidden: Container[str]) -> list[Row]:
    """The rows of a list of calls without the results of hidden ones (`is_withheld`), which come last: their place would reveal them."""
    shown = [row | {"is_withheld": False} for row in rows if row["call_id"] not in hidden]
    concealed = [row | _blank(row) | {"is_withheld": True} for row in rows if row["call_id"] in hidden]
    return shown + sorted(concealed, key=lambda row: (str(row.get("started_local") or ""), row["call_id"]), reverse=True)


def without(rows: Iterable[Row], hidden: Container[str]) -> list[Row]:
    """The rows of a list that was selected by results, such as calls with a critical failure, without hidden calls."""
    return [row for row in rows if row["call_id"] not in hidden]


def blanked(rows: Iterable[Row], hidden: Container[str]) -> list[Row]:
    """The rows of an export in their order; the results of hidden calls are empty."""
    return [row | _blank(row) if row["call_id"] in hidden else row for row in rows]


def audited(rows: Iterable[Row], hidden: Container[str]) -> list[Row]:
    """Audit entries in which a criterion of a hidden call, such as a dispute of a failed one, is reduced to the call."""
    named = [(row, str(row["subject"] or "").rpartition(" ")[0]) for row in rows]
    return [row | {"subject": call_id} if call_id in hidden else row for row, call_id in named]


def _blank(row: Row) -> Row:
    return {name: empty for name, empty in _RESULTS.items() if name in row}
