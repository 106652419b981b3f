"""Sign-in through an OpenID provider: only with a valid token, for this site, now, and only for users with a role."""

from __future__ import annotations

import base64
import json
import logging
import re
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from pipelines.app_db import accounts, administration, database
from pipelines.app_db.administration import AccountFields
from pipelines.app_db.openid_settings import OpenIdSettings, read_rules
from pipelines.core.errors import MisconfiguredError
from pipelines.core.settings import Settings
from pipelines.web.app import make_app
from pipelines.web.auth import openid, openid_provider
from tests.web.openid_provider import CLIENT, SECRET, Claims, Provider
from tests.web.people import HOST, LIMITS, PASSWORD, People, Person, title_of

LET_IN = """
  - {group: qa-kyiv, role: manager, centres: [kyiv]}
  - {group: qa-irkutsk, role: manager, centres: [irkutsk], hears_personal_data: true}
  - {group: trainers, role: trainer, centres: [all]}
  - {group: operators, role: operator, centres: [kyiv]}
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.close()


@pytest.fixture(scope="module")
def sites(judged: Settings, provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    settings = Settings.from_environment(warehouse=tmp_path_factory.mktemp("openid") / "judged.duckdb")
    shutil.copy(judged.warehouse, settings.warehouse)
    shutil.copytree(judged.site, settings.site)
    (settings.site / "secret").write_text(SECRET + "\n")
    (settings.site / "openid.yaml").write_text(
        f"issuer: {provider.issuer}\nclient_id: {CLIENT}\nsecret_file: secret\nbutton: Kyiv staff\ngroups_claim: realm.groups\nlet_in:{LET_IN}"
    )
    app = make_app(settings, {HOST}, limits=LIMITS)
    with TestClient(app):
        yield People(app)


@pytest.fixture
def honest(provider: Provider, sites: People) -> Iterator[Provider]:
    provider.honest()
    sites.app.state.site.openid.provider.forget()
    provider.person = {"sub": "1", "preferred_username": "Olena.K", "realm": {"groups": ["qa-kyiv", "qa-irkutsk", "trainers"]}}
    yield provider
    provider.honest()


def came_in(people: People, provider: Provider, person: Person | None = None) -> tuple[Person, Any]:
    """Somebody who went to the provider and came back, and what the site answered."""
    person = person or people.stranger()
    sent = person.get("/sign-in/openid?next=/me")
    assert sent.status_code == 303, sent.text
    return person, person.get(provider.visited(sent.headers["location"]))


def test_whoever_the_provider_vouches_for_has_the_role_of_the_groups(sites: People, honest: Provider) -> None:
    page = sites.stranger().get("/sign-in?next=/me").text
    assert 'href="/sign-in/openid?next=%2Fme"' in page and "Sign in with Kyiv staff" in page
    person, answer = came_in(sites, honest)
    assert (answer.status_code, answer.headers["location"]) == (303, "/me")
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("callgrade="))
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and title_of(person.get("/me")) == "olena.k"
    made = accounts.named(sites.store, "olena.k")
    assert (made.role, made.centres, made.hears_personal_data) == ("manager", {"kyiv", "irkutsk"}, True)
    assert sites.last_note()["action"] == "signed_in" and sites.last_note()["subject"] == "by OpenID"
    honest.person |= {"preferred_username": "another name by now", "realm": {"groups": ["trainers"]}}
    came_in(sites, honest)
    again = accounts.named(sites.store, "olena.k")
    assert (again.account_id, again.role, again.centres, again.hears_personal_data) == (made.account_id, "trainer", {"*"}, False)
    assert person.get("/audit").status_code == 403  # what was open before has the role of now
    changed = sites.store.rows(
        "select subject from audit where action in ('account_role_changed', 'account_centres_changed') order by audit_id"
    )
    assert [row["subject"] for row in changed] == ["olena.k: manager → trainer", "olena.k: irkutsk, kyiv → *"]


def test_who_has_no_role_stays_out(sites: People, honest: Provider, caplog: pytest.LogCaptureFixture) -> None:
    accounts.add(sites.store, "chief", "administrator", PASSWORD, ["*"])
    refused: list[tuple[Claims, str]] = [
        ({"sub": "2", "preferred_username": "nobody", "realm": {"groups": ["others", 7, None]}}, "no role"),
        ({"sub": "3", "preferred_username": "nobody"}, "no role"),
        ({"sub": "4", "preferred_username": "nobody", "realm": {"groups": ["operators"]}}, "no role"),  # whose calls?
        ({"sub": "5", "preferred_username": " Chief ", "realm": {"groups": "trainers"}}, "name taken"),
        ({"sub": "6", "preferred_username": "a b<script>", "realm": {"groups": "trainers"}}, "no name"),
        ({"sub": "7", "realm": {"groups": "trainers"}}, "no name"),
    ]
    for claims, why in refused:
        honest.person = claims
        person, answer = came_in(sites, honest)
        assert answer.status_code == 403 and "has no role in Callgrade" in answer.text and "callgrade=" not in str(answer.headers)
        assert person.get("/me").status_code == 303
        note = sites.last_note()
        assert note["outcome"] == "refused" and str(note["subject"]).endswith(why), note
    assert "access denied: name taken" in caplog.text
    assert [a.name for a in accounts.everybody(sites.store) if a.name != "olena.k"] == ["chief"]
    honest.person = {"sub": "8", "preferred_username": "op", "operator_id": "op-1", "realm": {"groups": ["operators"]}}
    operator, answer = came_in(sites, honest)
    assert answer.status_code == 303 and "op-1" in operator.get("/me").text
    found = accounts.named(sites.store, "op")
    administration.edit(sites.store, None, found.account_id, replace(AccountFields.of(found), is_active=False))
    assert operator.get("/me").status_code == 303 and came_in(sites, honest)[1].status_code == 403


def test_an_account_of_the_provider_has_no_password_here(sites: People, honest: Provider) -> None:
    came_in(sites, honest)
    found = accounts.named(sites.store, "olena.k")
    with pytest.raises(accounts.AccountError, match="no password here"):
        accounts.set_password(sites.store, found, PASSWORD)
    with sites.store.writing() as db:  # even if there were one
        db.execute("update accounts set password_hash = ? where account_id = ?", [accounts._hash(PASSWORD), found.account_id])
    assert sites.stranger().send("/sign-in", "/sign-in", name="olena.k", password=PASSWORD).status_code == 401
    accounts.add(sites.store, "chief2", "administrator", PASSWORD, ["*"])
    answer = sites.person("chief2").send(f"/accounts/{found.account_id}", "/accounts", new_password="1")
    assert answer.status_code == 400 and "has no password here" in answer.text


def unsigned(claims: Claims, **header: Any) -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in ({"alg": "none"} | header, claims))
    return ".".join(parts) + "."


OTHER_KEY = RSAKey.generate_key(2048)


def signed_by(key: Key, algorithm: str, kid: str, **header: Any) -> Callable[[Claims], str]:
    return lambda claims: jwt.encode({"alg": algorithm, "kid": kid} | header, claims, key, algorithms=[algorithm])


TAMPERED: dict[str, tuple[str, Callable[[Claims], Claims]]] = {
    "another nonce": ("wrong nonce", lambda c: c | {"nonce": "x" * 43}),
    "no nonce": ("wrong nonce", lambda c: {k: v for k, v in c.items() if k != "nonce"}),
    "another audience": ("wrong audience", lambda c: c | {"aud": "another site"}),
    "for others as well": ("wrong party", lambda c: c | {"aud": [CLIENT, "another site"]}),
    "for us by another party": ("wrong party", lambda c: c | {"azp": "another site"}),
    "expired": ("expired", lambda c: c | {"iat": c["iat"] - 900, "exp": int(time.time()) - 60}),
    "for ever": ("bad ID token", lambda c: {k: v for k, v in c.items() if k != "exp"}),
    "from tomorrow": ("bad ID token", lambda c: c | {"nbf": c["iat"] + 86400}),
    "another issuer": ("wrong issuer", lambda c: c | {"iss": "https://evil.example"}),
    "about nobody": ("no subject", lambda c: c | {"sub": ""}),
    "about a subject without end": ("no subject", lambda c: c | {"sub": "1" * 256}),
}
FORGED: dict[str, tuple[str, Callable[[Claims], str | None]]] = {
    "alg none": ("algorithm not allowed", unsigned),
    "signed with our secret": ("algorithm not allowed", signed_by(OctKey.import_key(SECRET.ljust(32, "x")), "HS256", "first")),
    "signed by somebody else": ("bad ID token", signed_by(OTHER_KEY, "RS256", "first")),
    "by a key that nobody knows": ("unknown key", signed_by(OTHER_KEY, "RS256", "other")),
    "no token": ("no ID token", lambda c: None),
    "no JWT": ("bad ID token", lambda c: "abc"),
    "a header that makes no sense": ("bad ID token", lambda c: unsigned(c, alg="RS256", crit=5)),
}  # fmt: skip


def assert_refused(people: People, person: Person, answer: Any, why: str) -> None:
    assert answer.status_code == 401 and "External sign-in failed" in answer.text, answer.text
    assert "callgrade=" not in str(answer.headers) and person.get("/me").status_code == 303
    note = people.last_note()
    assert (note["action"], note["outcome"], note["account_name"]) == ("sign_in", "refused", "")
    assert str(note["subject"]).startswith(f"by OpenID: {why}"), note


@pytest.mark.parametrize("name", [*TAMPERED, *FORGED])
def test_a_token_that_does_not_fit_is_refused_and_noted(
    sites: People, honest: Provider, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    why = (TAMPERED | FORGED)[name][0]  # type: ignore[operator]  # both have it first
    if name in TAMPERED:
        honest.tamper = TAMPERED[name][1]
    else:
        honest.sign = FORGED[name][1]
    with caplog.at_level(logging.WARNING, "callgrade"):
        person, answer = came_in(sites, honest)
    assert_refused(sites, person, answer, why)
    assert f"sign-in failed: {why}" in caplog.text and "eyJ" not in caplog.text  # never a token


def test_what_comes_back_is_taken_once_by_the_browser_that_was_sent_and_soon(
    sites: People, honest: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = sites.stranger(), sites.stranger()
    back = honest.visited(one.get("/sign-in/openid").headers["location"])
    assert one.get(back).status_code == 303
    replayed = sites.stranger()
    replayed.client.cookies.update({"callgrade_openid": "x" * 43})
    assert_refused(sites, replayed, replayed.get(back), "unknown state")

    back = honest.visited(one.get("/sign-in/openid").headers["location"])
    other.get("/sign-in/openid")
    assert_refused(sites, other, other.get(back), "another browser")  # and is gone for the first as well
    fresh = sites.stranger()
    for query, why in (("", "unknown state"), ("?state=x&code=y", "unknown state"), ("?error=access_denied", "unknown state")):
        assert_refused(sites, fresh, fresh.get(f"/sign-in/openid/back{query}"), why)
    for more, why in (("&error=access_denied", "the provider refused"), ("&iss=https://evil.example", "another issuer"), ("", "no code")):
        state = fresh.get("/sign-in/openid").headers["location"].split("state=")[1].split("&")[0]
        assert_refused(sites, fresh, fresh.get(f"/sign-in/openid/back?state={state}{more}"), why)

    back = honest.visited(fresh.get("/sign-in/openid").headers["location"])
    at = database.present()
    with monkeypatch.context() as later:
        later.setattr(openid, "present", lambda: at + openid.LONGEST_TRY_S + 5)
        assert_refused(sites, fresh, fresh.get(back), "unknown state")


def test_the_code_is_worth_nothing_without_its_verifier_and_nothing_is_sent_elsewhere(sites: People, honest: Provider) -> None:
    person = sites.stranger()
    stolen = honest.visited(person.get("/sign-in/openid").headers["location"]).split("code=")[1].split("&")[0]
    own = honest.visited(person.get("/sign-in/openid").headers["location"])
    assert_refused(sites, person, person.get(own.replace(own.split("code=")[1].split("&")[0], stolen)), "the provider answered 400")
    for answer, why in (
        ((302, b"", {"Location": "http://127.0.0.1:1/token"}), "the provider answered 302"), ((500, b"oops", {}), "the provider answered 500"),
        ((200, b"<html>", {}), "the provider did not answer in JSON"), ((200, b"[]", {}), "the provider did not answer in JSON"),
        ((200, b" " * (openid_provider.LONGEST_ANSWER_BYTES + 1), {}), "the provider answered too much"),
    ):  # fmt: skip
        honest.answers = {"/staff/token": answer}
        assert_refused(sites, *came_in(sites, honest, person), why)


def test_a_provider_may_change_its_keys_and_how_it_wants_the_secret(
    sites: People, honest: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert came_in(sites, honest)[1].status_code == 303
    first = honest.key
    honest.new_key()
    monkeypatch.setattr(openid, "_AGAIN_S", 0.0)
    sites.app.state.site.openid.provider.forget()
    honest.methods = ["client_secret_post"]
    assert came_in(sites, honest)[1].status_code == 303
    honest.key = first
    assert came_in(sites, honest)[1].status_code == 303  # a key that is not known yet is looked for
    sites.app.state.site.openid.provider.forget()
    for about, why in ((honest.about() | {"issuer": "https://evil.example"}, "the provider is another issuer"),
                       (honest.about() | {"authorization_endpoint": "http://evil.example/"}, "the provider names no safe authorization_endpoint")):  # fmt: skip
        honest.answers = {"/staff/.well-known/openid-configuration": (200, json.dumps(about).encode(), {})}
        sites.app.state.site.openid.provider.forget()
        person = sites.stranger()
        assert_refused(sites, person, person.get("/sign-in/openid"), why)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # by a newer name, which few providers use
@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("PS256", RSAKey.generate_key(2048, {"kid": "k"})),
        ("ES384", ECKey.generate_key("P-384", {"kid": "k"})),
        ("EdDSA", OKPKey.generate_key("Ed25519", {"kid": "k"})),
    ],
)
def test_a_provider_may_sign_as_it_likes_with_a_key_that_it_publishes(
    sites: People, honest: Provider, monkeypatch: pytest.MonkeyPatch, algorithm: str, key: Key
) -> None:
    monkeypatch.setattr(honest, "key", key)
    honest.sign = signed_by(key, algorithm, "k", x5c=["A" * 4000])
    assert came_in(sites, honest)[1].status_code == 303


def test_an_unknown_key_is_not_asked_for_again_and_again(sites: People, honest: Provider) -> None:
    honest.sign, before = signed_by(OTHER_KEY, "RS256", "other"), honest.asked.count("/staff/keys")
    for _ in range(3):
        assert_refused(sites, *came_in(sites, honest), "unknown key")
    assert honest.asked.count("/staff/keys") == before + 1


def test_published_keys_that_cannot_be_read_do_not_spoil_the_others(sites: People, honest: Provider) -> None:
    unreadable = [7, {"kty": "new"}, {"kty": "EC", "crv": "brainpoolP256r1", "x": "AA", "y": "AA"}, {"kty": "RSA", "n": [], "e": "AQAB"}]
    honest.answers = {"/staff/keys": (200, json.dumps({"keys": [*unreadable, *honest.keys()["keys"]]}).encode(), {})}
    assert came_in(sites, honest)[1].status_code == 303
    for none in (unreadable, 7):
        sites.app.state.site.openid.provider.forget()
        honest.answers = {"/staff/keys": (200, json.dumps({"keys": none}).encode(), {})}
        assert_refused(sites, *came_in(sites, honest), "unknown key")


def test_beginning_again_and_again_is_slowed_down(sites: People, honest: Provider) -> None:
    with sites.store.writing() as db:
        db.execute("delete from openid_tries")
    codes = [sites.stranger().get("/sign-in/openid").status_code for _ in range(openid.TRIES_PER_ADDRESS + 2)]
    assert codes == [303] * openid.TRIES_PER_ADDRESS + [429, 429]
    assert sites.last_note()["subject"] == "by OpenID: too many tries"
    with sites.store.writing() as db:
        db.execute("delete from openid_tries")


def test_tries_are_limited_before_a_provider_that_is_silent_is_asked(
    sites: People, honest: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sites.store.writing() as db:
        db.execute("delete from openid_tries")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        rules = sites.app.state.site.openid.rules.model_copy(update={"issuer": f"http://127.0.0.1:{silent.getsockname()[1]}"})
        monkeypatch.setattr(sites.app.state.site.openid, "rules", rules)
        monkeypatch.setattr(openid_provider, "DEADLINE_S", 0.5)
        started = time.monotonic()
        codes = [sites.stranger().get("/sign-in/openid").status_code for _ in range(openid.TRIES_PER_ADDRESS + 2)]
        assert time.monotonic() - started < 10  # one of them waited
    assert codes == [401] * openid.TRIES_PER_ADDRESS + [429, 429]
    with sites.store.writing() as db:
        db.execute("delete from openid_tries")


@pytest.mark.parametrize("aim", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_it_never_leads_to_another_site(sites: People, honest: Provider, aim: str) -> None:
    person = sites.stranger()
    answer = person.get(honest.visited(person.get("/sign-in/openid", params={"next": aim}).headers["location"]))
    assert answer.headers["location"] == "/"


def test_nobody_comes_in_this_way_unless_a_file_says_so(people: People) -> None:
    assert people.app.state.site.openid is None
    assert "/sign-in/openid" not in people.stranger().get("/sign-in").text
    for path in ("/sign-in/openid", "/sign-in/openid/back?state=x&code=y"):
        assert people.stranger().get(path).status_code == 404 and people.last_note()["outcome"] == "refused"


def rules_of(tmp_path: Path, text: str, secret: str | None = "s") -> OpenIdSettings | None:
    file = tmp_path / "openid.yaml"
    file.write_text(text)
    return read_rules(Settings.from_environment(warehouse=tmp_path / "w.duckdb", openid=file, openid_secret=secret))


def test_a_mistake_in_the_file_is_reported_with_its_line(tmp_path: Path) -> None:
    good = f"issuer: https://login.example/staff\nclient_id: callgrade\nlet_in:{LET_IN}"
    rules = rules_of(tmp_path, good)
    assert rules is not None and rules.secret == "s" and "secret='s'" not in repr(rules)
    assert "hidden words" not in repr(Settings.from_environment(openid_secret="hidden words"))
    for text, said in (
        (good.replace("https://login", "http://login"), "line 1: issuer is .* must begin with https://"),
        (good.replace("role: trainer", "role: teacher"), r"line 6: role 'teacher' is not known"),
        (good.replace("centres: [all]", "centres: []"), "line 6: centres is empty"),
        (good + "\nsecret: x", "field 'secret' is not known"),
        (good + "\nscopes: [profile]", "scopes must include openid"),
        ("issuer: https://login.example\nclient_id: x\nlet_in: []", "let_in names no group"),
    ):
        with pytest.raises(MisconfiguredError, match=said):
            rules_of(tmp_path, text)
    with pytest.raises(MisconfiguredError, match="CALLGRADE_OPENID_SECRET"):
        rules_of(tmp_path, good, secret=None)
    with pytest.raises(MisconfiguredError, match="does not exist"):
        read_rules(Settings.from_environment(warehouse=tmp_path / "w.duckdb", openid=tmp_path / "none.yaml"))


def test_a_sign_in_that_failed_keeps_the_page_that_was_asked_for(sites: People, honest: Provider) -> None:
    person = sites.stranger()
    back = honest.visited(person.get("/sign-in/openid?next=%2Faudit").headers["location"])
    answer = person.get(re.sub(r"code=[^&]*", "code=wrong", back))
    assert answer.status_code == 401 and 'name="next" value="/audit"' in answer.text
    honest.person = {"sub": "9", "preferred_username": "nobody", "realm": {"groups": ["others"]}}
    _, refused = came_in(sites, honest)
    assert refused.status_code == 403 and 'name="next" value="/me"' in refused.text


def test_role_and_centres_of_an_account_of_the_provider_are_not_changed_here(sites: People, honest: Provider) -> None:
    came_in(sites, honest)
    found = accounts.named(sites.store, "olena.k")
    accounts.add(sites.store, "chief3", "administrator", PASSWORD, ["*"], hears_personal_data=True)
    chief, page = sites.person("chief3"), f"/accounts/{found.account_id}"
    assert 'name="role" value="manager"' in chief.get(page).text and "<select" not in chief.get(page).text.split("<main")[1]
    form = {"role": "manager", "centre": sorted(found.centres), "hears_personal_data": "1"}
    answer = chief.send(page, "/accounts", **form | {"role": "administrator", "is_active": "1"})
    assert answer.status_code == 400 and "groups" in answer.text and accounts.named(sites.store, "olena.k").role == "manager"
    assert chief.send(page, "/accounts", **form).status_code == 303 and not accounts.named(sites.store, "olena.k").is_active
    assert chief.send(page, "/accounts", **form | {"is_active": "1"}).status_code == 303
