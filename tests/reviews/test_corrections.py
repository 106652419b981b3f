"""Corrections are append only, the latest one counts, two people do not overwrite each other, and a finding is known again."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from pipelines import erasure
from pipelines.app_db import accounts
from pipelines.app_db.accounts import Account
from pipelines.app_db.database import AppDatabase, open_store
from pipelines.core.settings import Settings
from pipelines.reviews import corrections
from pipelines.reviews.corrections import ChangedMeanwhileError, FindingIdentity
from pipelines.warehouse.forgetting import ForgottenCall
from tests.remains import holding

CALL = {"call_id": "kyiv-1", "centre_id": "kyiv"}
INSULT = FindingIdentity("abuse", "client", 10.0, 12.0, 4, "дурень якийсь", "insult", "operator")


@pytest.fixture
def store(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AppDatabase:
    monkeypatch.setattr(accounts, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    return open_store(settings)


@pytest.fixture
def anna(store: AppDatabase) -> Account:
    return accounts.add(store, "anna", "manager", "seven green lamps at noon", ["kyiv"])


@pytest.fixture
def borys(store: AppDatabase) -> Account:
    return accounts.add(store, "borys", "manager", "seven green lamps at noon", ["kyiv"])


def counting(store: AppDatabase) -> list[tuple[str, str, str]]:
    return [(row["kind"], row["value"], row["person"]) for row in corrections.standing(store).get("kyiv-1", [])]


def number(store: AppDatabase) -> int:
    """The newest record: what a person who looks now has seen."""
    return int(store.rows("select coalesce(max(correction_id), 0) as n from corrections")[0]["n"])


def test_the_latest_correction_counts_and_a_withdrawal_restores_the_automatic_result(
    store: AppDatabase, anna: Account, borys: Account
) -> None:
    assert corrections.add(store, anna, CALL, "topic", "outage", "tariff", seen=0)
    assert corrections.add(store, anna, CALL, "client_type", "rude", "addressed", seen=0)
    assert corrections.add(store, borys, CALL, "topic", "debt", "tariff", seen=1)
    assert sorted(counting(store)) == [("client_type", "rude", "anna"), ("topic", "debt", "borys")]
    assert corrections.add(store, anna, CALL, "topic", None, "tariff", seen=3)
    assert counting(store) == [("client_type", "rude", "anna")]
    assert corrections.standing(store, ["kyiv-1", "other"]).keys() == {"kyiv-1"}
    assert [(row["value"], row["machine_value"]) for row in corrections.everything(store, "kyiv") if row["kind"] == "topic"] == [
        ("outage", "tariff"), ("debt", "tariff"), (None, "tariff"),
    ]  # fmt: skip


def test_nothing_is_rewritten(store: AppDatabase, anna: Account) -> None:
    corrections.add(store, anna, CALL, "topic", "outage", "tariff", seen=0)
    with pytest.raises(sqlite3.IntegrityError, match="append only"), store.writing() as db:
        db.execute("update corrections set value = 'debt'")


def test_a_form_sent_twice_is_one_record(store: AppDatabase, anna: Account) -> None:
    assert corrections.add(store, anna, CALL, "topic", "outage", "tariff", seen=0)
    assert not corrections.add(store, anna, CALL, "topic", "outage", "tariff", seen=0)
    assert not corrections.add(store, anna, CALL, "client_type", None, "addressed", seen=0)
    assert len(corrections.everything(store, "kyiv")) == 1


def test_two_people_do_not_overwrite_each_other_unseen(store: AppDatabase, anna: Account, borys: Account) -> None:
    corrections.add(store, anna, CALL, "topic", "outage", "tariff", seen=0)
    with pytest.raises(ChangedMeanwhileError) as refused:
        corrections.add(store, borys, CALL, "topic", "debt", "tariff", seen=0)
    assert refused.value.person == "anna" and counting(store) == [("topic", "outage", "anna")]


def test_of_two_at_the_same_moment_one_is_refused(store: AppDatabase, anna: Account, borys: Account) -> None:
    outcomes: list[str] = []

    def correct(account: Account, value: str) -> None:
        try:
            corrections.add(store, account, CALL, "topic", value, "tariff", seen=0)
            outcomes.append(value)
        except ChangedMeanwhileError as error:
            outcomes.append(error.person)

    threads = [threading.Thread(target=correct, args=pair) for pair in ((anna, "outage"), (borys, "debt"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(outcomes) in ({"outage", "anna"}, {"debt", "borys"})
    assert len(corrections.everything(store, "kyiv")) == 1


def test_a_finding_is_known_again_after_it_was_found_a_little_differently(store: AppDatabase, anna: Account) -> None:
    corrections.add(store, anna, CALL, "finding", corrections.REFUTED, seen=0, finding=INSULT)
    shifted = replace(INSULT, start_s=10.3, end_s=12.1, turn_no=5, quote="дурень", severity="profanity")
    assert corrections.add(store, anna, CALL, "finding", corrections.CONFIRMED, seen=number(store), finding=shifted)
    assert counting(store) == [("finding", "confirmed", "anna")]


@pytest.mark.parametrize(
    "other",
    [
        replace(INSULT, role="operator"),
        replace(INSULT, kind="interruption"),
        replace(INSULT, start_s=12.0, end_s=14.0),
        replace(INSULT, end_s=20.0),  # mostly other words
    ],
)
def test_another_finding_keeps_its_own_verdict(store: AppDatabase, anna: Account, other: FindingIdentity) -> None:
    corrections.add(store, anna, CALL, "finding", corrections.REFUTED, seen=0, finding=INSULT)
    assert corrections.add(store, anna, CALL, "finding", corrections.CONFIRMED, seen=0, finding=other)
    assert sorted(value for _, value, _ in counting(store)) == ["confirmed", "refuted"]


def test_of_two_findings_at_one_place_that_of_the_same_severity_is_meant() -> None:
    threat = replace(INSULT, severity="threat")
    assert INSULT.best_among([threat, replace(INSULT, start_s=10.4)]) == 1
    assert INSULT.best_among([threat]) == 0
    assert replace(INSULT, end_s=10.0).best_among([replace(INSULT, end_s=10.0)]) == 0
    assert INSULT.best_among([]) is None


def test_learning_reads_a_centre_from_a_point_in_time_on(store: AppDatabase, anna: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    for at, call, value in ((100.0, CALL, "outage"), (200.0, CALL, "debt"), (300.0, {"call_id": "odesa-1", "centre_id": "odesa"}, "debt")):
        monkeypatch.setattr(corrections, "present", lambda at=at: at)
        corrections.add(store, anna, call, "topic", value, "tariff", seen=1 if value == "debt" and call is CALL else 0)
    assert [row["value"] for row in corrections.everything(store, "kyiv", 100.0)] == ["debt"]
    assert [row["call_id"] for row in corrections.everything(store, "odesa")] == ["odesa-1"]
    assert [corrections.count_since(store, "kyiv", at) for at in (0.0, 150.0, 200.0)] == [1, 1, 0]


def test_corrections_are_forgotten_with_their_call_and_their_words_leave_the_file(
    settings: Settings, store: AppDatabase, anna: Account, tmp_path: Path
) -> None:
    corrections.add(store, anna, CALL, "finding", corrections.REFUTED, seen=0, finding=INSULT)
    corrections.add(store, anna, {"call_id": "kyiv-2", "centre_id": "kyiv"}, "topic", "debt", "tariff", seen=0)
    assert holding(tmp_path, ["дурень", "kyiv-1"])
    erasure.forget(settings, [ForgottenCall("kyiv-1", None)], on_request=False)
    assert [row["call_id"] for row in corrections.everything(store, "kyiv")] == ["kyiv-2"]
    assert holding(tmp_path, ["дурень", "kyiv-1"]) == {}
