"""Accounts and packs belong to existing operators: ids are offered, unknown ones refused with the nearest, and correctable."""

from __future__ import annotations

import io
import re
import shutil
from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.app_db import accounts, database, operator_ids
from pipelines.core.settings import Settings
from tests.web.people import PASSWORD, People


def test_the_form_offers_the_operators_of_ones_centres(judging: People) -> None:
    page = judging.person("admin").get("/accounts").text
    offered = re.search(r'<datalist id="operator-ids">(.*?)</datalist>', page, re.S)
    assert offered and 'list="operator-ids"' in page
    assert '<option value="op-1" label="op-1 (op-1) · ' in offered[1]  # its id, the name of its account, its centres
    accounts.add(judging.store, "of-odesa", "administrator", PASSWORD, ["odesa"])
    assert 'value="op-1"' not in judging.person("of-odesa").get("/accounts").text.replace('"op-1" label="op-1 · odesa"', "")


def test_an_account_for_an_operator_in_no_call_needs_to_be_confirmed(judging: People) -> None:
    admin = judging.person("admin")
    form = {"name": "typo", "role": "operator", "centre": "kyiv"}
    for typed, near in (("0p-1", "op-1"), ("OP-2", "op-2"), ("op-1 ", None), ("nobody at all", "")):
        answer = admin.send("/accounts", "/accounts", operator_id=typed, **form)
        if near is None:  # spaces around an id are no part of it
            assert answer.status_code == 200
            continue
        assert answer.status_code == 400 and f"No calls of operator “{typed}” found in kyiv" in answer.text
        assert (f"Did you mean {near}" in answer.text) is bool(near) and f'value="{typed}"' in answer.text
    made = admin.send("/accounts", "/accounts", **form | {"name": "newcomer"}, operator_id="op-900", new_operator="1")
    assert made.status_code == 200 and accounts.named(judging.store, "newcomer").operator_id == "op-900"


def test_a_wrong_operator_id_is_corrected_on_the_page_of_the_account(judging: People) -> None:
    admin = judging.person("admin")
    accounts.add(judging.store, "swapped", "operator", PASSWORD, ["kyiv"], "op-77")
    page = f"/accounts/{accounts.named(judging.store, 'swapped').account_id}"
    assert 'value="op-77"' in admin.get(page).text
    form = {"role": "operator", "centre": "kyiv", "is_active": "1"}
    assert admin.send(page, "/accounts", operator_id="op-77", **form).status_code == 303  # what it has already is not asked again
    assert admin.send(page, "/accounts", operator_id="op-78", **form).status_code == 400
    assert admin.send(page, "/accounts", operator_id="op-77", **form | {"centre": ["kyiv", "irkutsk"]}).status_code == 400
    assert admin.send(page, "/accounts", operator_id="op-1", **form).status_code == 303
    assert judging.last_note()["subject"] == "swapped: op-77 → op-1"
    assert "swapped" in judging.person("swapped").get("/me").text and accounts.named(judging.store, "swapped").operator_id == "op-1"


def test_a_pack_is_made_for_an_operator_who_is_there(judging: People) -> None:
    trainer = judging.person("trainer")
    pack = trainer.send("/trainer/packs", title="For one", centre="kyiv").headers["location"]
    assert 'list="operator-ids"' in trainer.get(pack).text
    form = {"title": "A new title", "notes": "Notes that took an hour", "until": "2030-01-01"}
    refused = trainer.send(pack, operator="op-11", **form)
    assert refused.status_code == 400 and "Did you mean op-1" in refused.text
    for kept in ('value="A new title"', "Notes that took an hour</textarea>", 'value="op-11"', '<details class="after" open>'):
        assert kept in refused.text, kept
    assert "A new title</h1>" not in trainer.get(pack).text
    assert trainer.send(pack, operator="op-1", **form).status_code == 303
    accounts.add(judging.store, "first-day", "operator", PASSWORD, ["kyiv"], "op-901")
    assert trainer.send(pack, operator="op-901", **form).status_code == 303  # has an account and no call yet
    accounts.add(judging.store, "elsewhere", "operator", PASSWORD, ["irkutsk"], "op-902")
    assert trainer.send(pack, operator="op-902", **form).status_code == 400
    with judging.store.writing() as db:
        db.execute("update packs set operator_id = 'op-old' where pack_id = ?", [pack.rsplit("/", 1)[1]])
    assert trainer.send(pack, operator="op-old", **form).status_code == 303  # the calls may be forgotten by now
    assert trainer.send(pack, operator="", **form).status_code == 303


@pytest.fixture
def published(judged: Settings, tmp_path: Path) -> Settings:
    """A published site of its own."""
    settings = Settings.from_environment(warehouse=tmp_path / "judged.duckdb")
    shutil.copytree(judged.site, settings.site)
    shutil.copy(judged.warehouse, settings.warehouse)
    return settings


def test_the_command_names_what_is_nearest_and_corrects_accounts(
    published: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(*words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
        status = main(["accounts", *words, "--warehouse", str(published.warehouse)])
        said = capsys.readouterr()
        return status, said.out + said.err

    add = ("add", "anna", "--role", "operator", "--centre", "kyiv", "--operator-id")
    status, said = command(*add, "Op-l")
    assert status == 2 and "'Op-l'" in said and "Did you mean op-" in said and "--new-operator" in said
    status, said = command("add", "anna", "--role", "trainer", "--centre", "kyvi")
    assert status == 2 and "The centre 'kyvi' is not known. Did you mean kyiv?" in said
    assert command(*add, "op-500", "--new-operator")[0] == 0
    assert command("edit", "anna", "--operator-id", "op-501")[0] == 2
    status, said = command("edit", "anna", "--operator-id", "op-1")
    assert status == 0 and "anna: op-500 → op-1" in said, said
    status, said = command("edit", "anna", "--role", "manager", "--centre", "kyiv", "--centre", "odesa", "--hears-personal-data")
    assert status == 0 and "anna: operator → manager" in said and "anna: kyiv → kyiv, odesa" in said
    found = accounts.named(database.open_store(published), "anna")
    assert (found.role, found.centres, found.operator_id, found.hears_personal_data) == ("manager", {"kyiv", "odesa"}, None, True)
    assert "already has these values" in command("edit", "anna", "--hears-personal-data")[1]
    assert command("edit", "anna", "--no-hears-personal-data")[0] == 0
    assert not accounts.named(database.open_store(published), "anna").hears_personal_data
    kept = database.open_store(published).rows("select subject from audit where action like 'account_%' order by audit_id")
    assert "anna: operator → manager" in [row["subject"] for row in kept]


def test_the_nearest_ids_come_first_and_in_their_own_spelling() -> None:
    assert operator_ids.nearest("OP-17", ["op-01", "Op-17", "op-170", "x"]) == ["Op-17", "op-170", "op-01"]
    assert operator_ids.nearest("", ["op-1"]) == []
