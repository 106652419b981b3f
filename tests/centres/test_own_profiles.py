"""Centres of one's own: profiles in a folder outside the package, with topics, lines, client types and criteria of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.alerts.rules import read_rulebook
from pipelines.centres.names import all_topics
from pipelines.centres.profile import CENTRES, load_centre
from pipelines.centres.vocabulary import CLIENT_TYPES
from pipelines.core import versions
from pipelines.core.errors import MisconfiguredError
from pipelines.core.profile_files import centre_ids
from pipelines.core.settings import Settings
from pipelines.i18n.wording import wording

PROFILE = """\
centre: parcels
name: Swift Parcels
timezone: Europe/Moscow
languages: [en, ru]
company_names: {en: [Swift Parcels], ru: [Посылка Экспресс]}
hours: {day_from: 8, day_to: 20, night_topics: [lost]}
lines: [first, {id: depot, title: {en: Depot desk, ru: Склад}}]
topics:
  - complaint
  - other
  - id: where_is_parcel
    title: {en: Where is my parcel, ru: Где посылка}
    description: The client asks where a parcel is.
    examples: [Where is my parcel, Где моя посылка]
  - {id: lost, description: A parcel is lost., upsetting: true}
client_types: [addressed, rude, {id: sender, title: {en: Sender}, said_like: [I am sending a parcel, Хочу отправить посылку]}]
menu_topics: {tracking: [where_is_parcel, lost]}
scorecard:
  id: parcels
  version: "1"
  owner: quality
  effective_from: "2026-01-01"
  criteria:
    - {id: greeting, weight: 5}
    - id: code_sent
      rule: said
      weight: 10
      applies: {topics: [where_is_parcel], lines: [depot]}
      title: {en: Pick-up code sent}
      description: {en: The operator says that the pick-up code was sent.}
      phrases: {en: [code ... sent]}
      said_like: [I have sent you the pick-up code, The code is in the message we sent]
      not_like: [You will need the code]
"""


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "centres"
    folder.mkdir()
    (folder / "parcels.yaml").write_text(PROFILE, encoding="utf-8")
    monkeypatch.setenv("CALLGRADE_CENTRES", str(folder))
    return folder


def test_centres_of_a_folder_join_the_packaged_ones_and_replace_those_of_the_same_id(outside: Path) -> None:
    kyiv = (CENTRES / "kyiv.yaml").read_text(encoding="utf-8").replace("\nname:", "\nname: Our own #", 1)
    (outside / "kyiv.yaml").write_text(kyiv, encoding="utf-8")
    assert {"parcels", "kyiv", "general", "odesa"} <= set(centre_ids())
    assert load_centre("kyiv").name == "Our own"
    own = load_centre("parcels")
    assert own.topic_ids == ("complaint", "other", "where_is_parcel", "lost")
    assert own.topic_examples["where_is_parcel"] == ("The client asks where a parcel is.", "Where is my parcel", "Где моя посылка")
    assert own.upsetting_topics == {"complaint", "lost"}
    assert "where_is_parcel" in all_topics()


def test_a_profile_that_is_changed_by_hand_is_read_again(outside: Path) -> None:
    before = versions.graded_by("offline", "parcels"), versions.graded_by("offline", "kyiv")
    path = outside / "parcels.yaml"
    path.write_text(PROFILE.replace("weight: 10", "weight: 12"), encoding="utf-8")
    assert load_centre("parcels").scorecard.criteria[1].weight == 12
    assert versions.graded_by("offline", "parcels") != before[0]
    assert versions.graded_by("offline", "kyiv") == before[1]  # nothing changed for the others


def test_own_values_have_their_names_on_pages(outside: Path) -> None:
    ru, hu = wording("ru"), wording("hu")
    assert ru.label("topics", "where_is_parcel") == "Где посылка" and hu.label("topics", "where_is_parcel") == "Where is my parcel"
    assert ru.label("lines", "depot") == "Склад" and hu.label("client_types", "sender") == "Sender"
    assert ru.label("criteria", "code_sent") == "Pick-up code sent"
    assert ru.label("topics", "lost") == "lost"  # no title was given


def test_a_wrong_profile_takes_no_names_from_the_others(outside: Path) -> None:
    (outside / "broken.yaml").write_text("centre: broken\nname: [", encoding="utf-8")
    assert wording("ru").label("topics", "where_is_parcel") == "Где посылка"
    with pytest.raises(MisconfiguredError, match=r"broken\.yaml line 3 is not YAML"):
        load_centre("broken")


def test_alerts_may_count_own_topics(outside: Path, tmp_path: Path) -> None:
    rules = tmp_path / "alerts.yaml"
    rules.write_text(
        "link: https://calls.example\nchannels: {duty: {webhook: {url: https://hooks.example/x}}}\n"
        "rules: {lost: {kind: topic_spike, topics: [lost], to: [duty]}}\n",
        encoding="utf-8",
    )
    assert read_rulebook(rules).rules["lost"].topics == ("lost",)
    rules.write_text(rules.read_text(encoding="utf-8").replace("[lost]", "[lots]"), encoding="utf-8")
    with pytest.raises(MisconfiguredError, match="Did you mean 'lost'"):
        read_rulebook(rules)


def test_the_folder_reaches_every_process_of_a_run(outside: Path) -> None:
    settings = Settings.from_environment()
    assert settings.centres == outside and settings.as_environment()["CALLGRADE_CENTRES"] == str(outside)


def test_a_missing_folder_is_reported_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "--centres", str(tmp_path / "nowhere")]) == 2
    assert "callgrade centre new ID" in capsys.readouterr().err
    monkeypatch.setenv("CALLGRADE_CENTRES", str(tmp_path / "nowhere"))
    with pytest.raises(MisconfiguredError, match="there is no folder"):
        Settings.from_environment()


def test_the_known_client_types_are_those_of_the_model() -> None:
    from models.text import turn_model

    assert CLIENT_TYPES == turn_model.CLIENT_TYPES


MISTAKES = [
    ("lines: [first", "lines: [First", "'First' is no id"),
    ("id: depot", "id: the depot", "'the depot' is no id"),
    ("  - complaint", "  - complaints", "Did you mean 'complaint'"),
    ("  - other\n", "  - other\n  - other\n", "'other' is listed twice"),
    ("description: The client asks where a parcel is.\n    examples: [Where is my parcel, Где моя посылка]", "examples: []", "give it a description"),
    ("examples: [Where is my parcel", "examples: [Where, is my parcel", "'Where' is too short"),
    ("title: {en: Where", "titel: {en: Where", "Did you mean 'title'"),
    ("title: {en: Where is my parcel, ru:", "title: {en: Where is my parcel, rus:", "'rus' is not known. Did you mean 'ru'"),
    ("upsetting: true", "upsetting: certainly", "'certainly' is not known"),
    ("client_types: [addressed", "client_types: [adressed", "Did you mean 'addressed'"),
    (", said_like: [I am sending a parcel, Хочу отправить посылку]", "", "give `said_like`"),
    ("tracking: [where_is_parcel", "tracking: [where_is_the_parcel", "Did you mean 'where_is_parcel'"),
    ("night_topics: [lost]", "night_topics: [last]", "Did you mean 'lost'"),
    ("applies: {topics: [where_is_parcel]", "applies: {topics: [where_is_my_parcel]", "Did you mean 'where_is_parcel'"),
    ("lines: [depot]", "lines: [depots]", "Did you mean 'depot'"),
    ("rule: said", "rule: saidd", "Did you mean 'said'"),
    ("weight: 10", "weight: ten", "it must be a number from 0 to 100"),
    ("phrases: {en: [code ... sent]}", "phrases: {en: ['(code ... sent']}", "phrase"),
    ("said_like: [I have sent you the pick-up code, The code is in the message we sent]\n", "\n", "not_like without said_like"),
    ("timezone: Europe/Moscow", "timezone: Europe/Moskow", "Did you mean 'Europe/Moscow'"),
    ("ru: [Посылка Экспресс]", "hu: [Посылка Экспресс]", "no list for language 'ru'"),
    ("day_to: 20", "day_to: 25", "it must be from 0 to 24"),
    ("centre: parcels", "centre: parcel", "the file is named parcels.yaml"),
    ('  effective_from: "2026-01-01"\n', "", "'effective_from' is missing"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES)
def test_check_names_line_value_and_nearest_allowed_value(
    outside: Path, old: str, new: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert old in PROFILE
    (outside / "parcels.yaml").write_text(PROFILE.replace(old, new, 1), encoding="utf-8")
    assert main(["centre", "check", str(outside)]) == 2
    said = capsys.readouterr().err
    assert "parcels.yaml line " in said and message in said


def test_check_says_what_would_be_better(outside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["centre", "check", str(outside)]) == 0
    said = capsys.readouterr().out
    assert "parcels.yaml: right; 4 topics, 2 criteria" in said
    assert "topic lost: 0 examples" in said and "criterion code_sent: 2 examples" in said
    (outside / "other.yml").write_text("x: 1", encoding="utf-8")
    assert main(["centre", "check", str(outside)]) == 2
    assert "rename the file to other.yaml" in capsys.readouterr().err


def test_new_writes_a_profile_that_is_right_and_can_be_graded_by(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "own"
    command = ["centre", "new", "depot_7", str(folder), "--name", "Депо: сім", "--languages", "uk, en", "--timezone", "Europe/Kyiv"]
    given = [
        "--company",
        "Депо Сім, депо",
        "--hours",
        "8-20",
        "--lines",
        "first, depot",
        "--topics",
        "complaint; stolen_bike: a bike was stolen; other",
    ]
    assert main([*command, *given]) == 0
    assert f"callgrade centre check {folder}" in capsys.readouterr().out
    assert main(["centre", "check", str(folder)]) == 0
    assert os.listdir(folder) == ["depot_7.yaml"]
    text = (folder / "depot_7.yaml").read_text(encoding="utf-8")
    assert 'name: "Депо: сім"' in text and "hours: {day_from: 8, day_to: 20}" in text
    assert main([*command, *given]) == 2  # never overwrites
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--languages", "uk, pl", "'pl' is not known"),
        ("--timezone", "Europe/Kiyv", "Did you mean 'Europe/Ki"),
        ("--hours", "from eight", "give the hours"),
        ("--lines", "First", "'First' is no id"),
        ("--topics", "Велика тема: щось", "is no id"),
    ],
)
def test_new_refuses_a_wrong_answer_and_leaves_no_file(
    tmp_path: Path, option: str, value: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["centre", "new", "x", str(tmp_path / "own"), "--languages", "uk", option, value]) == 2
    assert message in capsys.readouterr().err
    assert not list((tmp_path / "own").glob("**/*")) if (tmp_path / "own").exists() else True
