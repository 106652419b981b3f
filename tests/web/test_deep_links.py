"""Deep links lead to their page: through signing in, a wrong password, another language, and with any call id."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import quote

import pytest
from argon2 import PasswordHasher
from fastapi.testclient import TestClient

from pipelines.app_db import accounts
from pipelines.core.settings import Settings
from pipelines.web.app import make_app
from tests.web.made_calls import Made, load_and_publish
from tests.web.people import HOST, PASSWORD, People, Person, title_of, token_of
from tests.web.served import served

IDS = [
    "a/b", "a//b", "/lead", "trail/", "a/../b", "../up", "...", ".a", "50%", "%2e%2e", "a%2Fb", "q?x=1&y=2", "h#turn-1", "back\\slash", "pl+us sp ace",
    "semi;colon,", "дзвінок №7", "y" * 200, "ж" * 200, "🎧" * 200,
]  # fmt: skip


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, People]]:
    """A site of calls with odd ids."""
    settings = Settings.from_environment(warehouse=tmp_path_factory.mktemp("odd") / "odd.duckdb")
    lines = [("operator", "Добрий день."), ("client", "Добрий день.")]
    load_and_publish(
        settings,
        [Made(call_id, "kyiv", "uk", lines, operator_id=f"op {call_id[:90]}", verdicts=[("greeting", "pass", 1, "")]) for call_id in IDS],
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(accounts, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        app = make_app(settings, {HOST})
        accounts.add(app.state.site.store, "manager", "manager", PASSWORD, ["kyiv"])
        with TestClient(app):
            people = People(app)
            people.show_results("manager")
            yield settings, people


def next_of(page: str) -> str:
    found = re.search(r'name="next" value="([^"]*)"', page)
    assert found
    return unescape(found[1])


def test_every_call_opens_by_its_link_and_through_signing_in(odd: tuple[Settings, People]) -> None:
    settings, _ = odd
    with served(settings) as address:
        import httpx2

        with httpx2.Client(base_url=address, follow_redirects=True) as browser:
            for call_id in IDS:
                browser.cookies.clear()
                path = f"/calls/{quote(call_id, safe='')}"
                form = browser.get(path)
                fields = {"name": "manager", "password": PASSWORD, "next": next_of(form.text), "token": token_of(form.text)}
                opened = browser.post("/sign-in", data=fields)
                assert opened.status_code == 200 and opened.url.raw_path == path.encode(), call_id
                assert call_id in unescape(opened.text)
                links = {unescape(link) for link in re.findall(r'href="(/operators/[^"]+)"', opened.text)}
                links |= {f"/{page}/{quote(call_id, safe='')}" for page in ("evaluate", "compared", "peaks")}
                found = {link: browser.get(link).status_code for link in links}
                assert set(found.values()) == {200}, found
            listed = browser.get("/centres/kyiv/queue?kind=unsure").text + browser.get("/centres/kyiv").text
            assert {browser.get(unescape(link)).status_code for link in re.findall(r'href="(/calls/[^"#]+)', listed)} <= {200}


def test_the_language_is_changed_on_the_page_that_is_open(odd: tuple[Settings, People]) -> None:
    person = odd[1].person("manager")
    for path in (f"/calls/{quote('50%', safe='')}", f"/calls/{quote('q?x=1&y=2', safe='')}", "/centres/kyiv/queue?kind=sample"):
        back = re.search(r'name="back" value="([^"]*)"', person.get(path).text)
        assert back and unescape(back[1]) == path
        assert person.send("/me/language", language="hu", back=unescape(back[1])).headers["location"] == path
    accounts.set_language(odd[1].store, accounts.named(odd[1].store, "manager"), None)


def sent_from(stranger: Person, page: str, path: str = "/sign-in", **fields: str) -> str:
    """The page that follows when the form of a page is sent with a wrong password."""
    answer = stranger.send(path, token=token_of(page), next=next_of(page), **{"name": "manager", "password": "wrong password"} | fields)
    assert answer.status_code in (401, 429), answer.status_code
    return answer.text


def test_a_wrong_password_and_another_language_keep_the_page_that_was_asked_for(people: People) -> None:
    aim = "/calls/kyiv-2?at=12"
    stranger = people.stranger()
    page = stranger.get(stranger.get(aim).headers["location"]).text
    for _ in range(2):
        page = sent_from(stranger, page)
        assert next_of(page) == aim and 'value="manager"' in page
    link = re.search(r'<a href="([^"]*)" lang="uk"', page)
    assert link
    page = stranger.get(unescape(link[1])).text
    assert next_of(page) == aim and 'lang="uk"' in page
    page = sent_from(stranger, page, "/sign-in?language=uk")
    assert next_of(page) == aim and 'action="/sign-in?language=uk"' in page
    answer = stranger.send("/sign-in?language=uk", token=token_of(page), name="manager", password=PASSWORD, next=next_of(page))
    assert answer.headers["location"] == aim
    accounts.set_language(people.store, accounts.named(people.store, "manager"), None)


def test_having_to_wait_keeps_the_page_that_was_asked_for(people: People) -> None:
    stranger = people.stranger()
    page = stranger.get("/sign-in?next=%2Faudit").text
    for _ in range(11):
        page = sent_from(stranger, page, name="nobody.there")
    assert "Too many attempts" in page and next_of(page) == "/audit"
    with people.store.writing() as db:
        db.execute("delete from sign_in_attempts")


@pytest.mark.parametrize("aim", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/" + "x" * 5000])
def test_retries_lead_to_no_other_site(people: People, aim: str) -> None:
    stranger = people.stranger()
    page = stranger.get("/sign-in").text
    answer = stranger.send("/sign-in", token=token_of(page), name="manager", password="wrong password", next=aim)
    assert answer.status_code == 401 and next_of(answer.text) == "" and "evil" not in answer.text
    with people.store.writing() as db:
        db.execute("delete from sign_in_attempts")


def test_a_form_from_before_another_sign_in_is_displayed_again_with_its_aim(people: People) -> None:
    stranger = people.stranger()
    old = stranger.get("/sign-in?next=%2Faudit").text
    first = stranger.send("/sign-in", token=token_of(old), name="manager", password=PASSWORD, next="")
    assert first.status_code == 303
    again = stranger.send("/sign-in", token=token_of(old), name="manager", password=PASSWORD, next=next_of(old))
    assert again.status_code == 403 and title_of(again) == "Sign in" and next_of(again.text) == "/audit"
    done = stranger.send("/sign-in", token=token_of(again.text), name="manager", password=PASSWORD, next=next_of(again.text))
    assert done.headers["location"] == "/audit"


def test_cookies_are_deleted_as_they_were_set(people: People) -> None:
    """A browser keeps a cookie when the deletion names another path."""
    person = people.stranger()
    person.get("/sign-in")
    assert "callgrade_form" in person.client.cookies
    answer = person.send("/sign-in", "/sign-in", name="manager", password=PASSWORD)
    assert "callgrade_form" not in person.client.cookies
    left = person.send("/sign-out", "/me")
    assert "callgrade" not in person.client.cookies
    for cookie in (*answer.headers.get_list("set-cookie"), *left.headers.get_list("set-cookie")):
        assert "HttpOnly" in cookie and "SameSite=" in cookie and "Path=/" in cookie, cookie
    over_https = TestClient(
        make_app(people.app.state.site.settings, {HOST}, is_https=True), base_url=f"https://{HOST}", follow_redirects=False
    )
    page = over_https.get("/sign-in").text
    fields = {"name": "manager", "password": PASSWORD, "token": token_of(page)}
    cookies = over_https.post("/sign-in", data=fields).headers.get_list("set-cookie")
    assert len(cookies) == 3 and all("Secure" in cookie and "HttpOnly" in cookie for cookie in cookies), cookies
