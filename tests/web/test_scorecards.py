"""Scorecards in the browser: who reads them, who edits a draft, and what a form says that cannot be saved."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from models.languages.language import ACTS
from pipelines.app_db import accounts
from pipelines.centres.profile import load_centre
from pipelines.centres.scorecard import RULES, SEVERITIES, WHERE
from pipelines.core.settings import ROOT
from pipelines.i18n.wording import LANGUAGES, wording
from pipelines.reports import scorecard_view
from pipelines.scorecards import drafts
from tests.web.people import ACCOUNTS, People, title_of

pytestmark = pytest.mark.usefixtures("profiles")
READERS = ("admin", "manager", "trainer", "analyst", "op-1")
EDITORS = ("admin", "manager")
EDIT_PAGES = (
    "/scorecards/kyiv/edit", "/scorecards/kyiv/edit/new-criterion", "/scorecards/kyiv/edit/criteria/greeting", "/scorecards/kyiv/edit/new-topic",
    "/scorecards/kyiv/edit/topics/outage", "/scorecards/kyiv/undo", "/scorecards/kyiv/regrade",
)  # fmt: skip
ACTIONS = ("edit", "edit/discard", "edit/keep", "edit/criteria/greeting", "edit/new-criterion", "edit/new-topic", "edit/topics/outage", "preview", "activate", "undo",
           "regrade", "regrade/1")  # fmt: skip


@pytest.mark.parametrize("name", READERS)
def test_every_role_of_a_centre_reads_its_scorecard(judging: People, name: str) -> None:
    person = judging.person(name)
    answer = person.get("/scorecards/kyiv")
    assert answer.status_code == 200 and "Київські енергетичні послуги" in title_of(answer)
    assert 'id="c-greeting"' in answer.text and "Greeting" in answer.text and 'id="t-outage"' in answer.text
    assert "Passed when the operator says it. Recognised: greeting. Only the operator’s first two turns count." in " ".join(
        answer.text.split()
    )
    assert 'href="/scorecards"' in person.get("/me").text  # in the navigation
    assert ('href="/scorecards/kyiv/edit"' in answer.text) == (name in EDITORS)
    if "*" not in ACCOUNTS[name][1]:
        assert person.get("/scorecards/odesa").status_code == 404
        assert judging.last_note()["outcome"] == "refused"
    assert person.get("/scorecards/nowhere").status_code == 404


def test_the_start_leads_to_the_only_scorecard_or_lists_them(judging: People) -> None:
    assert judging.person("trainer").get("/scorecards").headers["location"] == "/scorecards/kyiv"
    listed = judging.person("manager").get("/scorecards").text
    assert 'href="/scorecards/kyiv"' in listed and 'href="/scorecards/irkutsk"' in listed and "/scorecards/odesa" not in listed


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_scorecard_is_told_in_every_language(judging: People, language: str) -> None:
    person = judging.person("manager")
    accounts.set_language(judging.store, accounts.named(judging.store, "manager"), language)
    text = person.get("/scorecards/kyiv").text
    w = wording(language)
    for said in (w("sc_versions"), w.label("scorecard_rules", "identified"), w.label("scorecard_conditions", "upset_client_yes")):
        assert said.replace("’", "’") in text


def test_everything_that_a_scorecard_can_say_has_words_in_every_language() -> None:
    groups = {
        "scorecard_rules": RULES, "scorecard_severities": SEVERITIES, "scorecard_places": WHERE, "acts": ACTS,
        "scorecard_fields": (*scorecard_view.CRITERION_FIELDS, *scorecard_view.TOPIC_FIELDS, *scorecard_view.CONDITIONS),
        "scorecard_conditions": [f"{name}_{answer}" for name in scorecard_view.CONDITIONS for answer in ("yes", "no")],
    }  # fmt: skip
    missing = [
        (code, group, value)
        for code in LANGUAGES
        for group, values in groups.items()
        for value in values
        if not wording(code).has(group, value)
    ]
    assert missing == []


def test_titles_on_call_pages_lead_to_their_criterion(judging: People) -> None:
    person = judging.person("manager")
    judging.show_results("manager")
    assert 'href="/scorecards/kyiv?version=1#c-greeting"' in person.get("/calls/kyiv-1").text
    assert 'href="/scorecards/kyiv#c-greeting"' in person.get("/centres/kyiv").text
    assert person.get("/scorecards/kyiv/versions/1").headers["location"] == "/scorecards/kyiv"
    assert person.get("/scorecards/kyiv/versions/99").status_code == 404
    assert person.get("/scorecards/kyiv?version=99").status_code == 200  # a call that was judged before versions were stored


@pytest.mark.parametrize("name", [name for name in ACCOUNTS if name not in EDITORS and name != "whole"])
def test_nobody_else_edits(judging: People, name: str) -> None:
    person = judging.person(name)
    for path in EDIT_PAGES:
        assert person.get(path).status_code == 403, path
    for action in ACTIONS:
        assert person.send(f"/scorecards/kyiv/{action}", weight_greeting="7").status_code == 403, action
    assert drafts.load_draft(judging.store, "kyiv") is None


def test_a_manager_of_another_centre_neither_reads_nor_edits(judging: People) -> None:
    whole = judging.person("whole")  # a manager of Kyiv alone
    for path in EDIT_PAGES:
        assert whole.get(path.replace("kyiv", "irkutsk")).status_code == 404, path
    for action in ACTIONS:
        assert whole.send(f"/scorecards/irkutsk/{action}", weight_greeting="7").status_code == 404, action
        assert judging.last_note() | {"subject": None} == {
            "account_name": "whole", "action": judging.last_note()["action"], "outcome": "refused", "subject": None, "centre_id": "irkutsk",
        }  # fmt: skip
    assert drafts.load_draft(judging.store, "irkutsk") is None


def test_forms_without_the_token_are_refused(judging: People) -> None:
    person = judging.person("manager")
    for action in ACTIONS:
        assert person.send(f"/scorecards/kyiv/{action}", token="0" * 64, weight_greeting="7").status_code == 403, action
    assert drafts.load_draft(judging.store, "kyiv") is None


def test_weights_are_saved_as_a_draft_that_any_browser_shows_and_the_calls_keep_their_version(judging: People, profiles: Path) -> None:
    person = judging.person("manager")
    assert person.send("/scorecards/kyiv/edit", weight_greeting="7,5", weight_farewell="5").headers["location"].endswith("?done=saved")
    assert judging.last_note()["action"] == "scorecard_edited"
    assert load_centre("kyiv").scorecard.criteria[0].weight == 5
    person.send("/sign-out")
    again = judging.person("manager").get("/scorecards/kyiv/edit").text
    assert 'name="weight_greeting" value="7.5"' in again and "Weight: 5 → 7.5" in " ".join(again.split())
    other = judging.person("third").get("/scorecards/kyiv/edit").text
    assert "manager is editing this draft too" in other
    text = drafts.load_draft(judging.store, "kyiv").text
    before = (profiles / "kyiv.yaml").read_text()
    assert [line for line in text.splitlines() if line not in before.splitlines()] == ["    - {id: greeting, weight: 7.5}"]


def test_weights_of_others_are_not_overwritten_by_a_page_that_is_older(judging: People) -> None:
    one, two = judging.person("manager"), judging.person("third")
    old = {"weight_greeting": "5", "was_greeting": "5", "weight_farewell": "5", "was_farewell": "5"}
    two.send("/scorecards/kyiv/edit", **(old | {"weight_farewell": "9"}))
    one.send("/scorecards/kyiv/edit", **(old | {"weight_greeting": "7"}))
    draft = drafts.load_draft(judging.store, "kyiv")
    assert draft is not None and "id: greeting, weight: 7}" in draft.text and "id: farewell, weight: 9}" in draft.text


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("250", "250 is out of range (0 to 100); the nearest allowed value is 100."),
        ("-3", "-3 is out of range (0 to 100); the nearest allowed value is 0."),
        ("many", "“many” is not a number; enter one from 0 to 100."),
        ("nan", "“nan” is not a number; enter one from 0 to 100."),
    ],
)
def test_a_wrong_weight_stays_in_its_field_with_the_nearest_allowed_value(judging: People, typed: str, said: str) -> None:
    answer = judging.person("manager").send("/scorecards/kyiv/edit", weight_greeting=typed)
    assert answer.status_code == 400 and answer.text.count(said) == 2  # in the list above, and at the field
    field = re.search(r'<input id="f-weight_greeting".*?>', answer.text, re.S)
    assert field and f'value="{typed}"' in field[0] and 'aria-invalid="true"' in field[0] and "p-weight_greeting" in field[0]
    assert 'href="#f-weight_greeting"' in answer.text


NEW = {
    "rule": "said", "title_en": "Arrival told", "description_en": "The operator says when it arrives.", "weight": "8", "severity": "major", "where": "anywhere",
    "said_like": ["Посилка приїде завтра", "Кур'єр буде до вечора", "It will arrive tomorrow"], "not_like": ["I do not know when"],
    "topics": ["outage"], "directions": ["inbound"], "is_night": "no", "unless_ended_by_abuse": "1", "auto_fail": "1",
}  # fmt: skip


def test_a_new_criterion_is_made_from_examples(judging: People) -> None:
    person = judging.person("manager")
    assert person.send("/scorecards/kyiv/edit/new-criterion", **NEW).headers["location"].endswith("?done=added")
    made = drafts.profile_of("kyiv", drafts.load_draft(judging.store, "kyiv").text).scorecard.criteria[-1]
    assert (made.criterion_id, made.weight, made.severity, made.is_auto_fail) == ("arrival_told", 8, "major", True)
    assert len(made.said_like) == 3 and made.not_like == ("I do not know when",)
    assert (made.applies.topics, made.applies.directions, made.applies.is_night, made.applies.unless_ended_by_abuse) == (
        ("outage",),
        ("inbound",),
        False,
        True,
    )
    assert "Arrival told" in person.get("/scorecards/kyiv/edit").text
    assert person.send("/scorecards/kyiv/edit/new-criterion", **(NEW | {"title_en": "Only counted", "weight": "0"})).status_code == 303
    again = person.send("/scorecards/kyiv/edit/criteria/arrival_told", do="remove")
    assert again.headers["location"].endswith("?done=removed")
    assert "arrival_told" not in drafts.load_draft(judging.store, "kyiv").text


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"title_en": ""}, "title_en", "Enter a title in at least one language."),
        ({"said_like": ["Tomorrow"]}, "said_like-0", "“Tomorrow” is too short: enter a whole sentence of at least 2 words."),
        ({"said_like": [], "not_like": []}, "said_like", "Enter at least one sentence or phrase; otherwise there is nothing to look for."),
        ({"phrases_uk": ["(до вечора"]}, "phrases_uk-0", "cannot be read as a phrase. Without signs it would be: до вечора"),
        ({"severity": "majr"}, "severity", "“majr” is not allowed. Nearest: major. Allowed: minor, major, critical."),
        ({"topics": ["outag"]}, "topics", "“outag” is not allowed. Nearest: outage."),
        ({"id": "Arrival told!"}, "id", "Nearest: arrival_told"),
        ({"id": "greeting"}, "id", "“greeting” exists already; choose another name."),
        ({"title_en": "x" * 90}, "title_en", "Too long: 90 characters, at most 80 are allowed."),
        ({"except_topics": ["outage"]}, "except_topics", "“outage” cannot be both included and excluded."),
    ],
)
def test_what_is_wrong_with_a_criterion_is_said_at_its_field(judging: People, changed: dict[str, object], field: str, said: str) -> None:
    answer = judging.person("manager").send("/scorecards/kyiv/edit/new-criterion", **(NEW | changed))
    assert answer.status_code == 400
    text = " ".join(answer.text.split())
    assert said in text and f'id="p-{field}"' in text and f'href="#f-{field}"' in text and f'id="f-{field}"' in text
    assert 'value="8"' in text  # what was typed stays
    assert drafts.load_draft(judging.store, "kyiv") is None


def test_personal_data_in_an_example_is_masked_before_it_is_stored(judging: People) -> None:
    more = {"said_like": ["Передзвоню вам на номер 067 123 45 67 завтра", "Посилка приїде завтра"]}
    judging.person("manager").send("/scorecards/kyiv/edit/new-criterion", **(NEW | more))
    text = drafts.load_draft(judging.store, "kyiv").text
    assert "[PHONE]" in text and "067" not in text


def test_a_criterion_is_reworded_without_losing_what_it_inherits(judging: People) -> None:
    person = judging.person("manager")
    page = person.get("/scorecards/kyiv/edit/criteria/greeting").text
    form = fields_of(page)
    form |= {"title_hu": "Üdvözlés", "phrases_uk": ["вітаю вас"]}
    assert person.send("/scorecards/kyiv/edit/criteria/greeting", **form).status_code == 303
    criterion = drafts.profile_of("kyiv", drafts.load_draft(judging.store, "kyiv").text).scorecard.criteria[0]
    assert criterion.title["hu"] == "Üdvözlés" and criterion.title["ru"] == "Приветствие" and criterion.phrases["uk"] == ("вітаю вас",)
    assert criterion.weight == 5 and criterion.where == "opening" and criterion.acts == ("greeting",)
    differences = " ".join(person.get("/scorecards/kyiv/edit").text.split())
    assert "Phrases" in differences


@pytest.mark.parametrize(
    "file", ["pipelines/centres/packaged/kredo.yaml", "tests/quality/centres/parcels.yaml", "tests/quality/centres/bank.yaml"]
)
def test_a_form_sent_as_it_is_shown_changes_nothing(judging: People, profiles: Path, file: str) -> None:
    centre_id = Path(file).stem
    (profiles / f"{centre_id}.yaml").write_bytes((ROOT / file).read_bytes())
    drafts.discard_draft(judging.store, centre_id, "admin")
    person, profile = judging.person("admin"), load_centre(centre_id)
    pages = [f"criteria/{c.criterion_id}" for c in profile.scorecard.criteria] + [f"topics/{t.topic_id}" for t in profile.topics]
    for page in (f"/scorecards/{centre_id}/edit/{one}" for one in pages):
        answer = person.send(page, **fields_of(person.get(page).text))
        assert answer.status_code == 303, (page, answer.text[answer.text.find("p-form") :][:500])
        assert drafts.load_draft(judging.store, centre_id) is None, page


QUESTION = """    - id: arrival_time
      rule: question
      question: {en: Did the operator say when the parcel will arrive?}
      answers: {yes: pass, no: unsure}  # the model may miss it
      weight: 10
      title: {en: Arrival time given}
      description: {en: The operator says when the parcel will arrive.}
"""


@pytest.fixture
def asking(profiles: Path) -> str:
    """The page of a criterion that is a question."""
    path = profiles / "kyiv.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("  criteria:\n", f"  criteria:\n{QUESTION}", 1), encoding="utf-8")
    return "/scorecards/kyiv/edit/criteria/arrival_time"


def test_a_question_is_reworded_with_its_answers(judging: People, asking: str) -> None:
    person = judging.person("manager")
    assert "Did the operator say when the parcel will arrive?" in person.get("/scorecards/kyiv").text
    form = fields_of(person.get(asking).text)
    assert (form["answer_yes"], form["answer_no"], form["answer_not_applicable"], form["asks"]) == ("pass", "unsure", "na", "operator")
    assert person.send(asking, **form).status_code == 303 and drafts.load_draft(judging.store, "kyiv") is None  # as it is shown
    form |= {
        "question_uk": "Чи сказав оператор, коли приїде посилка? Мій номер 067 123 45 67",
        "applies_if_en": "The client waits for a parcel.",
    }
    form |= {"answer_no": "fail", "answer_not_applicable": "unsure", "asks": "client"}
    assert person.send(asking, **form).status_code == 303
    found = drafts.profile_of("kyiv", drafts.load_draft(judging.store, "kyiv").text).scorecard.criteria[0]
    assert found.question["en"] == "Did the operator say when the parcel will arrive?" and found.question["uk"].endswith(
        "Мій номер [PHONE]"
    )
    assert (found.applies_if, found.answers, found.asks) == (
        {"en": "The client waits for a parcel."},
        {"not_applicable": "unsure"},
        "client",
    )
    differences = " ".join(person.get("/scorecards/kyiv/edit").text.split())
    assert "Question" in differences and "Whose words must prove the answer: operator → client" in differences


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"question_en": ""}, "question_en", "Enter the question in at least one language."),
        ({"question_en": "x" * 700}, "question_en", "Too long: 700 characters, at most 600 are allowed."),
        ({"applies_if_en": "it"}, "applies_if_en", "“it” is too short"),
        ({"answer_no": "failed"}, "answer_no", "“failed” is not allowed. Nearest: fail."),
        ({"asks": "operators"}, "asks", "“operators” is not allowed. Nearest: operator."),
    ],
)
def test_what_is_wrong_with_a_question_is_said_at_its_field(
    judging: People, asking: str, changed: dict[str, object], field: str, said: str
) -> None:
    person = judging.person("manager")
    answer = person.send(asking, **(fields_of(person.get(asking).text) | changed))
    text = " ".join(answer.text.split())
    assert answer.status_code == 400 and said in text and f'id="p-{field}"' in text and f'href="#f-{field}"' in text
    assert drafts.load_draft(judging.store, "kyiv") is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_form_of_a_question_is_in_every_language(judging: People, asking: str, language: str) -> None:
    person, w = judging.person("manager"), wording(language)
    accounts.set_language(judging.store, accounts.named(judging.store, "manager"), language)
    text = person.get(asking).text
    accounts.set_language(judging.store, accounts.named(judging.store, "manager"), "en")
    for said in (w("sc_question_hint"), w.label("scorecard_fields", "answer_not_applicable"), w.label("scorecard_fields", "applies_if")):
        assert said in html.unescape(text)


def test_the_same_criterion_saved_by_two_is_not_lost_silently(judging: People) -> None:
    one, two = judging.person("manager"), judging.person("third")
    form = fields_of(one.get("/scorecards/kyiv/edit/criteria/farewell").text)
    two.send("/scorecards/kyiv/edit/criteria/farewell", **(form | {"weight": "9"}))
    answer = one.send("/scorecards/kyiv/edit/criteria/farewell", **(form | {"weight": "3"}))
    assert answer.status_code == 400 and "third changed this meanwhile." in answer.text and 'value="3"' in answer.text
    assert one.send("/scorecards/kyiv/edit/criteria/farewell", **(fields_of(answer.text) | {"weight": "3"})).status_code == 303


def test_topics_are_made_changed_and_removed(judging: People) -> None:
    person = judging.person("manager")
    new = {"title_en": "Solar panels", "examples": ["I want to sell my solar power", "У мене сонячна станція"], "upsetting": "1"}
    assert person.send("/scorecards/kyiv/edit/new-topic", **new).status_code == 303
    person.send(
        "/scorecards/kyiv/edit/topics/outage",
        **(fields_of(person.get("/scorecards/kyiv/edit/topics/outage").text) | {"description": "No light"}),
    )
    person.send("/scorecards/kyiv/edit/topics/prank", do="remove")
    profile = drafts.profile_of("kyiv", drafts.load_draft(judging.store, "kyiv").text)
    topics = {topic.topic_id: topic for topic in profile.topics}
    assert topics["solar_panels"].is_upsetting and len(topics["solar_panels"].examples) == 2
    assert topics["outage"].description == "No light" and "prank" not in topics
    answer = person.send("/scorecards/kyiv/edit/new-topic", title_en="Empty one")
    assert answer.status_code == 400 and "so that the topic can be recognised" in answer.text


def test_autosave_answers_with_what_is_wrong_and_saves_what_is_right(judging: People) -> None:
    person = judging.person("manager")
    form = fields_of(person.get("/scorecards/kyiv/edit/criteria/greeting").text) | {"autosave": "1"}
    wrong = person.send("/scorecards/kyiv/edit/criteria/greeting", **(form | {"weight": "x"}))
    assert wrong.status_code == 400 and wrong.json()["problems"] == ["weight"]
    right = person.send("/scorecards/kyiv/edit/criteria/greeting", **(form | {"weight": "6"}))
    assert right.status_code == 200 and right.json()["seen"] != form["seen"]
    assert "id: greeting, weight: 6}" in drafts.load_draft(judging.store, "kyiv").text


def test_errors_are_shown_in_the_readers_language(judging: People) -> None:
    person, w = judging.person("manager"), wording("uk")
    accounts.set_language(judging.store, accounts.named(judging.store, "manager"), "uk")
    answer = person.send("/scorecards/kyiv/undo")
    assert answer.status_code == 400 and "Повертати нічого: «kyiv» не має версії до 1." in answer.text
    person.send("/scorecards/kyiv/edit", weight_greeting="7", was_greeting="5")
    with judging.store.writing() as connection:
        connection.execute("update scorecard_drafts set text = replace(text, 'weight: 7', 'weight: 700') where centre_id = 'kyiv'")
    page = html.unescape(person.get("/scorecards/kyiv/edit").text)
    accounts.set_language(judging.store, accounts.named(judging.store, "manager"), "en")
    assert w("sc_broken") in page and w("sc_err_said") in page  # what a file's check says is quoted, with line and value
    assert re.search(r'<code class="quoted" lang="en">kyiv.yaml line \d+: .*700.*</code>', page)


def test_a_draft_is_discarded(judging: People) -> None:
    person = judging.person("manager")
    person.send("/scorecards/kyiv/edit", weight_greeting="7")
    assert person.send("/scorecards/kyiv/edit/discard").status_code == 303
    assert drafts.load_draft(judging.store, "kyiv") is None and judging.last_note()["action"] == "scorecard_draft_discarded"


def fields_of(page: str) -> dict[str, object]:
    """The fields of a criterion's or topic's form as its page shows them."""
    form = page[page.index('class="editing"') :].split("</form>")[0]
    found: dict[str, object] = {}
    for tag in re.findall(r"<input[^>]*>", form, re.S):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name is None or name[1] == "token" or ('type="checkbox"' in tag and " checked" not in tag):
            continue
        found.setdefault(name[1], [])
        found[name[1]].append(html.unescape(value[1]) if value else "")  # type: ignore[attr-defined]
    for name, text in re.findall(r'<textarea[^>]*name="([^"]*)"[^>]*>(.*?)</textarea>', form, re.S):
        found[name] = html.unescape(text)
    for name, options in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', form, re.S):
        chosen = re.search(r'value="([^"]*)" selected', options)
        found[name] = chosen[1] if chosen else ""
    return {name: value[0] if isinstance(value, list) and len(value) == 1 else value for name, value in found.items()}
