"""The read API: tokens, centres and rights, paging, filters, problems, and its own OpenAPI document."""

from __future__ import annotations

import re
from typing import Any

import duckdb
import httpx2
import jsonschema
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.app_db import accounts, api_tokens
from pipelines.app_db.rate_limit import Limits, Rate
from pipelines.core.published import Published
from pipelines.queries.read_api import Query, read_page
from pipelines.web.app import make_app
from tests.web.people import HOST, People

BOTH = ("see_calls", "see_numbers")
LISTS = ("calls", "verdicts", "findings", "scorecards/operators", "scorecards/centres", "criterion-days")


def secret_of(people: People, centres: tuple[str, ...] = ("*",), rights: tuple[str, ...] = BOTH) -> str:
    return api_tokens.create(people.store, accounts.named(people.store, "admin"), "test", centres, rights, 30)[1]


def get(people: People, path: str, secret: str | None = None, **params: Any) -> httpx2.Response:
    headers = {"authorization": f"Bearer {secret}"} if secret else {}
    return TestClient(people.app, base_url=f"http://{HOST}").get(f"/api/v1/{path}", headers=headers, params=params)


def everything(people: People, path: str, secret: str, **params: Any) -> list[dict[str, Any]]:
    rows, cursor = [], None
    while True:
        answer = get(people, path, secret, **params, **({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        rows += answer.json()["data"]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return rows


@pytest.mark.parametrize("path", LISTS)
def test_small_pages_give_the_rows_of_a_large_one(people: People, path: str) -> None:
    secret = secret_of(people)
    large = everything(people, path, secret, limit=500)
    assert large
    some = everything(people, path, secret, limit=max(1, len(large) // 7))
    assert some == large


@pytest.mark.parametrize("path", ["centres", *LISTS])
def test_a_token_sees_its_centres_only(people: People, path: str) -> None:
    rows = get(people, path, secret_of(people, ("kyiv",))).json()["data"]
    assert {row["centre_id"] for row in rows} == {"kyiv"}


def test_another_centre_is_refused(people: People) -> None:
    answer = get(people, "calls", secret_of(people, ("kyiv",)), centre="odesa")
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(("right", "path"), [("see_calls", "criterion-days"), ("see_numbers", "calls"), ("see_numbers", "verdicts")])
def test_a_right_that_the_token_lacks_is_refused(people: People, right: str, path: str) -> None:
    assert get(people, path, secret_of(people, rights=(right,))).status_code == 403


def test_no_token_and_a_cookie_do_not_give_access(people: People) -> None:
    assert get(people, "calls").status_code == 401
    assert get(people, "calls", "callgrade_wrong").status_code == 401
    assert people.person("admin").get("/api/v1/calls").status_code == 401


def test_filters(people: People) -> None:
    secret = secret_of(people)
    day = everything(people, "calls", secret, centre="kyiv")[0]["started_local"][:10]
    rows = everything(people, "calls", secret, first_day=day, last_day=day)
    assert rows and {row["started_local"][:10] for row in rows} == {day}
    call_id = everything(people, "verdicts", secret)[0]["call_id"]
    assert {row["call_id"] for row in everything(people, "verdicts", secret, call_id=call_id)} == {call_id}
    assert {row["period"] for row in everything(people, "scorecards/operators", secret, period="month")} == {"month"}


def test_a_cursor_of_another_query_or_a_changed_one_is_refused(people: People) -> None:
    secret = secret_of(people)
    cursor = get(people, "calls", secret, limit=1).json()["next_cursor"]
    assert get(people, "verdicts", secret, cursor=cursor).status_code == 422
    assert get(people, "calls", secret, centre="kyiv", cursor=cursor).status_code == 422
    assert get(people, "calls", secret_of(people, ("kyiv",)), cursor=cursor).status_code == 422
    assert get(people, "calls", secret, cursor=cursor[:-4] + "AAAA").status_code == 422


def test_an_administrator_creates_and_revokes_a_token(people: People) -> None:
    admin = people.person("admin")
    answer = admin.send("/api-tokens", "/api-tokens", name="Dashboard", centre="kyiv", right="see_calls", valid_days="30")
    secret = re.search(r"<code>(callgrade_[\w-]+)</code>", answer.text)
    assert secret and people.last_note()["action"] == "api_token_created"
    assert get(people, "calls", secret[1]).status_code == 200
    assert secret[1] not in admin.get("/api-tokens").text
    assert not people.store.rows("select 1 from api_tokens where token_hash = ?", secret[1])
    token_id = api_tokens.manageable(people.store, accounts.named(people.store, "admin"))[0].token_id
    assert admin.send(f"/api-tokens/{token_id}/revoke").status_code == 303
    assert people.last_note()["action"] == "api_token_revoked"
    assert get(people, "calls", secret[1]).status_code == 401


@pytest.mark.parametrize("name", ["manager", "analyst", "op-1"])
def test_others_create_no_tokens(people: People, name: str) -> None:
    answer = people.person(name).send("/api-tokens", name="x", centre="kyiv", right="see_calls", valid_days="30")
    assert answer.status_code == 403


def test_a_token_without_centre_is_refused_with_a_reason(people: People) -> None:
    answer = people.person("admin").send("/api-tokens", "/api-tokens", name="x", right="see_calls", valid_days="30")
    assert answer.status_code == 400
    assert "Choose at least one centre" in answer.text


def test_an_expired_token_gives_no_access(people: People) -> None:
    secret = secret_of(people)
    with people.store.writing() as db:
        db.execute("update api_tokens set expires_at = created_at where token_id = (select max(token_id) from api_tokens)")
    assert get(people, "calls", secret).status_code == 401


def test_a_token_of_a_closed_account_gives_no_access(people: People) -> None:
    secret = secret_of(people)
    creator = people.store.rows("select created_by from api_tokens order by token_id desc limit 1")[0]["created_by"]
    for is_active, status in ((0, 401), (1, 200)):
        with people.store.writing() as db:
            db.execute("update accounts set is_active = ? where account_id = ?", [is_active, creator])
        assert get(people, "calls", secret).status_code == status


def test_requests_of_a_token_are_limited(people: People) -> None:
    app = make_app(people.app.state.site.settings, {HOST}, limits=Limits(api=Rate(burst=2, per_s=0.001)))
    limited = People(app)
    secret = secret_of(limited)
    answers = [get(limited, "centres", secret) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[2].headers["retry-after"]) > 0


VALUES = st.one_of(
    st.text(max_size=40), st.integers().map(str), st.dates().map(str), st.sampled_from(["kyiv", "day", "1", "0", "501", "'", "%00"])
)


def test_every_answer_fits_the_openapi_document(people: People) -> None:
    """What schemathesis would do: generated requests to every operation; each answer has a documented status and fits its schema."""
    document = get(people, "openapi.json").json()
    secret = secret_of(people, ("kyiv", "irkutsk"))
    operations = [(path, item["get"]) for path, item in document["paths"].items()]
    assert len(operations) == 7
    names = sorted({p["name"] for _, operation in operations for p in operation.get("parameters", [])})

    @given(st.sampled_from(operations), st.dictionaries(st.sampled_from([*names, "unknown"]), VALUES, max_size=4), st.booleans())
    @settings(max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def check(operation: tuple[str, Any], params: dict[str, str], has_token: bool) -> None:
        path, described = operation
        answer = get(people, path.lstrip("/"), secret if has_token else None, **params)
        assert str(answer.status_code) in described["responses"], answer.text
        content = described["responses"][str(answer.status_code)]["content"]
        kind = answer.headers["content-type"].split(";")[0]
        jsonschema.validate(answer.json(), content[kind]["schema"] | {"components": document["components"]})

    check()


def test_texts_of_a_call_that_was_stored_unmasked_are_withheld() -> None:
    with duckdb.connect() as db:
        db.execute("create table calls as select * from (values ('a', 'redacted'), ('b', 'raw'), ('c', null)) as v (call_id, text_kept)")
        db.execute("alter table calls add column centre_id text default 'kyiv'")
        db.execute("create table findings as select call_id, 1 as finding_no, 0.0 as start_s, 'words' as quote from calls")
        page = read_page(Published(db), b"secret", Query("findings", frozenset({"kyiv"})), ["call_id", "quote"], 10, None)
    assert [(row["call_id"], row["quote"]) for row in page.rows] == [("a", "words"), ("b", None), ("c", None)]


def test_masked_texts_are_served(people: People) -> None:
    assert any(row["quote"] for row in everything(people, "verdicts", secret_of(people)))


def test_a_call_that_arrives_between_two_pages_moves_no_row() -> None:
    with duckdb.connect() as db:
        db.execute("create table calls as select 'call-' || i as call_id, 'kyiv' as centre_id from range(1, 7) as t (i)")
        query = Query("calls", frozenset({"*"}))
        first = read_page(Published(db), b"secret", query, ["call_id"], 3, None)
        db.execute("insert into calls values ('call-0', 'kyiv'), ('call-2a', 'kyiv')")
        second = read_page(Published(db), b"secret", query, ["call_id"], 3, first.next_cursor)
    assert [row["call_id"] for row in first.rows + second.rows] == [f"call-{i}" for i in range(1, 7)]
