from __future__ import annotations

import stat

from pipelines.app_db import accounts, database, sessions
from pipelines.cli import sample_accounts
from pipelines.core.published import open_published
from pipelines.core.settings import Settings
from pipelines.reviews import evaluations, human_verdicts
from tests.web.made_calls import load_and_publish, some_calls


def test_the_demo_lets_one_of_each_role_in_and_says_the_same_password_again(settings: Settings) -> None:
    load_and_publish(settings, some_calls()[:3])
    password = sample_accounts.open_samples(settings)
    kept = database.open_store(settings)
    assert {a.name for a in accounts.everybody(kept)} == set(accounts.ROLES)
    operator = accounts.named(kept, "operator")
    assert operator.operator_id and len(operator.centres) == 1
    with open_published(settings) as published:
        sample = {row["call_id"] for row in evaluations.latest_sample(published, kept, "kyiv")}
    shown = human_verdicts.seen_of(kept, accounts.named(kept, "manager"), sorted(sample))
    assert len(sample - shown) == 1  # one call is left to be judged blind
    assert sessions.sign_in(kept, "manager", password, "x") is not None
    assert sample_accounts.open_samples(settings) == password
    assert stat.S_IMODE(sample_accounts.password_file(settings).stat().st_mode) == 0o600
