"""Attacks on every route at once: other people's data, forged forms, strange paths, and injected markup.

The routes are read from the application, so a route that is added later is tested as well.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from datetime import date
from html import unescape
from html.parser import HTMLParser
from urllib.parse import quote, urljoin

import pytest
from argon2 import PasswordHasher
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from pipelines.app_db import accounts
from pipelines.core.records import Rejection
from pipelines.core.rejections import Key, Reason
from pipelines.core.settings import Settings
from pipelines.discovery import reasons
from pipelines.discovery.reasons import FoundReason
from pipelines.web.app import make_app
from pipelines.web.request_context import MOST_FIELDS
from pipelines.web.routes import ROUTES
from pipelines.web.security import LARGEST_BODY_BYTES
from tests.web.made_calls import Made, load_and_publish, record, some_calls
from tests.web.people import ACCOUNTS, HOST, LIMITS, PASSWORD, People, Person, token_of

EVIL = "\"'><img src=x onerror=alert(1)><script>alert(2)</script><a href=javascript:alert(3)>{{7*7}}"
OPERATOR = "'\"><svg/onload=alert(4)>"
CALL = 'kyiv-evil"><script src=//evil.example>'
FORMS = [
    (r.path, next(iter(r.methods))) for module in ROUTES for r in module.router.routes if isinstance(r, APIRoute) and "POST" in r.methods
]
READ = [r.path for module in ROUTES for r in module.router.routes if isinstance(r, APIRoute) and "GET" in r.methods]


def evil_call(call_id: str, centre_id: str) -> Made:
    lines = [("operator", f"Добрий день. {EVIL}"), ("client", f"Я приїду і вас приб'ю {EVIL}"), ("operator", f"До побачення {EVIL}")]
    return Made(
        call_id, centre_id, "uk", lines, operator_id=OPERATOR, topic=EVIL, client_type=EVIL, abuse=[(2, "", "threat")], outcome="tolerated",
        verdicts=[("greeting", "pass", 1, ""), ("solution_given", "fail", 3, ""), ("farewell", "unsure", None, "")],
    )  # fmt: skip


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    """A site with calls whose every word wants to be a script, packs, disputes and notes of the kind, and things of another centre."""
    settings = Settings.from_environment(warehouse=tmp_path_factory.mktemp("attacked") / "attacked.duckdb")
    calls = [*some_calls(), evil_call(CALL, "kyiv"), evil_call("irkutsk-threat", "irkutsk")]
    for made in calls:
        if "/" not in made.call_id:
            record(made, settings.warehouse.parent / "recordings")
    rejected = [Rejection.because(Reason(Key.EMPTY, file=EVIL), "intake", "kyiv-rejected", "kyiv", EVIL, None)]
    load_and_publish(settings, calls, rejected, settings.warehouse.parent / "recordings")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(accounts, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        app = make_app(settings, {HOST}, limits=LIMITS)
        more = {"evil": ("operator", ["kyiv"], OPERATOR), "far": ("operator", ["irkutsk"], OPERATOR), "near": ("manager", ["kyiv"], None)}
        for name, (role, centres, operator_id) in (ACCOUNTS | more).items():
            accounts.add(app.state.site.store, name, role, PASSWORD, centres, operator_id)
        with TestClient(app):
            people = People(app)
            _fill(people)
            yield people


def _fill(people: People) -> None:
    admin = people.person("admin")
    for centre_id, call_id, operator in (("kyiv", CALL, "evil"), ("irkutsk", "irkutsk-threat", "far")):
        keys = [f"turn:2:{call_id}", f"criterion:greeting:{call_id}"]
        pack = admin.send("/trainer/packs", title=EVIL, centre=centre_id, moment=keys).headers["location"]
        inside = re.findall(r'id="m-(\w+)"', admin.get(pack).text)
        admin.send(pack, title=EVIL, notes=EVIL, operator=OPERATOR)
        admin.send(f"{pack}/moments/{inside[0]}", do="keep", notes=EVIL, kind="good_example")
        person = people.person(operator)
        sent = person.send("/dispute", call_id=call_id, criterion_id="solution_given", reason=f"No reason {EVIL}", turn="3")
        assert sent.status_code == 303, sent.text
        number = people.store.rows("select max(dispute_id) as n from disputes")[0]["n"]
        if centre_id == "kyiv":
            given = {"verdict_farewell": "fail", "note_farewell": EVIL, "verdict_greeting": "pass", "turn_greeting": "1"}
            assert admin.send("/evaluate", call_id=call_id, **given).status_code == 303
            decided = admin.send(f"/disputes/{number}", decision="reject", reason=f"Heard it {EVIL}")
            assert decided.status_code == 303, decided.text
        admin.send("/reviewed", call_id=call_id)
        admin.send("/calls/views", name=EVIL[:60], query=f"centre={centre_id}&text={EVIL}", share=centre_id)
        reason = FoundReason((EVIL,), ((call_id, 2),), 60, 0, 400, 0.001)
        reasons.replace_week(people.store, centre_id, date(2026, 3, 2), date(2026, 3, 8), [reason])
        criterion = {
            "weight": "5",
            "severity": "major",
            "where": "anywhere",
            "title_en": EVIL[:80],
            "description_en": EVIL,
            "said_like": [EVIL],
        }
        assert admin.send(f"/scorecards/{centre_id}/edit/criteria/solution_given", **criterion).status_code == 303
        topic = {"title_en": EVIL[:80], "description": EVIL, "examples": [EVIL]}
        assert admin.send(f"/scorecards/{centre_id}/edit/topics/complaint", **topic).status_code == 303
        assert admin.send(f"/scorecards/{centre_id}/regrade", first="2026-03-01", last="2026-03-07").status_code == 303


class Tags(HTMLParser):
    """What a page is made of that could run or lead away."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.bad: list[str] = []
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in ("iframe", "object", "embed", "base", "style", "img") or (
            tag == "script" and not given.get("src", "").startswith("/static/")
        ):
            self.bad.append(f"<{tag} {given}>")
        for name, value in given.items():
            if name.startswith("on") or (name in ("href", "src", "action") and not value.startswith(("/", "#", "?", "data:image/svg"))):
                self.bad.append(f"{tag} {name}={value}")
        if tag == "a" and given.get("href", "").startswith(("/", "?")):
            self.links.append(given["href"])


SEARCHES = 12


def crawled(person: Person, most: int = 200) -> Iterator[tuple[str, str]]:
    """Every page that links of pages lead to, once each; of searches the first ones, and the scorecard of one centre."""
    waiting, seen = ["/", "/me"], set()
    while waiting and len(seen) < most:
        path = waiting.pop(0)
        if (
            path in seen
            or path.endswith((".xlsx", ".zip", ".pdf"))
            or path.startswith(("/sound/", "/clips/", "/care/evidence/"))
            or re.match(r"/scorecards/(?!kyiv)|/scorecards/kyiv/edit/(criteria/(?!solution_given)|topics/(?!complaint))", path)
            or "language=" in path
            or (path.startswith(("/calls?", "/calls.", "/trends/")) and sum(one.startswith(path[:7]) for one in seen) >= SEARCHES)
        ):
            continue
        seen.add(path)
        answer = person.get(path)
        if answer.status_code == 303:
            waiting.append(answer.headers["location"])
            continue
        if answer.status_code == 403 or not answer.headers["content-type"].startswith("text/html"):
            continue
        assert answer.status_code == 200, path
        yield path, answer.text
        waiting += [urljoin(path, link).partition("#")[0] for link in Tags(answer.text).links]


@pytest.mark.parametrize("name", ["admin", "evil"])
def test_nothing_spoken_typed_or_logged_becomes_part_of_a_page(attacked: People, name: str) -> None:
    met = set()
    for path, text in crawled(attacked.person(name)):
        assert Tags(text).bad == [], path
        assert EVIL not in text and OPERATOR not in text, path
        if EVIL in unescape(text):
            met.add(re.sub(r"kyiv|irkutsk|[0-9a-f]{16}|%.*", "*", path.partition("?")[0]).rstrip("0123456789"))
    wanted = {"admin": {"/calls/*-evil*", "/trainer", "/trainer/packs/*", "/disputes", "/disputes/", "/care/threats/*-evil*", "/centres/*",
                        "/scorecards/*/edit", "/scorecards/*/edit/criteria/solution_given", "/scorecards/*/edit/topics/complaint"},
              "evil": {"/calls/*-evil*", "/my-disputes", "/my-packs", "/my-packs/*"}}[name]  # fmt: skip
    assert wanted <= met, met


def test_nor_of_what_is_taken_along_or_sought(attacked: People) -> None:
    admin = attacked.person("admin")
    packs = [row["pack_id"] for row in attacked.store.rows("select pack_id from packs")]
    for path in (*(f"/trainer/packs/{pack_id}/export.zip" for pack_id in packs), f"/care/evidence/{quote(CALL, safe='')}"):
        answer = admin.get(path)
        assert answer.status_code == 200 and re.fullmatch(r'attachment; filename="[\w.-]+"', answer.headers["content-disposition"])
        archive = zipfile.ZipFile(io.BytesIO(answer.content))
        assert all(re.fullmatch(r"[\w./-]+", name) and ".." not in name for name in archive.namelist())
        page = archive.read("index.html").decode()
        shown = re.sub(r"<style>.*?</style>", "", page, flags=re.S)
        bad = [one for one in Tags(shown).bad if not re.match(r"(audio|source) src=(audio/[\w-]+|call)\.ogg$|link |a href=audio/", one)]
        assert bad == [] and EVIL in unescape(shown), path
    values = dict.fromkeys(
        ("text", "operator", "topic", "criterion", "outcome", "client_type", "name", "action", "kind", "by", "next", "verdict", "finding"),
        EVIL,
    )
    for path in ("/trainer/moments", "/audit", "/centres/kyiv/queue", "/centres/kyiv/operators", "/sign-in", "/me"):
        answer = admin.get(path, params=values)
        assert answer.status_code == 200 and Tags(answer.text).bad == [], path
    assert admin.get("/centres/kyiv/operators", params={"start": EVIL}).status_code == 400


def concrete(people: People, path: str, centre_id: str) -> str | None:
    """The path of a route filled with what there is of a centre; None for one that names nothing."""
    call_id = {"kyiv": CALL, "irkutsk": "irkutsk-threat"}[centre_id]
    pack = people.store.rows("select * from packs where centre_id = ? order by made_at limit 1", centre_id)[0]
    dispute = people.store.rows("select dispute_id from disputes where centre_id = ?", centre_id)[0]
    moment = people.store.rows("select moment_id from pack_moments where pack_id = ? order by position", pack["pack_id"])[0]
    request = people.store.rows("select request_id from regrade_requests where centre_id = ?", centre_id)[0]
    reason = people.store.rows("select reason_id from new_reasons where centre_id = ?", centre_id)[0]
    values = {
        "reason_id": reason["reason_id"], "request_id": request["request_id"], "version": "1", "topic_id": "complaint", "centre_id": centre_id, "call_id": call_id, "operator_id": OPERATOR, "pack_id": pack["pack_id"], "moment_id": moment["moment_id"],
        "dispute_id": dispute["dispute_id"], "criterion_id": "solution_given",
    }  # fmt: skip
    names = re.findall(r"{(\w+)", path)
    if not names or not set(names) <= set(values):
        return None
    return re.sub(r"{(\w+)(?::path)?}", lambda found: quote(str(values[found[1]]), safe=""), path)


def test_things_of_another_centre_are_nowhere_for_anybody(attacked: People) -> None:
    """A centre's things open for its people; for those of another centre every route answers as for what is not there."""
    tried = 0
    for name in ("near", "trainer", "analyst", "evil", "op-1"):
        person = attacked.person(name)
        for path in READ:
            wanted = concrete(attacked, path, "irkutsk")
            if wanted is None:
                continue
            answer = person.get(wanted)
            assert answer.status_code in (403, 404), f"{name} {wanted}"
            note = attacked.last_note()
            assert (note["account_name"], note["outcome"]) == (name, "refused"), wanted
            assert "irkutsk-threat" not in re.sub(r'value="[^"]*"', "", answer.text)
            tried += 1
    assert tried > 60
    far = attacked.person("far")
    for path in ("/my-packs/{pack_id}", "/my-packs/{pack_id}/sound/{moment_id}", "/calls/{call_id:path}"):
        own = concrete(attacked, path, "irkutsk")
        assert own is not None and far.get(own).status_code == 200, own  # the same operator's id at another centre is somebody else
        assert attacked.person("evil").get(own).status_code == 404


def rows_kept(people: People) -> dict[str, int]:
    """How many rows each table has that somebody could want to change."""
    tables = [r["name"] for r in people.store.rows("select name from sqlite_schema where type = 'table'")]
    return {
        t: people.store.rows(f'select count(*) as n from "{t}"')[0]["n"]
        for t in tables
        if t not in ("audit", "sessions", "sign_in_attempts")
    }


def form_paths(people: People) -> list[str]:
    found = [concrete(people, path, "kyiv") or path.replace("{account_id}", "1").replace("{token_id}", "1") for path, _ in FORMS]
    assert not [path for path in found if "{" in path] and len(found) > 10
    return found


def test_a_form_that_another_site_or_session_made_changes_nothing(attacked: People) -> None:
    admin, other = attacked.person("admin"), attacked.person("near")
    foreign, own = token_of(other.get("/me").text), token_of(admin.get("/me").text)
    before = rows_kept(attacked)
    fields = {
        "call_id": CALL,
        "do": "remove",
        "title": "x",
        "centre": "kyiv",
        "name": "intruder",
        "role": "administrator",
        "decision": "reject",
        "reason": "x" * 20,
    }
    for path in form_paths(attacked):
        for token in ("", foreign):
            assert admin.client.post(path, data=fields | {"token": token}).status_code == 403, path
            assert attacked.last_note()["outcome"] == "refused", path
        for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}):
            assert admin.client.post(path, data=fields | {"token": own}, headers=headers).status_code == 403, path
            assert attacked.last_note()["outcome"] == "refused", path
        assert admin.client.get(path, params=fields | {"token": own}).status_code in (200, 404, 405), path  # reading never changes
    assert rows_kept(attacked) == before and admin.get("/me").status_code == 200


def test_forms_of_what_a_role_may_not_do_change_nothing(attacked: People) -> None:
    before = rows_kept(attacked)
    refused = 0
    for name in ("analyst", "evil", "trainer", "near"):
        person = attacked.person(name)
        token = token_of(person.get("/me").text)
        for path, _ in FORMS:
            there = concrete(attacked, path, "irkutsk") or path.replace("{account_id}", "1").replace("{token_id}", "1")
            if there.startswith(("/sign-", "/me/")):
                continue
            fields = {
                "token": token,
                "call_id": "irkutsk-threat",
                "criterion_id": "solution_given",
                "centre": "irkutsk",
                "moment": "turn:1:irkutsk-threat",
            }
            more = {
                "decision": "reject",
                "reason": "x" * 20,
                "do": "remove",
                "title": "x",
                "verdict_greeting": "fail",
                "name": "x",
                "share": "irkutsk",
            }
            answer = person.client.post(there, data=fields | more)
            assert answer.status_code in (403, 404), f"{name} {there} {answer.status_code}"
            assert attacked.last_note()["outcome"] == "refused" and attacked.last_note()["account_name"] == name
            refused += 1
    assert rows_kept(attacked) == before and refused > 30


STRANGE = ["..%2f..%2fpeople.sqlite3", "%2e%2e", "..%5c..%5cpeople.sqlite3", "%00", "%0d%0aSet-Cookie:%20x=1", "'%20or%201=1%20--", "%ff%fe", "x" * 3000, "*", "%2fetc%2fpasswd"]  # fmt: skip
NUMBERS = ["99999999999999999999999999", "-1", "0", "1e3", "%D9%A1"]


def test_strange_paths_find_nothing_and_break_nothing(attacked: People) -> None:
    admin = attacked.person("admin")
    token = token_of(admin.get("/me").text)
    for path in READ:
        for name in re.findall(r"{(\w+)(?::path)?}", path):
            if path.startswith("/static"):
                continue
            for strange in NUMBERS if name == "dispute_id" else STRANGE:
                altered = re.sub(r"{" + name + r"(?::path)?}", lambda _, s=strange: s, path)
                wanted = concrete(attacked, altered, "kyiv") or altered
                answer = admin.get(wanted)
                assert answer.status_code in (400, 403, 404), f"{wanted} {answer.status_code}"
                assert attacked.last_note()["outcome"] == "refused" and "x=1" not in answer.headers.get("set-cookie", ""), wanted
                assert b"SQLite format" not in answer.content
    for number in NUMBERS:
        for path in (f"/accounts/{number}", f"/disputes/{number}"):
            answer = admin.client.post(path, data={"token": token, "centre": "kyiv", "is_active": "1"})
            assert answer.status_code in (400, 404), path
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        answer = admin.client.request(method, "/me")
        assert answer.status_code == 405 and attacked.last_note()["outcome"] == "refused", method


def test_no_form_takes_more_than_a_form_holds(attacked: People) -> None:
    admin = attacked.person("admin")
    token = token_of(admin.get("/me").text)
    before = rows_kept(attacked)
    for path in form_paths(attacked):
        large = admin.client.post(path, data={"token": token, "notes": "x" * LARGEST_BODY_BYTES})
        many = admin.client.post(path, data={"token": token} | {f"f{n}": "1" for n in range(MOST_FIELDS + 1)})
        upload = admin.client.post(path, data={"token": token}, files={"file": ("x.html", b"<script>")})
        assert (large.status_code, many.status_code, upload.status_code) == (413, 400, 400), path
        assert attacked.last_note()["outcome"] == "refused", path
    assert rows_kept(attacked) == before
