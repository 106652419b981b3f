from __future__ import annotations

from pathlib import Path

import pytest

from models.languages.language import LANGUAGES
from pipelines.centres.profile import CENTRES, load_centre, read_centre
from pipelines.core.errors import MisconfiguredError
from pipelines.core.profile_files import centre_ids
from pipelines.core.settings import ROOT

USUAL = {
    "greeting", "company_named", "operator_named", "client_identified", "hold_announced", "hold_thanked", "empathy_shown", "solution_given",
    "self_service_offered", "anything_else", "farewell", "no_forbidden_words", "abuse_procedure", "night_rule", "redirected",
    "callback_reason",
}  # fmt: skip


def changed(tmp_path: Path, old: str, new: str) -> Path:
    """The Irkutsk profile with one thing changed."""
    text = (CENTRES / "irkutsk.yaml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "irkutsk.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


@pytest.mark.parametrize("centre_id", ["irkutsk", "kredo", "kyiv", "motiv", "odesa"])
def test_every_centre_can_use_the_usual_criteria_in_all_languages(centre_id: str) -> None:
    centre = load_centre(centre_id)
    assert {c.criterion_id for c in centre.scorecard.criteria} >= USUAL
    assert set(centre.company_names) >= set(centre.languages)
    for criterion in centre.scorecard.criteria:
        assert set(criterion.title) == set(criterion.description) == set(LANGUAGES)
        assert criterion.weight > 0


def test_the_centres_own_rules_stand_in_their_scorecards() -> None:
    own = {c: {k.criterion_id for k in load_centre(c).scorecard.criteria} for c in centre_ids()}
    assert load_centre("irkutsk").hours.is_night(20) and load_centre("irkutsk").hours.is_night(7)
    assert not load_centre("irkutsk").hours.is_night(8) and not load_centre("kyiv").hours.is_night(3)
    assert "same_attitude" in own["kyiv"] and "considerate_thanked" in own["odesa"]
    assert {"good_impression", "request_taken"} <= own["kredo"] and "code_word_asked" in own["motiv"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("id: greeting, weight", "id: greating, weight", ["irkutsk.yaml line", "'greating'", "Did you mean 'greeting'"]),
        ("weight: 5}", "weight: lots}", ["line", "'lots'", "0 to 100"]),
        ("weight: 5}", "weight: 500}", ["line", "500", "0 to 100"]),
        ("Asia/Irkutsk", "Asia/Irkutks", ["'Asia/Irkutks'", "Asia/Irkutsk"]),
        ("languages: [ru]", "languages: [rus]", ["'rus'", "ru", "Allowed"]),
        ("procedure: {warnings: 1", "procedure: {warning: 1", ["'warning'", "'warnings'"]),
        ("readings: [meter_reading]", "readings: [meter_readings]", ["'meter_readings'", "'meter_reading'"]),
        ("id: company_named, weight", "id: greeting, weight", ["'greeting'", "twice"]),
        ("centre: irkutsk", "centre: irk", ["'irk'", "irkutsk.yaml"]),
        ("timezone: Asia/Irkutsk\n", "", ["'timezone' is missing"]),
        ("scorecard:", "scorecard: [", ["not YAML", "line"]),
        ("[центр обслуживания, ", "[(центр обслуживания, ", ["line", "phrase"]),
    ],
)
def test_a_mistake_is_reported_with_its_line_value_and_nearest_match(tmp_path: Path, old: str, new: str, told: list[str]) -> None:
    with pytest.raises(MisconfiguredError) as error:
        read_centre(changed(tmp_path, old, new))
    for part in told:
        assert part in str(error.value)


def test_several_mistakes_are_reported_at_once_each_with_its_line(tmp_path: Path) -> None:
    path = changed(tmp_path, "max_hold_s: 90\ndead_air_s: 5", "max_hold_s: long\ndead_aire_s: 5\nrest: {abusive_calls: 0}")
    with pytest.raises(MisconfiguredError) as error:
        read_centre(path)
    first = path.read_text(encoding="utf-8").splitlines().index("max_hold_s: long") + 1
    told = str(error.value).splitlines()
    for line, said in enumerate(
        (
            "max_hold_s is 'long'; it must be a number from 1 to 3600",
            "'dead_aire_s' is not known. Did you mean 'dead_air_s'",
            "abusive_calls is '0'; it must be from 1 to 100",
        ),
        first,
    ):
        assert any(f"line {line}: " in one and said in one for one in told)


def test_the_line_is_the_right_one(tmp_path: Path) -> None:
    path = changed(tmp_path, "id: farewell, weight", "id: fairwell, weight")
    line = next(n for n, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1) if "fairwell" in text)
    with pytest.raises(MisconfiguredError, match=f"line {line}: "):
        read_centre(path)


def test_an_unknown_centre_names_the_nearest() -> None:
    with pytest.raises(MisconfiguredError, match=r"'odessa'.*'odesa'"):
        load_centre("odessa")


def test_every_criterion_is_in_the_documentation() -> None:
    page = (ROOT / "docs" / "scorecards.md").read_text(encoding="utf-8")
    for centre_id in centre_ids():
        for criterion in load_centre(centre_id).scorecard.criteria:
            assert f"`{criterion.criterion_id}`" in page
