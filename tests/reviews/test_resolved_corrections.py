"""Corrections reach the warehouse and survive a new scoring; what rests on refuted findings follows, and a withdrawal restores it all."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from argon2 import PasswordHasher

from pipelines import warehouse
from pipelines.app_db import accounts
from pipelines.app_db.accounts import Account
from pipelines.app_db.database import AppDatabase, open_store
from pipelines.coaching import clip_extraction
from pipelines.core.published import Row, open_published
from pipelines.core.records import Finding
from pipelines.core.settings import Settings, now
from pipelines.core.staging import Batch
from pipelines.queries import call_details
from pipelines.reviews import corrections, resolved_corrections, resolved_verdicts, sync
from pipelines.reviews.corrections import FindingIdentity
from pipelines.score.explanations import read_why
from tests.staged import rows
from tests.web.made_calls import load_and_publish, some_calls

IRKUTSK = {"call_id": "irkutsk-2", "centre_id": "irkutsk"}  # the operator hung up on "придурки" without a warning: a critical failure
KYIV = {"call_id": "kyiv-1", "centre_id": "kyiv"}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A published run that only the machine has judged, to be copied."""
    settings = Settings.from_environment(warehouse=tmp_path_factory.mktemp("judged") / "callgrade.duckdb")
    load_and_publish(settings, some_calls())
    return settings


@pytest.fixture
def site(judged: Settings, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(accounts, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    shutil.copy(judged.warehouse, settings.warehouse)
    shutil.copytree(judged.site, settings.site)
    return settings


@pytest.fixture
def store(site: Settings) -> AppDatabase:
    return open_store(site)


@pytest.fixture
def anna(store: AppDatabase) -> Account:
    return accounts.add(store, "anna", "manager", "seven green lamps at noon", ["kyiv", "irkutsk"])


def publish(settings: Settings) -> None:
    sync.copy_to_warehouse(settings)
    assert not [result for result in warehouse.publish(settings) if result.failed]


def finding_of(settings: Settings, call_id: str) -> FindingIdentity:
    with open_published(settings) as published:
        return FindingIdentity.of_finding(published.of_calls("findings", [call_id], "finding_no", more="kind = 'abuse'")[0])


def refute(settings: Settings, store: AppDatabase, account: Account, call: Row, *, seen: int = 0, value: str | None = "refuted") -> None:
    assert corrections.add(store, account, call, "finding", value, seen=seen, finding=finding_of(settings, call["call_id"]))


def seen(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    return rows(settings.snapshot, sql)


def test_a_corrected_topic_counts_in_every_view_and_leaves_the_automatic_one(site: Settings, store: AppDatabase, anna: Account) -> None:
    corrections.add(store, anna, KYIV, "topic", "debt", "balance", seen=0)
    corrections.add(store, anna, KYIV, "client_type", "rude", "addressed", seen=0)
    publish(site)
    columns = (
        "topic, topic_confidence, topic_judge, machine_topic, client_type, client_type_confidence, client_type_judge, machine_client_type"
    )
    assert seen(site, f"select {columns} from calls where call_id = 'kyiv-1'") == [
        ("debt", 1.0, "human", "balance", "rude", 1.0, "human", "addressed")
    ]
    assert seen(site, "select topic, client_type from call_facts where call_id = 'kyiv-1'") == [("debt", "rude")]
    assert seen(site, "select count(*) from mix_effects where factor = 'topic' and level = 'debt'")[0][0] > 0


def test_a_second_run_writes_nothing(site: Settings, store: AppDatabase, anna: Account) -> None:
    corrections.add(store, anna, KYIV, "topic", "debt", "balance", seen=0)
    refute(site, store, anna, IRKUTSK)
    publish(site)
    before = site.snapshot.stat().st_mtime_ns
    sync.copy_to_warehouse(site)
    assert rows(site.warehouse, "select * from core.unpublished") == []
    publish(site)
    assert site.snapshot.stat().st_mtime_ns == before


def test_refuted_abuse_is_not_counted_and_blames_nobody(site: Settings, store: AppDatabase, anna: Account) -> None:
    assert seen(site, "select is_abusive, auto_fail, is_kept, score_pct from call_facts where call_id = 'irkutsk-2'") == [
        (True, True, False, 0.0)
    ]
    refute(site, store, anna, IRKUTSK)
    publish(site)
    facts = "select is_abusive, abuse_exposure_s, auto_fail, is_kept from call_facts where call_id = 'irkutsk-2'"
    assert seen(site, facts) == [(False, 0.0, False, True)]
    procedures = "select outcome, judge, machine_outcome, explanation, explanation_json from abuse_procedures where call_id = 'irkutsk-2'"
    (procedure,) = seen(site, procedures)
    assert procedure[:3] == ("not_needed", "human", "ended_without_warning") and read_why(procedure[4]).text == procedure[3]
    with open_published(site) as published:
        clips = {(planned.clip.call_id, planned.clip.criterion_id) for planned in clip_extraction.plan(published, 45, now())}
    assert clips and ("irkutsk-2", "abuse_procedure") not in clips
    verdicts = "select judge, verdict, explanation from criterion_results where call_id = 'irkutsk-2' and criterion_id = 'abuse_procedure'"
    assert sorted(seen(site, verdicts)) == [
        ("human", "na", "The finding behind the automatic verdict was marked as not correct."),
        ("machine", "fail", "Why it was judged so."),
    ]
    (found,) = seen(site, "select judge, refuted_at is not null, quote from findings where call_id = 'irkutsk-2' and kind = 'abuse'")
    assert found == ("human", True, "придурки,")
    assert seen(site, "select sum(abusive_calls) from hourly_load where centre_id = 'irkutsk'") == [(0,)]
    assert seen(site, "select sum(abusive_calls) from operator_shifts where centre_id = 'irkutsk'") == [(0,)]


def test_a_withdrawal_restores_what_the_machine_said(site: Settings, store: AppDatabase, anna: Account) -> None:
    queries = (
        "select * exclude (loaded_at, call_no) from calls order by call_id",
        "from call_facts order by call_id",
        "from findings order by call_id, finding_no",
        "from abuse_procedures order by call_id",
        "select * exclude (call_no) from criterion_results order by all",
        "from evaluations order by all",
    )
    before = [seen(site, sql) for sql in queries]
    corrections.add(store, anna, KYIV, "topic", "debt", "balance", seen=0)
    refute(site, store, anna, IRKUTSK)
    publish(site)
    assert all(seen(site, sql) != was for sql, was in zip(queries, before, strict=True))
    corrections.add(store, anna, KYIV, "topic", None, "balance", seen=1)
    refute(site, store, anna, IRKUTSK, seen=2, value=None)
    publish(site)
    assert [seen(site, sql) for sql in queries] == before


def test_a_person_may_confirm_a_finding(site: Settings, store: AppDatabase, anna: Account) -> None:
    refute(site, store, anna, IRKUTSK, value="confirmed")
    publish(site)
    assert seen(site, "select judge, refuted_at from findings where call_id = 'irkutsk-2' and kind = 'abuse'") == [("human", None)]
    assert seen(site, "select is_abusive, auto_fail from call_facts where call_id = 'irkutsk-2'") == [(True, True)]


def scored_again(settings: Settings, change: Any) -> None:
    """Load the calls as another version of the rules found their findings."""
    batch = Batch(settings.stage / "made")
    findings: Sequence[Finding] = batch.read("findings")
    batch.write("findings", [new for old in findings for new in change(old)])
    batch.write("metrics", [replace(row, scored_by="rules-2") for row in batch.read("metrics")])
    assert warehouse.load(batch, settings)


def test_a_new_scoring_loses_no_correction(site: Settings, store: AppDatabase, anna: Account) -> None:
    corrections.add(store, anna, KYIV, "topic", "debt", "balance", seen=0)
    refute(site, store, anna, IRKUTSK)
    publish(site)

    def change(old: Finding) -> list[Finding]:
        earlier = replace(old, kind="interruption", start_s=0.1, end_s=0.2, quote=None, severity=None, target=None)
        return [earlier, replace(old, start_s=old.start_s - 0.02, severity="profanity")]

    scored_again(site, change)
    publish(site)
    assert seen(site, "select topic, topic_judge, scored_by from calls where call_id = 'kyiv-1'") == [("debt", "human", "rules-2")]
    found = seen(site, "select finding_no, kind, judge from findings where call_id = 'irkutsk-2' order by finding_no")
    assert found == [(1, "interruption", "machine"), (2, "abuse", "human")]
    assert seen(site, "select is_abusive, auto_fail from call_facts where call_id = 'irkutsk-2'") == [(False, False)]


def test_abuse_that_a_new_scoring_finds_elsewhere_counts(site: Settings, store: AppDatabase, anna: Account) -> None:
    refute(site, store, anna, IRKUTSK)
    publish(site)

    def change(old: Finding) -> list[Finding]:
        return [old, replace(old, turn_no=1, start_s=1.0, end_s=1.3, quote="Слушаю.")] if old.call_id == "irkutsk-2" else [old]

    scored_again(site, change)
    publish(site)
    assert seen(site, "select is_abusive from call_facts where call_id = 'irkutsk-2'") == [(True,)]
    (told,) = seen(site, "select explanation, explanation_json from abuse_procedures where call_id = 'irkutsk-2'")
    assert read_why(told[1]).text == told[0]
    verdicts = "select verdict from criterion_results where call_id = 'irkutsk-2' and criterion_id = 'abuse_procedure' and judge = 'human'"
    assert seen(site, verdicts) == [("unsure",)]  # of what blames the operator, a part was refuted: a person decides


def test_an_erased_call_leaves_none_of_its_corrections(site: Settings, store: AppDatabase, anna: Account) -> None:
    refute(site, store, anna, IRKUTSK)
    corrections.add(store, anna, IRKUTSK, "topic", "debt", "outage", seen=0)
    publish(site)
    warehouse.erase_client(site, "c-1")
    for file in (site.warehouse, site.snapshot):
        assert rows(file, "select call_id from core.corrected_calls union all select call_id from core.judged_findings") == []


def abuse(number: int, role: str, target: str, *, is_refuted: bool) -> Row:
    return {
        "finding_no": number, "kind": "abuse", "role": role, "target": target, "severity": "insult", "turn_no": number, "quote": "x",
        "start_s": 10.0 * number, "end_s": 10.0 * number + 2, "record": is_refuted,
    }  # fmt: skip


def resolved(outcome: str, findings: Sequence[Row], results: Sequence[Row] = ()) -> dict[str, list[Row]]:
    records = [
        {"correction_id": f["finding_no"], "call_id": "a", "kind": "finding", "value": "refuted", "at": 100.0, "person": "anna", "finding_kind": "abuse",
         **{name: f[name] for name in ("role", "target", "severity", "turn_no", "quote", "start_s", "end_s")}}
        for f in findings if f["record"]
    ]  # fmt: skip
    given = {"findings": list(findings), "abuse_procedures": [{"outcome": outcome}], "criterion_results": list(results)}
    return resolved_corrections.put_in(given, records)


@pytest.mark.parametrize(
    ("outcome", "findings", "expected"),
    [
        ("tolerated", [("client", "operator", True)], "not_needed"),
        ("tolerated", [("client", "operator", True), ("client", "other", False)], "not_needed"),  # at somebody else: no warning is due
        ("tolerated", [("client", "operator", True), ("client", "company", False)], "tolerated"),
        ("ended_without_warning", [("client", "operator", True), ("client", "company", False)], "cannot_tell"),
        ("ended_without_warning", [("client", "operator", False), ("client", "other", True)], "ended_without_warning"),
        ("operator_at_fault", [("operator", "client", True)], "not_needed"),
        ("operator_at_fault", [("operator", "client", True), ("client", "operator", False)], "cannot_tell"),
        ("operator_at_fault", [("operator", "client", False), ("client", "operator", True)], "operator_at_fault"),
        ("not_needed", [("client", "other", True)], "not_needed"),
        ("cannot_tell", [], "cannot_tell"),
    ],
)
def test_the_outcome_of_the_procedure_follows_from_the_abuse_that_remains(
    outcome: str, findings: Sequence[tuple[str, str, bool]], expected: str
) -> None:
    given = [abuse(n, role, target, is_refuted=is_refuted) for n, (role, target, is_refuted) in enumerate(findings, 1)]
    (procedure,) = resolved(outcome, given)["abuse_procedures"]
    assert (procedure["outcome"], procedure["judge"]) == (expected, "machine" if expected == outcome else "human")


def test_only_a_fail_in_the_words_of_a_refuted_finding_becomes_unsure() -> None:
    point = {"judge": "machine", "scorecard_id": "card", "turn_no": 1, "quote": "x", "start_s": 10.5, "end_s": 11.0}
    results = [
        point | {"criterion_id": "no_forbidden_words", "verdict": "fail"},
        point | {"criterion_id": "good_impression", "verdict": "pass"},
        point | {"criterion_id": "farewell", "verdict": "fail", "quote": None, "turn_no": None},
        point | {"criterion_id": "greeting", "verdict": "fail", "start_s": 40.0, "end_s": 41.0},
        point | {"criterion_id": "hold_thanked", "verdict": "unsure"},
    ]
    found = resolved_corrections.implied(resolved("not_needed", [abuse(1, "operator", "client", is_refuted=True)], results), None)
    assert {key: row["verdict"] for key, row in found.items()} == {("card", "no_forbidden_words"): "unsure"}


@pytest.mark.parametrize(
    ("outcome", "remains", "verdict", "expected"),
    [
        ("tolerated", False, "pass", "na"),
        ("cannot_tell", False, "unsure", "na"),
        ("ended_without_warning", True, "fail", "unsure"),
        ("ended_without_warning", True, "unsure", None),
        ("tolerated", True, "fail", None),
        ("tolerated", False, "na", None),
    ],
)
def test_the_criterion_on_the_procedure_follows_its_outcome(outcome: str, remains: bool, verdict: str, expected: str | None) -> None:
    findings = [abuse(1, "client", "operator", is_refuted=True)] + [abuse(2, "client", "operator", is_refuted=False)] * remains
    point = {"judge": "machine", "scorecard_id": "card", "criterion_id": "abuse_procedure", "verdict": verdict, "quote": None, "turn_no": 3}
    found = resolved_corrections.implied(resolved(outcome, findings, [point]), None)
    assert [row["verdict"] for row in found.values()] == ([expected] if expected else [])


def test_what_a_person_said_of_a_criterion_counts_before_what_follows(site: Settings, store: AppDatabase, anna: Account) -> None:
    refute(site, store, anna, IRKUTSK)
    with open_published(site) as published:
        call = published.rows("select * from calls where call_id = 'irkutsk-2'")[0]
        _, read = next(call_details.read_calls(published, [call]))
    own = {"verdict": "fail", "person": "borys"}
    _, people = resolved_verdicts.with_corrections(
        call, read, {("irkutsk", "abuse_procedure"): own}, corrections.latest(store)["irkutsk-2"]
    )
    assert people["irkutsk", "abuse_procedure"] == own


def test_a_copy_of_an_earlier_version_is_corrected_too(site: Settings, store: AppDatabase, anna: Account) -> None:
    corrections.add(store, anna, KYIV, "topic", "debt", "balance", seen=0)
    record = corrections.latest(store)["kyiv-1"]
    older = resolved_corrections.of_call({"call_id": "kyiv-1", "topic": "balance", "client_type": "rude"}, record)
    assert (older["topic"], older["machine_topic"], older["topic_judge"], older["client_type_judge"]) == (
        "debt",
        "balance",
        "human",
        "machine",
    )


def test_without_a_correction_nothing_is_written(site: Settings) -> None:
    open_store(site)
    before = site.warehouse.stat().st_mtime_ns
    assert sync.copy_to_warehouse(site) == 0 and site.warehouse.stat().st_mtime_ns == before
    assert seen(site, "select distinct topic_judge, client_type_judge from calls") == [("machine", "machine")]
