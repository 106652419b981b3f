"""A trainer's searches, playback and packs; and what is refused to everybody else."""

from __future__ import annotations

import re

import httpx2
import pytest

from pipelines.coaching import packs
from pipelines.core.settings import Settings
from pipelines.queries import moments
from pipelines.queries.moment_query import MomentQuery
from tests.web.people import People, Person, title_of

HTML = '<img src=x onerror=alert(1)> {{ 7*7 }} </textarea><script>alert("x")</script>'


def new_pack(trainer: Person, *keys: str, title: str = "A pack") -> str:
    """The path of a new pack with these moments."""
    answer = trainer.send("/trainer/packs", title=title, centre="kyiv", moment=list(keys))
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def keys_of(answer: httpx2.Response) -> list[str]:
    return re.findall(r'name="moment" value="([^"]+)"', answer.text)


def moment_ids(answer: httpx2.Response) -> list[str]:
    return re.findall(r'id="m-(\w+)"', answer.text)


@pytest.mark.parametrize(("asked", "found"), [
    ("criterion=company_named&verdict=fail", {"criterion:company_named:kyiv-2"}),
    ("finding=abuse", {"finding:1:kyiv-2"}),
    ("severity=insult&topic=tariff", {"finding:1:kyiv-2"}),
    ("severity=threat", set()),
    ("outcome=calmed&verdict=pass&criterion=abuse_procedure", {"criterion:abuse_procedure:kyiv-2"}),
    ("text=тарифу", {"turn:2:kyiv-2", "turn:5:kyiv-2"}),  # другие формы того же слова
    ("text=перерахунки", {"turn:6:kyiv-2"}),
    ("text=тарифами&exact=1", {"turn:2:kyiv-2"}),
    ("text=очікування дякую", {"turn:6:kyiv-2"}),
    ("text=очікування дякую&exact=1", set()),
    ("text=дякую&criterion=hold_thanked", {"criterion:hold_thanked:kyiv-2"}),
    ("operator=op-1&criterion=solution_given", {"criterion:solution_given:kyiv-1"}),
    ("client_type=opinionated&criterion=greeting", {"criterion:greeting:kyiv-2"}),
    ("text=%5B%5D()|*~-_", set()),
    ("act=hold_thanks", {"act:6.hold_thanks:kyiv-2"}),
    ("act=greeting&topic=balance", {"act:1.greeting:kyiv-1"}),
    ("act=greeting&criterion=abuse_procedure", {"act:1.greeting:kyiv-2"}),  # in calls where that point was decided
    ("act=hold_ask&text=хвилини", {"act:5.hold_ask:kyiv-2"}),
    ("act=hold_ask&text=перерахунок", set()),  # said in another turn
    ("act=hold_ask&finding=abuse", {"finding:1:kyiv-2"}),
    ("act=empathy&finding=abuse", set()),
    ("act=forbidden", set()),
    ("act=greeting&topic=roaming", set()),  # nobody called about it
    ("act=hold_ask&criterion=hold_thanked&text=зачекайте", {"act:5.hold_ask:kyiv-2"}),
    ("act=hold_ask&criterion=hold_thanked&verdict=fail&text=зачекайте", set()),
    ("act=greeting&criterion=farewell&verdict=fail", {"act:1.greeting:kyiv-1"}),
    ("finding=abuse&act=hold_ask&criterion=hold_thanked", {"finding:1:kyiv-2"}),
    ("finding=abuse&act=hold_ask&criterion=hold_thanked&text=ідіоти", {"finding:1:kyiv-2"}),
    ("finding=abuse&act=hold_ask&criterion=night_rule&text=ідіоти", set()),
])  # fmt: skip
def test_moments_are_found_by_verdicts_acts_findings_and_words(people: People, asked: str, found: set[str]) -> None:
    answer = people.person("trainer").get(f"/trainer/moments?{asked}")
    assert answer.status_code == 200
    assert set(keys_of(answer)) == found


def test_moments_of_other_centres_are_not_found(people: People) -> None:
    trainer = people.person("trainer")
    assert not [key for key in keys_of(trainer.get("/trainer/moments?criterion=greeting")) if "kyiv" not in key]
    assert trainer.get("/trainer/moments?centre=irkutsk&criterion=greeting").status_code == 404
    assert len(keys_of(people.person("admin").get("/trainer/moments?criterion=greeting"))) > 4


def test_a_word_is_found_in_every_form_and_language(people: People) -> None:
    with people.app.state.site.snapshot.read() as published:
        for text, call_id in (("звонил", "irkutsk-2"), ("connections", "kredo-1"), ("internetet", "motiv-1"), ("показників", "odesa-1")):
            rows = moments.search(published, MomentQuery(("irkutsk", "kredo", "motiv", "odesa"), text=text))
            assert call_id in {row["call_id"] for row in rows}, text


def test_a_pack_is_made_ordered_noted_and_says_when_it_is_not_balanced(people: People) -> None:
    trainer = people.person("trainer")
    path = new_pack(trainer, "criterion:greeting:kyiv-1", "criterion:hold_thanked:kyiv-2", "criterion:solution_given:kyiv-1")
    page = trainer.get(path)
    assert title_of(page) == "A pack" and "not balanced" in page.text
    first, second, third = moment_ids(page)
    trainer.send(f"{path}/moments/{third}", do="up")
    trainer.send(f"{path}/moments/{first}", do="up")  # there is nothing above it
    assert moment_ids(trainer.get(path)) == [first, third, second]
    trainer.send(f"{path}/moments/{first}", do="out")
    trainer.send(f"{path}/moments/{third}", do="keep", kind="to_improve", notes="Slower, please.")
    page = trainer.get(path)
    assert moment_ids(page) == [third, second] and "Slower, please." in page.text and "not balanced" not in page.text
    trainer.send(f"{path}/moments", moment="criterion:solution_given:kyiv-1")  # it is in it already
    assert len(moment_ids(trainer.get(path))) == 2
    trainer.send(path, title="Another name", notes="For Monday.", operator="op-1", until="2999-01-01", disguised="1")
    page = trainer.get(path)
    assert title_of(page) == "Another name" and "For Monday." in page.text
    last = packs.last_day(people.app.state.site.settings)
    assert f'name="until" type="date" value="{last.isoformat()}"' in page.text  # no longer than the calls themselves
    trainer.send(path, do="remove")
    assert trainer.get(path).status_code == 404


def test_the_context_of_a_moment_is_masked_and_its_words_match_the_audio(people: People) -> None:
    trainer = people.person("trainer")
    page = trainer.get(new_pack(trainer, "criterion:solution_given:kyiv-1"))
    assert "Хочу дізнатися свій баланс, рахунок" in page.text  # of the client's turn only the number is hidden
    assert "переплата" in page.text and '<span class="chip" lang="en">account</span>' in page.text and "[ACCOUNT]" not in page.text


def test_packs_are_proposed_for_each_month_by_theme_and_by_operator(people: People) -> None:
    admin = people.person("admin")
    page = admin.get("/trainer").text
    keys = set(re.findall(r'name="proposal" value="([^"]+)"', page))
    assert {"operator:2026-03:op-1", "operator:2026-03:op-2", "theme:2026-03:first_impression"} <= keys
    answer = admin.send("/trainer/packs", centre="kyiv", proposal="operator:2026-03:op-2")
    pack = admin.get(answer.headers["location"]).text
    assert "op-2" in pack and len(re.findall(r'id="m-\w+"', pack)) >= 2 and "kyiv-1" not in pack
    assert people.last_note()["action"] == "pack_made"


STOLEN = ["criterion:greeting:irkutsk-1", "turn:1:odesa-1", "criterion:nothing:kyiv-1", "turn:999:kyiv-1", "turn:1", "x:1:kyiv-1", "turn:1;drop:kyiv-1",
          "turn:٣:kyiv-1", "finding:1' or 1=1:kyiv-1", "", "turn:1:../../people.sqlite3"]  # fmt: skip


@pytest.mark.parametrize("key", STOLEN)
def test_moments_that_are_not_ones_own_cannot_be_put_into_a_pack(people: People, key: str) -> None:
    trainer = people.person("trainer")
    path = new_pack(trainer)
    assert trainer.send(f"{path}/moments", moment=key).status_code == 404
    assert people.last_note()["outcome"] == "refused" and not moment_ids(trainer.get(path))
    assert trainer.send("/trainer/packs", title="x", moment=key).status_code == 404


def test_a_moment_of_one_centre_does_not_get_into_a_pack_of_another(people: People) -> None:
    admin = people.person("admin")
    path = new_pack(admin)
    admin.send(f"{path}/moments", moment=["criterion:greeting:irkutsk-1", "criterion:greeting:kyiv-1"])
    assert len(moment_ids(admin.get(path))) == 1


def test_other_peoples_packs_are_answered_as_if_they_were_not_there(people: People, site: Settings) -> None:
    admin, trainer = people.person("admin"), people.person("trainer")
    answer = admin.send("/trainer/packs", title="Of Irkutsk", centre="irkutsk", moment="criterion:greeting:irkutsk-1")
    path = answer.headers["location"]
    inside = moment_ids(admin.get(path))[0]
    nothing = trainer.get("/trainer/packs/0000000000000000").text
    for get in (path, f"{path}/export.zip", f"{path}/sound/{inside}", "/trainer/packs/..%2f..%2fpeople.sqlite3", "/trainer/packs/%00/export.zip",
                "/trainer/packs/*", f"{path}/sound/..%2f..%2fpeople.sqlite3"):  # fmt: skip
        refused = trainer.get(get)
        assert refused.status_code == 404 and people.last_note()["outcome"] == "refused", get
        assert refused.text.replace(get, "") == nothing.replace("/trainer/packs/0000000000000000", ""), get
    for post, fields in ((path, {"do": "remove"}), (path, {"title": "mine"}), (f"{path}/moments", {"moment": "turn:1:kyiv-1"}), (f"{path}/moments/{inside}", {"do": "out"})):  # fmt: skip
        assert trainer.send(post, **fields).status_code == 404
    own = new_pack(trainer)
    assert trainer.get(f"{own}/sound/{inside}").status_code == 404
    assert trainer.send(f"{own}/moments/{inside}", do="out").status_code == 404
    assert admin.get(path).status_code == 200 and "Of Irkutsk" not in trainer.get("/trainer").text
    assert trainer.send("/trainer/packs", centre="irkutsk", title="x").status_code == 404
    assert trainer.send("/trainer/packs", centre="irkutsk", proposal="operator:2026-03:op-1").status_code == 404


@pytest.mark.parametrize("name", ["op-1", "analyst"])
def test_who_does_not_train_has_no_way_in(people: People, name: str) -> None:
    path = new_pack(people.person("trainer"), "criterion:greeting:kyiv-1")
    person = people.person(name)
    for get in ("/trainer", "/trainer/moments?text=а", path, f"{path}/export.zip"):
        assert person.get(get).status_code == 403, get
    for post in ("/trainer/packs", path, f"{path}/moments"):
        assert person.send(post, title="x").status_code == 403, post
    assert "/trainer" not in person.get("/me").text


def test_forms_need_their_token_and_are_not_endless(people: People) -> None:
    trainer = people.person("trainer")
    path = new_pack(trainer)
    for post in ("/trainer/packs", path, f"{path}/moments", f"{path}/moments/0"):
        assert trainer.send(post, token="", title="x").status_code == 403
        assert trainer.send(post, notes="x" * 70_000).status_code == 413
    assert trainer.send(f"{path}/moments", moment=["criterion:greeting:kyiv-1"] * 400).status_code == 400
    trainer.send(path, title="y" * 5000, notes="z" * 5000)
    page = trainer.get(path).text
    assert "y" * 120 in page and "y" * 121 not in page and "z" * 2001 not in page


def test_notes_and_searches_never_become_part_of_a_page(people: People) -> None:
    trainer = people.person("trainer")
    path = new_pack(trainer, "criterion:greeting:kyiv-1", title=HTML[:120])
    inside = moment_ids(trainer.get(path))[0]
    trainer.send(path, title=HTML[:120], notes=HTML, operator=HTML[:100])
    trainer.send(f"{path}/moments/{inside}", do="keep", notes=HTML, kind="<b>")
    for page in (
        trainer.get(path),
        trainer.get("/trainer"),
        trainer.get("/trainer/moments", params={"text": HTML, "operator": HTML, "topic": HTML}),
    ):
        assert (
            page.status_code == 200
            and "<img" not in page.text
            and "<script>alert" not in page.text
            and "{{ 7*7 }}" in page.text.replace("&#39;", "'")
        )
