"""Sample accounts of the demo, one per role, to look at all pages; never created for other warehouses."""

from __future__ import annotations

import os
from pathlib import Path

from pipelines.app_db import accounts
from pipelines.app_db.accounts import Account
from pipelines.app_db.database import AppDatabase, open_store
from pipelines.core.published import open_published
from pipelines.core.settings import Settings
from pipelines.reviews import evaluations, human_verdicts


def password_file(settings: Settings) -> Path:
    """The file with the password of the demo's sample accounts, readable for this user only."""
    return settings.site / "sample-password.txt"


def open_samples(settings: Settings) -> str:
    """Create the sample accounts, named like their roles, and return their password, which is random for each demo site."""
    file, store = password_file(settings), open_store(settings)
    password = file.read_text(encoding="utf-8").strip() if file.exists() else accounts.fresh_password("demo")
    with open_published(settings) as published:
        busiest = published.rows(
            """select centre_id, operator_id from calls where status = 'graded' and operator_id is not null and centre_id is not null
               group by all order by count(*) desc, centre_id, operator_id limit 1"""
        )
    known = {account.name for account in accounts.everybody(store)}
    for role in accounts.ROLES:
        if role in known or (role == "operator" and not busiest):
            continue
        own = busiest[0] if role == "operator" else None
        made = accounts.add(
            store, role, role, password, [own["centre_id"] if own else accounts.EVERY_CENTRE], own["operator_id"] if own else None
        )
        if made.may("review"):
            _show_most_results(settings, store, made)
    if not file.exists():
        with os.fdopen(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
            out.write(password + "\n")
    return password


def _show_most_results(settings: Settings, store: AppDatabase, account: Account) -> None:
    """Leave one call of each centre to judge blind: with so few calls the sample includes all, and no result would be visible."""
    with open_published(settings) as published:
        for row in published.rows("select distinct centre_id from calls where status = 'graded' and centre_id is not null"):
            for sampled in evaluations.latest_sample(published, store, row["centre_id"])[1:]:
                human_verdicts.note_seen(store, account, sampled["call_id"])
