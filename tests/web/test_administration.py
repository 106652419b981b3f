"""Account administration: limited to the administrator's own centres and access; the audit log has old and new values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipelines.app_db import accounts, administration, audit
from pipelines.app_db.accounts import AccountError
from pipelines.app_db.administration import AccountFields
from pipelines.i18n.wording import LANGUAGES, wording
from tests.web.people import PASSWORD, People, Person


@pytest.fixture(scope="module")
def reach(judging: People) -> People:
    """A site with administrators of one centre and accounts in and out of their reach."""
    for name, role, centres, hears in (
        ("local", "administrator", ["kyiv"], False), ("local-hears", "administrator", ["kyiv"], True), ("near", "trainer", ["kyiv"], False),
        ("far", "trainer", ["irkutsk"], False), ("wide", "trainer", ["kyiv", "irkutsk"], False), ("listener", "manager", ["kyiv"], True),
    ):  # fmt: skip
        accounts.add(judging.store, name, role, PASSWORD, centres, hears_personal_data=hears)
    return judging


def page_of(reach: People, name: str) -> str:
    return f"/accounts/{accounts.named(reach.store, name).account_id}"


def form_of(reach: People, name: str, **changed: Any) -> dict[str, Any]:
    """The form of an account as its page shows it, with what is changed."""
    one = accounts.named(reach.store, name)
    form = {
        "role": one.role,
        "centre": sorted(one.centres),
        "operator_id": one.operator_id or "",
        "is_active": "1" if one.is_active else "",
    }
    return form | {"hears_personal_data": "1" if one.hears_personal_data else ""} | changed


def edited(reach: People, who: Person, name: str, **changed: Any) -> Any:
    return who.send(page_of(reach, name), "/accounts", **form_of(reach, name, **changed))


def notes(reach: People, most: int = 1) -> list[tuple[str, str, str | None]]:
    rows = reach.store.rows("select action, subject, centre_id from audit where outcome = 'done' order by audit_id desc limit ?", most)
    return [(row["action"], row["subject"], row["centre_id"]) for row in rows]


def test_an_administrator_sees_only_accounts_whose_centres_are_all_their_own(reach: People) -> None:
    local = reach.person("local")
    listed = local.get("/accounts").text
    assert ">near<" in listed and ">local-hears<" in listed
    for name in ("far", "wide", "admin", "manager"):
        assert f">{name}<" not in listed
        assert local.get(page_of(reach, name)).status_code == 404, name
        before = accounts.named(reach.store, name)
        for form in (
            form_of(reach, name, is_active=""),
            form_of(reach, name, centre="kyiv"),
            form_of(reach, name, role="operator", operator_id="op-1"),
            {"new_password": "1"},
        ):
            assert local.send(page_of(reach, name), "/accounts", **form).status_code == 404, name
            assert reach.last_note()["outcome"] == "refused" and reach.last_note()["account_name"] == "local"
        assert accounts.named(reach.store, name) == before
        reach.person(name)  # the password is the one it was
    assert 'value="*"' not in listed and 'value="irkutsk"' not in listed


def test_nobody_becomes_more_than_they_are_nor_makes_anybody_more(reach: People) -> None:
    refused = {"account_name": "local", "outcome": "refused", "centre_id": None}
    local = reach.person("local")
    for name in ("local", "near"):
        before = accounts.named(reach.store, name)
        for changed in ({"centre": "*"}, {"centre": ["kyiv", "irkutsk"]}, {"centre": "irkutsk"}, {"hears_personal_data": "1"}):
            answer = edited(reach, local, name, **changed)
            assert answer.status_code == 403 and 'role="alert"' in answer.text, changed
            assert reach.last_note() | {"centre_id": None} == refused | {"action": "account_changed", "subject": name}
        assert accounts.named(reach.store, name) == before
    for fields in ({"centre": "*"}, {"centre": ["kyiv", "irkutsk"]}, {"centre": "kyiv", "hears_personal_data": "1"}):
        answer = local.send("/accounts", "/accounts", name="puppet", role="administrator", **fields)
        assert answer.status_code == 403 and 'role="alert"' in answer.text, fields
        assert reach.last_note() | {"centre_id": None} == refused | {"action": "account_added", "subject": "puppet"}
    with pytest.raises(accounts.MisconfiguredError):
        accounts.named(reach.store, "puppet")


def test_a_password_opens_no_more_than_the_administrator_has(reach: People) -> None:
    answer = reach.person("local").send(page_of(reach, "listener"), "/accounts", new_password="1")
    assert answer.status_code == 403 and "<code>" not in answer.text and reach.last_note()["outcome"] == "refused"
    reach.person("listener")
    assert "<code>" in reach.person("local-hears").send(page_of(reach, "listener"), "/accounts", new_password="1").text
    accounts.set_password(reach.store, accounts.named(reach.store, "listener"), PASSWORD)


def test_what_is_within_reach_is_changed_and_the_audit_says_from_what_to_what(reach: People) -> None:
    local = reach.person("local-hears")
    assert edited(reach, local, "near", role="manager", hears_personal_data="1").status_code == 303
    assert notes(reach, 2) == [("account_unmasked_given", "near", "kyiv"), ("account_role_changed", "near: trainer → manager", "kyiv")]
    assert edited(reach, local, "near", role="operator", operator_id="op-1", hears_personal_data="").status_code == 303
    assert notes(reach, 3)[::-1] == [
        ("account_role_changed", "near: manager → operator", "kyiv"),
        ("account_operator_changed", "near: – → op-1", "kyiv"),
        ("account_unmasked_withdrawn", "near", "kyiv"),
    ]
    assert edited(reach, local, "near", operator_id="op-2").status_code == 303
    assert notes(reach) == [("account_operator_changed", "near: op-1 → op-2", "kyiv")]
    person = reach.person("near")
    assert edited(reach, local, "near", is_active="").status_code == 303 and person.get("/me").status_code == 303
    assert notes(reach) == [("account_closed", "near", "kyiv")]
    assert edited(reach, local, "near", is_active="1", role="trainer").status_code == 303
    assert notes(reach, 3)[::-1] == [
        ("account_role_changed", "near: operator → trainer", "kyiv"),
        ("account_operator_changed", "near: op-2 → –", "kyiv"),
        ("account_opened", "near", "kyiv"),
    ]
    admin = reach.person("admin")
    assert edited(reach, admin, "near", centre=["irkutsk", "odesa"]).status_code == 303
    assert notes(reach) == [("account_centres_changed", "near: kyiv → irkutsk, odesa", None)]
    assert edited(reach, admin, "near", centre="kyiv").status_code == 303
    assert "near: trainer → manager" in local.get("/audit").text  # who sees a centre sees what was done to its accounts


def test_who_lost_a_centre_meanwhile_changes_nothing_in_it(reach: People) -> None:
    actor, near = accounts.named(reach.store, "local"), accounts.named(reach.store, "near")
    administration.edit(reach.store, None, actor.account_id, replace(AccountFields.of(actor), centres=frozenset({"odesa"})))
    for change in (
        lambda: administration.edit(reach.store, actor, near.account_id, replace(AccountFields.of(near), is_active=False)),
        lambda: administration.reset_password(reach.store, actor, near.account_id, PASSWORD),
    ):
        with pytest.raises(AccountError, match="outside your own"):
            change()
    administration.edit(reach.store, None, actor.account_id, AccountFields.of(actor))


def test_the_last_administrator_stays_one(reach: People) -> None:
    others = [a for a in accounts.everybody(reach.store) if a.role == "administrator" and a.name != "admin"]
    for one in others:
        administration.edit(reach.store, None, one.account_id, replace(AccountFields.of(one), is_active=False))
    admin = reach.person("admin")
    for changed in ({"is_active": ""}, {"role": "manager"}):
        answer = edited(reach, admin, "admin", **changed)
        assert answer.status_code == 400 and "last administrator" in answer.text
    for one in others:
        administration.edit(reach.store, None, one.account_id, AccountFields.of(one))
    assert accounts.named(reach.store, "admin").role == "administrator"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"role": "king"}, "Choose a role"), ({"role": ""}, "Choose a role"), ({"centre": "moon"}, "no centre “moon”"), ({"centre": []}, "at least one centre"),
        ({"role": "operator", "operator_id": ""}, "needs the operator ID"), ({"role": "operator", "operator_id": "op-1", "centre": "*"}, "choose the centre"),
        ({"name": "a b"}, "2 to 64 letters"), ({"name": "x" * 65}, "2 to 64 letters"), ({"name": "manager"}, "already"),
    ],
)  # fmt: skip
def test_a_form_that_does_not_fit_comes_back_as_it_was_filled_in(reach: People, wrong: dict[str, Any], said: str) -> None:
    form = {"name": "new.person", "role": "analyst", "centre": ["kyiv"], "operator_id": "op-7"} | wrong
    answer = reach.person("admin").send("/accounts", "/accounts", **form)
    assert answer.status_code == 400 and said in answer.text
    assert f'value="{form["name"]}"' in answer.text and f'value="{form["operator_id"]}"' in answer.text
    if form["role"] in accounts.ROLES:
        assert f'<option value="{form["role"]}" selected>' in answer.text
    if form["centre"] == ["kyiv"]:
        assert 'value="kyiv" checked' in answer.text
    page = page_of(reach, "near")
    if "name" not in wrong:
        again = reach.person("admin").send(page, "/accounts", **form_of(reach, "near") | wrong)
        assert again.status_code == 400 and said in again.text


def test_every_action_of_the_audit_has_a_name_in_every_language_and_a_filter() -> None:
    for language in LANGUAGES:
        names = [wording(language).label("audit_actions", action) for action in audit.ACTIONS]
        assert len(set(names)) == len(names) and not [name for name in names if "_" in name]
        assert language == "en" or not [
            action for action, name in zip(audit.ACTIONS, names, strict=True) if name == action.replace("_", " ")
        ]


def test_the_audit_tells_recordings_with_personal_data_from_beeped_ones(people: People) -> None:
    for name, action in (("manager", "heard"), ("whole", "heard_unmasked")):
        person = people.person(name)
        for _ in range(2):
            assert person.get("/sound/kyiv-2").status_code == 200
        where = "account_name = ? and subject = 'kyiv-2' and outcome = 'done' and action like 'heard%'"
        found = people.store.rows(f"select distinct action from audit where {where}", name)
        assert [row["action"] for row in found] == [action]
    shown = people.person("admin").get("/audit?action=heard_unmasked").text
    assert "listened to a recording with personal data</td>" in shown and "listened to a recording</td>" not in shown
