"""Rate limits: a client that exceeds them is told so and slows down no other, and refusals that are only counted are not lost."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from html import unescape

import pytest
from fastapi.testclient import TestClient

from pipelines.app_db import accounts, audit
from pipelines.app_db.rate_limit import Limits, Rate, RateLimiter, client_key
from pipelines.app_db.refusals import MOST_ENTRIES, Refusals
from pipelines.coaching.call_sound import CallSounds
from pipelines.core.errors import MisconfiguredError, TransientError
from pipelines.core.settings import Settings
from pipelines.web.app import make_app
from pipelines.web.log_limit import RepeatFilter
from pipelines.web.request_limits import AnonymousLimit
from pipelines.web.routes import access
from pipelines.web.server import ListenAddress, bind
from tests.web.people import HOST, LIMITS, People, title_of

FEW = Rate(burst=3, per_s=1 / 3600)


def limited(people: People, limits: Limits) -> People:
    """Another application on the same site and accounts, with such limits."""
    return People(make_app(people.app.state.site.settings, {HOST}, limits=limits))


def test_a_bucket_gives_its_burst_at_once_and_then_its_rate() -> None:
    now = [0.0]
    limiter = RateLimiter(Rate(burst=3, per_s=0.5), most_keys=2, clock=lambda: now[0])
    assert [limiter.take("a") for _ in range(5)] == [0, 0, 0, 2, 2]  # a refused one takes nothing
    assert limiter.take("b") == 0
    now[0] = 2
    assert [limiter.take("a") for _ in range(2)] == [0, 2]
    now[0] = 1000
    assert [limiter.take("a") > 0 for _ in range(4)] == [False, False, False, True]
    for number in range(100):
        limiter.take(number)
    assert len(limiter) == 2


@pytest.mark.parametrize(
    ("address", "key"),
    [("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
     ("fe80::1%eth0", "fe80::/64"), ("unix socket", "unix socket"), ("x" * 500, "x" * 64)],
)  # fmt: skip
def test_a_client_is_an_address_or_a_network(address: str, key: str) -> None:
    assert client_key(address) == key


def test_strangers_are_limited_and_whoever_has_signed_in_is_not(people: People) -> None:
    site = limited(people, replace(LIMITS, anonymous=Rate(burst=12, per_s=1 / 3600)))
    manager, rows = site.person("manager"), len(audit.page(site.store, accounts.named(site.store, "admin"), 10**6).rows)
    assert manager.get("/me").status_code == 200
    strangers = [site.stranger().get("/no-such-page") for _ in range(15)]
    assert [answer.status_code for answer in strangers[-3:]] == [429] * 3 and strangers[0].status_code == 404
    assert title_of(strangers[-1]) == "Too many requests" and int(strangers[-1].headers["retry-after"]) > 1000
    assert strangers[-1].headers["content-security-policy"] and strangers[-1].headers["connection"] == "close"
    assert [manager.get("/me").status_code for _ in range(20)] == [200] * 20
    forged = site.stranger()
    forged.client.cookies.set("callgrade", "x" * 43)
    assert forged.get("/me").status_code == 429
    refused = len(audit.page(site.store, accounts.named(site.store, "admin"), 10**6).rows) - rows
    assert refused == [answer.status_code for answer in strangers].count(404)
    session = manager.client.cookies["callgrade"]
    assert manager.send("/sign-out").status_code == 303
    manager.client.cookies.set("callgrade", session)
    assert [manager.get("/me").status_code for _ in range(2)] == [303, 429]  # seen once that the session has ended


def test_the_oldest_sessions_are_forgotten_first() -> None:
    limit = AnonymousLimit(FEW, most_sessions=2)
    for session in ("a", "b", "a", "c"):
        limit.learn(session, is_valid=True)
    for _ in range(5):
        assert limit.wait_s("192.0.2.1", "a") == limit.wait_s("192.0.2.1", "c") == 0
    assert [limit.wait_s("192.0.2.1", "b") > 0 for _ in range(4)] == [False, False, False, True]
    assert limit.wait_s("192.0.2.2", None) == 0  # somebody else
    limit.learn("a", is_valid=False)
    assert limit.wait_s("192.0.2.1", "a") > 0


@pytest.mark.parametrize(
    ("name", "path", "language", "said"),
    [("analyst", "/centres/kyiv/export.xlsx", "en", "Too many requests"), ("analyst", "/centres/kyiv/export.pdf", "ru", "Слишком много запросов"),
     ("manager", "/operator-scorecards/kyiv/op-1", "uk", "Забагато запитів"), ("trainer", "pack", "hu", "Túl sok kérés")],
)  # fmt: skip
def test_who_takes_too_many_files_is_reported_when_to_come_again(people: People, name: str, path: str, language: str, said: str) -> None:
    site = limited(people, replace(LIMITS, exports=FEW))
    person = site.person(name)
    accounts.set_language(site.store, accounts.named(site.store, name), language)
    if path == "pack":
        path = person.send("/trainer/packs", title="A pack", centre="kyiv", moment=["turn:1:kyiv-1"]).headers["location"] + "/export.zip"
    answers = [person.get(path) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 3 + [429] * 2
    assert title_of(answers[-1]) == said and 0 < int(answers[-1].headers["retry-after"]) <= 3600
    assert (site.last_note()["action"], site.last_note()["outcome"], site.last_note()["account_name"]) == ("exported", "refused", name)
    assert person.get("/me").status_code == 200  # pages are not files
    accounts.set_language(site.store, accounts.named(site.store, name), None)


def test_refusals_beyond_the_rate_are_counted_in_the_audit(people: People) -> None:
    limits = replace(LIMITS, anonymous_refusals=FEW, refusals=FEW)
    app = make_app(people.app.state.site.settings, {HOST}, limits=limits)
    with TestClient(app):  # its end enters the counts
        site = People(app)
        manager, before = site.person("manager"), site.store.rows("select coalesce(max(audit_id), 0) as n from audit")[0]["n"]
        for number in range(10):
            site.stranger().get(f"/no-such-page-{number}")
        site.stranger().client.get("/", headers={"host": "evil.example"})
        for number in range(8):
            manager.get(f"/no-such-page-{number}")
    rows = people.store.rows("select account_name, action, outcome, address, subject from audit where audit_id > ?", before)
    assert len(rows) == 3 + 3 + 2 and {row["outcome"] for row in rows} == {"refused"}
    counted = {(row["account_name"], row["address"]): row["subject"] for row in rows if row["action"] == "refused_more"}
    assert counted == {("", "testclient"): "8", ("manager", ""): "5"}
    assert "further refused requests" in people.person("admin").get("/audit").text


def test_counts_are_bounded_whoever_is_refused() -> None:
    refusals = Refusals(replace(LIMITS, anonymous_refusals=Rate(1, 1e-6), all_anonymous_refusals=Rate(10, 1e-6)))
    entered = sum(refusals.admits(None, "", f"10.{n // 250}.0.{n % 250}") for n in range(5000))
    assert entered == 10
    counts = refusals.take_counts()
    assert len(counts) <= MOST_ENTRIES + 1 and sum(count for _, count in counts) == 5000 - entered
    assert refusals.take_counts() == []


def test_the_audit_log_is_paged_with_its_true_length(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "SHOWN", 4)
    for number in range(10):
        audit.write(people.store, None, "192.0.2.1", "account_added", f"paged-{number}")
    admin = people.person("admin")
    total = people.store.rows("select count(*) as n from audit where action = 'account_added'")[0]["n"]
    path, seen = "/audit?action=account_added", []
    while True:
        page = admin.get(path).text
        seen += [found for found in (f"paged-{number}" for number in range(9, -1, -1)) if f">{found}<" in page]
        first = 4 * (len(seen) // 4) - 3 if len(seen) % 4 == 0 else 4 * (len(seen) // 4) + 1
        assert f"{first}–{min(first + 3, total)} of {total}" in page
        if len(seen) == 10:
            break
        path = "/audit" + unescape(page.split('rel="next" href="')[1].split('"')[0])
    back = "/audit" + unescape(page.split('rel="prev" href="')[1].split('"')[0])
    assert ">paged-5<" in admin.get(back).text and ">paged-2<" in admin.get(back).text
    assert admin.get("/audit?older=0").status_code == 200 and admin.get("/audit?older=x").status_code == 400
    near = audit.page(people.store, accounts.named(people.store, "manager"), 50)
    assert near.total == people.store.rows("select count(*) as n from audit where centre_id in ('kyiv', 'irkutsk')")[0]["n"]


def test_requests_that_wait_for_recordings_leave_threads_for_pages(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, done = threading.Semaphore(0), threading.Event()

    def decode_for_long(sounds: CallSounds, *_: object) -> None:
        begun.release()
        done.wait(10)

    monkeypatch.setattr(CallSounds, "_make", decode_for_long)
    sounds = CallSounds(people.app.state.site.settings)

    def ask(number: int) -> None:
        sounds.rendering({"call_id": "x", "recording_sha256": f"{number:032}"}, (), whole=False)

    with ThreadPoolExecutor(CallSounds.MOST_WAITING) as pool:
        waiting = [pool.submit(ask, number) for number in range(CallSounds.MOST_WAITING)]
        try:
            assert all(begun.acquire(timeout=10) for _ in waiting)
            with pytest.raises(TransientError, match="waiting for recordings"):
                ask(99)
        finally:
            done.set()
        for one in waiting:
            one.result(10)
    ask(99)  # there is capacity again


def test_a_log_line_that_comes_too_often_is_counted() -> None:
    kept = RepeatFilter(FEW)
    logger = logging.getLogger("callgrade.test_limits")
    records = [logger.makeRecord(logger.name, logging.WARNING, "", 0, "refused %d", (number,), None) for number in range(9)]
    assert [kept.filter(record) for record in records] == [True] * 3 + [False] * 6
    kept._limiter = RateLimiter(FEW)
    assert kept.filter(records[0]) and records[0].getMessage() == "refused 0 (6 more like this were dropped)"
    assert kept.filter(logger.makeRecord(logger.name, logging.WARNING, "", 0, "something else", (), None))


@pytest.mark.parametrize(
    ("url", "said"),
    [("http://calls.example", "would be sent in clear text"), ("http://192.0.2.7:8080", "would be sent in clear text"), ("ftp://calls.example", "must begin with https"),
     ("https://", "must begin with https"), ("https://[bad", "must begin with https"), ("calls.example", "must begin with https")],
)  # fmt: skip
def test_the_address_that_browsers_ask_for_is_https(site: Settings, url: str, said: str) -> None:
    with pytest.raises(MisconfiguredError, match=said):
        bind(site, ListenAddress(port=0, public_url=url))


@pytest.mark.parametrize("url", ["https://calls.example", "http://localhost:8000", "http://127.0.0.1", "http://[::1]:9"])
def test_http_is_for_this_machine(site: Settings, url: str) -> None:
    bind(site, ListenAddress(port=0, public_url=url)).close()
