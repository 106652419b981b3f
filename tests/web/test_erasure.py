"""An erased client is removed from everything at once, whatever people did with the calls before, and whatever happens afterwards."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from argon2 import PasswordHasher
from fastapi.testclient import TestClient

from pipelines import flow, warehouse
from pipelines.app_db import accounts
from pipelines.app_db.database import AppDatabase, open_store
from pipelines.coaching import call_sound, packs
from pipelines.core.records import Turn
from pipelines.core.settings import Settings
from pipelines.reports import static_pages
from pipelines.reviews import regression_cases
from pipelines.warehouse import publishing, rewriting
from pipelines.web.app import make_app
from tests.remains import holding
from tests.staged import change, rows
from tests.web.made_calls import Made, cut_clips, load_and_publish, record, some_calls
from tests.web.people import ACCOUNTS, HOST, PASSWORD, People
from tests.web.test_trainer import moment_ids, new_pack

CALL, CLIENT = "kyiv-7741", "client-88102"
SAID, TYPED, PERSONAL = "аксолотль", "зюзюка", "8123456"
WORDS = (CALL, CLIENT, SAID, TYPED, PERSONAL, CALL.upper())


class Erased(Made):
    """The call that is erased; what the client dictated is kept readable (`--keep-text raw`)."""

    def turns(self) -> list[Turn]:
        return [
            replace(t, tokens=tuple(replace(o, raw=PERSONAL) if o.text == "[ACCOUNT]" else o for o in t.tokens)) for t in super().turns()
        ]


def erased_call() -> Erased:
    return Erased(
        CALL, "kyiv", "uk", [
            ("operator", f"Доброго дня, {SAID} слухає вас."),
            ("client", f"Мій {SAID} не працює, рахунок [ACCOUNT]"),
            ("operator", "Дякую, перевіримо."),
        ], client_ref=CLIENT, acts=[(1, "Доброго дня,", "greeting")], abuse=[(2, f"{SAID} не працює,", "insult")],
        verdicts=[("greeting", "pass", 1, ""), ("farewell", "fail", None, ""), ("company_named", "fail", None, ""), ("solution_given", "pass", 3, "")],
    )  # fmt: skip


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A published site whose people disputed, evaluated, heard, collected and exported the call; to be copied."""
    settings = Settings.from_environment(warehouse=tmp_path_factory.mktemp("used") / "site.duckdb", keep_text="raw")
    calls = [*(one for one in some_calls() if one.centre_id in ("kyiv", "irkutsk")), erased_call()]
    sounds = settings.warehouse.parent / "recordings"
    recordings = {one.call_id: record(one, sounds) for one in calls}
    load_and_publish(settings, calls, recordings=sounds)
    cut_clips(settings, recordings)
    warehouse.publish(settings)
    static_pages.publish_pages(settings)
    with application(settings) as people:
        work_on_the_call(people)
    note_the_call(settings)
    shutil.rmtree(sounds)  # recordings are their keeper's to remove
    return settings


@contextmanager
def application(settings: Settings) -> Iterator[People]:
    """The web application of a site as a server that runs, with all accounts."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(accounts, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        people = People(make_app(settings, {HOST}))
        known = {account.name for account in accounts.everybody(people.store)}
        for name, (role, centres, operator_id) in ACCOUNTS.items():
            if name not in known:
                accounts.add(people.store, name, role, PASSWORD, centres, operator_id)
        with TestClient(people.app):
            yield people


def work_on_the_call(people: People) -> None:
    reason = f"{TYPED}: the operator said good-bye."
    operator, manager, trainer = (people.person(name) for name in ("op-1", "manager", "trainer"))
    assert operator.send("/dispute", call_id=CALL, criterion_id="farewell", reason=reason).status_code == 303
    filled = manager.send("/evaluate", call_id=CALL, verdict_company_named="pass", turn_company_named="1", note_company_named=TYPED)
    assert filled.status_code == 303
    draft = people.person("whole").send("/evaluate/draft", call_id=CALL, verdict_greeting="fail", note_greeting=f"{TYPED} {PERSONAL}")
    assert draft.status_code == 200 and PERSONAL not in str(people.store.rows("select * from evaluation_drafts"))
    assert manager.get(f"/calls/{CALL}").status_code == 200
    finding = re.search(r'name="finding" value="(abuse [^"]*)"', manager.get(f"/calls/{CALL}").text)
    assert finding
    for kind, value in (("topic", "debt"), ("finding", "refuted")):
        answer = manager.send("/corrections", call_id=CALL, kind=kind, value=value, seen="0", finding=finding[1])
        assert answer.status_code == 303
    assert SAID in str(people.store.rows("select * from corrections"))
    dispute = people.store.rows("select dispute_id from disputes")[0]["dispute_id"]
    decided = manager.send(f"/disputes/{dispute}", decision="uphold", verdict="pass", turn="3", quote="Дякую", reason=reason)
    assert decided.status_code == 303
    path = new_pack(trainer, f"turn:2:{CALL}", "criterion:solution_given:kyiv-1", title=TYPED)
    alone = new_pack(trainer, f"criterion:greeting:{CALL}", title=TYPED)
    for pack in (path, alone):
        trainer.send(pack, title=TYPED, notes=TYPED)
        for moment in moment_ids(trainer.get(pack)):
            of_call = people.store.rows("select call_id from pack_moments where moment_id = ?", moment)[0]["call_id"]
            trainer.send(f"{pack}/moments/{moment}", notes=TYPED if of_call == CALL else "Гарно", kind="to_improve")
            assert trainer.get(f"{pack}/sound/{moment}").status_code == 200
        assert trainer.get(f"{pack}/export.zip").status_code == 200
    assert manager.get(f"/sound/{CALL}").status_code == 200
    assert manager.get(f"/calls/{CALL}/sound").status_code == 404
    assert manager.get(f"/care/threats/{CALL}").status_code == 404
    assert operator.get(f"/evaluate/{CALL}").status_code == 403
    assert trainer.send("/trainer/packs", moment=f"turn:999:{CALL}").status_code == 404


def note_the_call(settings: Settings) -> None:
    """What commands and the Dags leave beside the warehouse."""
    regression_cases.write_new(settings, settings.site / "cases")
    (settings.site / "regrade.part").write_text(CALL, encoding="utf-8")  # of a run that was killed
    (settings.site / "regrade.md").write_text(f"| {CALL} | fail → pass |", encoding="utf-8")
    measured = [{"call_id": CALL, "words": 9}, {"call_id": "kyiv-1", "words": 8}]
    (settings.site / "measures.json").write_text(json.dumps(measured), encoding="utf-8")
    people = open_store(settings)
    with people.writing() as db:
        for alert_id, ids in (("alone", [CALL]), ("both", [CALL, "kyiv-1"])):
            body = json.dumps({"kind": "threat", "centre_id": "kyiv", "count": len(ids), "call_ids": ids})
            db.execute(
                "insert into alerts (alert_id, rule_id, channel, centre_id, made_at, body) values (?, 'r', ?, 'kyiv', 0, ?)",
                [alert_id, alert_id, body],
            )
            db.executemany("insert into alerted_calls values ('r', ?, ?, ?)", [(alert_id, one, alert_id) for one in ids])
        db.execute(
            "insert into alerts (alert_id, rule_id, channel, centre_id, made_at, body, sent_at) values ('sent', 'r', 'c', 'kyiv', 0, '', 1)"
        )
    with closing(sqlite3.connect(people.path)) as db:  # as an older version deleted: the bytes stay where they were
        db.execute("pragma secure_delete = off")
        db.executemany("insert into regression_cases values (?, 0, ?)", [(f"old-{n}", f"{SAID} {n}") for n in range(200)])
        db.execute("delete from regression_cases where case_id like 'old-%'")
        db.commit()
    killed = settings.stage / "made" / ".turns.parquet.abc.part"
    killed.write_text(SAID, encoding="utf-8")


@pytest.fixture
def site(used: Settings, tmp_path: Path) -> Settings:
    settings = used.with_(warehouse=tmp_path / "site.duckdb")
    shutil.copy(used.warehouse, settings.warehouse)
    shutil.copytree(used.site, settings.site)
    settings.snapshot.touch()
    return settings


def contents(settings: Settings) -> dict[str, str]:
    return {
        str(file.relative_to(settings.site)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in settings.site.rglob("*") if file.is_file() and file.name not in ("writer.lock", "people.sqlite3-shm", "people.sqlite3-wal")
    }  # fmt: skip


def others(settings: Settings) -> dict[str, Any]:
    """What people noted of other calls, and what the audit says."""
    people = open_store(settings)
    return {
        "moments": people.rows("select call_id, kind from pack_moments where call_id <> ?", CALL),
        "sounds": len([file for file in packs.folder(settings).rglob("*.ogg")]),
        "audit": people.rows("select audit_id, at, account_name, action, outcome, centre_id from audit order by audit_id"),
    }


def test_an_erased_client_is_gone_from_everything_at_once_while_the_server_runs_and_a_check_fails(site: Settings) -> None:
    change(site, "update core.verdicts set quote = 'до побачення' where call_id = 'kyiv-1'")  # which no check lets through
    before, remains = others(site), holding(site.warehouse.parent, WORDS)
    places = {place.split(" ")[-1] for place in remains}
    assert {
        "core.turns",
        "disputes",
        "dispute_decisions",
        "people_verdicts",
        "evaluation_drafts",
        "corrections",
        "listenings",
        "packs",
        "pack_moments",
        "audit",
        "alerts",
    } <= places
    assert {"intermediate.lexicon"} <= places or {"intermediate.lemma_index"} <= places
    with application(site) as people:
        manager = people.person("manager")
        assert manager.get(f"/calls/{CALL}").status_code == 200  # the server has the published copy open

        flow.erase_client(site, CLIENT)

        assert holding(site.warehouse.parent, WORDS) == {}
        assert manager.get(f"/calls/{CALL}").status_code == 404
        assert people.person("op-1").get("/calls/kyiv-1").status_code == 200
        with pytest.raises(publishing.ChecksFailedError):
            flow.publish(site, {})
    assert rows(site.snapshot, "select count(*) from calls") == [(4,)]
    after = others(site)
    assert after["moments"] == before["moments"]
    assert after["audit"][: len(before["audit"])] == before["audit"]
    assert after["sounds"] == before["sounds"] - 2
    people_store = open_store(site)
    assert [row["title"] for row in people_store.rows("select title from packs")] != []
    assert people_store.rows("select alert_id, json_extract(nullif(body, ''), '$.call_ids') as ids from alerts order by 1") == [
        {"alert_id": "both", "ids": '["kyiv-1"]'}, {"alert_id": "sent", "ids": None},
    ]  # fmt: skip


def test_a_second_run_finds_nothing_and_changes_nothing(site: Settings) -> None:
    flow.erase_client(site, CLIENT)
    before = contents(site)
    flow.erase_client(site, CLIENT)
    assert contents(site) == before


STOPPED = {
    "before the published copy": (rewriting, "write_anew"),
    "before the sounds": (call_sound, "remove"),
    "before the database": (AppDatabase, "writing"),
    "before its free pages": (AppDatabase, "purge"),
    "before the writer's file": (os, "replace"),
    "before the pages": (static_pages, "publish_pages"),
}


@pytest.mark.parametrize("where", STOPPED)
def test_a_run_that_was_killed_is_finished_by_the_next(site: Settings, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    owner, name = STOPPED[where]
    original = getattr(owner, name)

    def killed(*given: Any, **named: Any) -> Any:
        if owner is os and given[-1] != site.warehouse:
            return original(*given, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(owner, name, killed)
    with pytest.raises(KeyboardInterrupt):
        flow.erase_client(site, CLIENT)
    assert holding(site.warehouse.parent, WORDS) != {} or owner is static_pages
    monkeypatch.setattr(owner, name, original)
    flow.erase_client(site, CLIENT)
    assert holding(site.warehouse.parent, WORDS) == {}


def test_pages_that_cannot_be_written_anew_are_removed(site: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise ValueError("a template is wrong")

    before = others(site)
    monkeypatch.setattr(static_pages, "_centre_pages", failing)
    with pytest.raises(ValueError, match="a template is wrong"):
        flow.erase_client(site, CLIENT)
    assert holding(site.warehouse.parent, WORDS) == {}
    assert others(site)["sounds"] == before["sounds"] - 2
    assert len(list((site.site / "sound").glob("*.ogg"))) == 1  # of the other call in the pack


def test_a_published_copy_of_an_older_version_forgets_as_well(site: Settings) -> None:
    with duckdb.connect(str(site.snapshot)) as db:
        db.execute("alter table intermediate.calls add column of_an_older_version integer")
        db.execute("update core.migrations set sha256 = 'other' where name like '~%'")
    shown = rows(site.snapshot, "select * from operator_scorecards where centre_id = 'irkutsk' order by all")
    flow.erase_client(site, CLIENT)
    assert holding(site.warehouse.parent, WORDS) == {}
    assert rows(site.snapshot, "select * from operator_scorecards where centre_id = 'irkutsk' order by all") == shown


def test_calls_past_their_time_go_with_all_that_was_noted_of_them_but_cases_stay(site: Settings) -> None:
    change(site, f"update core.calls set started_at = '2020-01-01' where call_id = '{CALL}'")
    frozen = sorted((site.site / "cases").iterdir())
    assert frozen
    flow.forget_old(site.with_(retention_days=5 * 365))
    remains = holding(site.warehouse.parent, WORDS)
    assert {place.split(" ")[-1] for place in remains if " " in place} == {
        "regression_cases",
        "packs",
    }  # masked, and of a pack with other calls
    assert sorted((site.site / "cases").iterdir()) == frozen
    (pack,) = open_store(site).rows("select title, notes from packs")
    assert pack == {"title": TYPED, "notes": TYPED}


def test_what_was_noted_of_another_recording_with_the_same_id_stays(site: Settings) -> None:
    people = open_store(site)
    with people.writing() as db:
        for call_id in (f"{CALL}~0123abcd", "kyiv-1~0123abcd"):
            db.execute("insert into reviewed_calls values (?, 1, 0)", [call_id])
        db.execute("insert into reviewed_calls values ('kyiv-1', 1, 0)")
    change(site, "insert into core.forgotten select 'other', sha256('kyiv-1'), 'Forgotten on request', now()")
    flow.erase_client(site, CLIENT)  # and what an older version left is swept away
    assert people.rows("select call_id from reviewed_calls where call_id like 'kyiv-1%' or call_id like ?", f"{CALL}%") == [
        {"call_id": "kyiv-1"}
    ]
    assert people.rows("select 1 from pack_moments where call_id = 'kyiv-1'") != []


def test_the_audit_shows_who_opened_an_erased_call_and_not_which_it_was(site: Settings) -> None:
    people = open_store(site)
    entries = people.rows("select audit_id, action, subject from audit where subject like ?", f"%{CALL}%")
    assert {entry["subject"] for entry in entries} >= {CALL, f"{CALL} farewell", f"/evaluate/{CALL}", f"turn:999:{CALL}", f"{CALL}/sound"}
    flow.erase_client(site, CLIENT)
    after = {row["audit_id"]: row["subject"] for row in people.rows("select audit_id, subject from audit")}
    pseudonyms = {entry["subject"].replace(CALL, "?"): after[entry["audit_id"]] for entry in entries}
    name = pseudonyms["?"]
    assert re.fullmatch(r"forgotten:[0-9a-f]{16}", name)
    assert pseudonyms == {subject: subject.replace("?", name) for subject in pseudonyms}  # one call, one pseudonym
    with pytest.raises(sqlite3.IntegrityError, match="append only"), people.writing() as db:
        db.execute("update audit set subject = 'kyiv-2' where audit_id = 1")
    with pytest.raises(sqlite3.IntegrityError, match="append only"), people.writing() as db:
        db.execute("update audit set account_name = 'somebody', subject = 'forgotten:0'")


def test_fetched_recordings_and_batches_that_a_disk_cut_short_go_too(site: Settings) -> None:
    fetched = site.inbox / "2026" / "1.wav"
    fetched.parent.mkdir(parents=True)
    fetched.write_bytes(b"RIFF")
    kept = fetched.with_name("2.wav")
    kept.write_bytes(b"RIFF")
    change(site, f"update core.calls set recording = '{fetched}' where call_id = '{CALL}'")
    change(site, f"update core.calls set recording = '{kept}' where call_id = 'kyiv-1'")
    broken = site.stage / "broken"
    shutil.copytree(site.stage / "made", broken)
    os.truncate(broken / "calls.parquet", 20)
    flow.erase_client(site, CLIENT)
    assert not fetched.exists() and kept.exists()
    assert holding(site.warehouse.parent, WORDS) == {}
