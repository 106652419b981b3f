"""Every explanation that a rule may give exists in every language of the pages."""

from __future__ import annotations

import ast
import json
import string
from pathlib import Path

import pytest
import yaml

from pipelines.centres.scorecard import DIRECTIONS
from pipelines.centres.vocabulary import LINES, TOPICS
from pipelines.i18n.wording import FOLDER, LANGUAGES, wording
from pipelines.score import explanations
from pipelines.score.explanations import Explanation, read_why, why
from pipelines.score.procedure import OUTCOMES
from tests.score.spoken import turns_of
from tests.score.test_compliance import GOOD, verdicts

SENTENCES = {code: yaml.safe_load((FOLDER / f"{code}.yaml").read_text(encoding="utf-8"))["explanations"] for code in LANGUAGES}


def places(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


def given_by_rules() -> dict[str, set[str]]:
    """Each key that the rules write down, with the names of its values; outcomes are keys as well."""
    found: dict[str, set[str]] = {outcome: set() for outcome in OUTCOMES}
    for file in Path(explanations.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            is_reason = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "why"
            if is_reason and isinstance(node.args[0], ast.Constant):
                values = {keyword.arg or "" for keyword in node.keywords}
                assert found.setdefault(node.args[0].value, values) == values, node.args[0].value
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_reason_has_a_sentence_with_its_values_and_each_sentence_a_rule(language: str) -> None:
    assert {key: places(sentence) for key, sentence in SENTENCES[language].items()} == given_by_rules()


def test_no_sentence_was_left_in_another_language() -> None:
    for key in SENTENCES["en"]:
        assert len({SENTENCES[code][key] for code in LANGUAGES}) == len(LANGUAGES), key


def test_a_reason_reads_as_a_sentence_with_names_for_its_values() -> None:
    reason = why("not_asked", because=why("because_of_topic", topic="meter_reading", topics=("balance", "payment", "debt")))
    kept = reason.as_json
    assert read_why(kept) == reason
    assert (
        reason.text
        == "Does not apply to this call: the topic is “meter reading”, and the criterion applies to “balance”, “payment” or “debt”."
    )
    assert wording("ru").explain(kept) == (
        "К этому звонку не применяется: тема звонка — «показания счётчика», а критерий применяется только при теме «баланс», «оплата» или «задолженность»."
    )
    assert "1 з 2" in wording("uk").explain(why("too_few_warnings", given=1, needed=2).as_json)


def test_words_of_a_person_and_reasons_of_another_version_are_displayed_as_written() -> None:
    w = wording("hu")
    assert w.explain(None, "Meghallgattam.") == "Meghallgattam."
    assert w.explain("{}", "Meghallgattam.") == "Meghallgattam."
    assert w.explain(json.dumps({"key": "a_later_reason"}), "As it was.") == "As it was."


def test_a_reason_without_a_sentence_is_a_mistake_of_its_rule() -> None:
    with pytest.raises(KeyError, match=r"strings/\*\.yaml"):
        _ = Explanation("nobody_wrote_this").text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_value_that_a_reason_may_hold_has_a_name(language: str) -> None:
    w = wording(language)
    for group, values in (("topics", TOPICS), ("directions", DIRECTIONS), ("lines", LINES), ("outcomes", OUTCOMES)):
        assert not [value for value in values if not w.has(group, value)], group


def test_the_least_likely_condition_is_the_reason() -> None:
    asked = verdicts("irkutsk", turns_of(*GOOD))["callback_reason"]
    assert asked.explanation == "Does not apply to this call: the type of call is “inbound”."
    assert read_why(asked.explanation_json) == why("not_asked", because=why("because_of_direction", direction="inbound"))
