"""The editor changes a value of a profile's YAML and nothing else."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.centres.profile import CENTRES, parse_centre
from pipelines.core.errors import MisconfiguredError
from pipelines.scorecards.editing import (
    AddCriterion,
    AddTopic,
    Change,
    RemoveCriterion,
    RemoveTopic,
    SetCriterion,
    SetScorecard,
    SetTopic,
    edit,
)
from pipelines.scorecards.rewriting import as_data, read, rewrite

TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(CENTRES.glob("*.yaml"))}
KREDO = TEXTS["kredo"]
SAID = {"id": "pick_up_code", "rule": "said", "weight": 8, "title": {"en": "Pick-up code sent"}, "description": {"en": "The operator sends it."},
        "said_like": ["I have just sent you the code, please check", "You will get a text message with the code"]}  # fmt: skip


def changed_lines(before: str, after: str) -> list[str]:
    return [line for line in difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="") if line[0] in "+-"][2:]


def scalars(node: yaml.Node) -> list[yaml.ScalarNode]:
    if isinstance(node, yaml.MappingNode):
        return [leaf for _, value in node.value for leaf in scalars(value)]
    return [leaf for item in node.value for leaf in scalars(item)] if isinstance(node, yaml.SequenceNode) else [node]  # type: ignore[list-item]


def put(data: Any, leaf: int, value: str) -> Any:
    """The data with its n-th scalar replaced."""
    left = [leaf]

    def walk(one: Any) -> Any:
        if isinstance(one, dict):
            return {name: walk(inner) for name, inner in one.items()}
        if isinstance(one, list):
            return [walk(inner) for inner in one]
        left[0] -= 1
        return value if left[0] == -1 else one

    return walk(data)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(TEXTS)), st.integers(0, 10**6), st.text(min_size=1, max_size=40))
def test_an_edit_changes_nothing_but_the_value(centre: str, number: int, value: str) -> None:
    text = TEXTS[centre]
    leaves = scalars(yaml.compose(text, Loader=yaml.SafeLoader))
    number %= len(leaves)
    wanted = put(read(text), number, value)
    changed = rewrite(text, wanted)
    assert read(changed) == wanted
    start, end = leaves[number].start_mark.index, leaves[number].end_mark.index
    assert changed.startswith(text[:start]) and changed.endswith(text[end:])


VALUES = st.recursive(
    st.text(max_size=12) | st.integers(-5, 5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcde", min_size=1, max_size=3), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.text("abcde", min_size=1, max_size=2), VALUES, min_size=1, max_size=5), st.data())
def test_any_change_of_any_layout_gives_the_data_asked_for(before: dict[str, Any], data: st.DataObject) -> None:
    style = data.draw(st.sampled_from([None, True, False]))
    text = "# first\n" + yaml.safe_dump(before, default_flow_style=style, allow_unicode=True) + "# last\n"
    after = data.draw(st.dictionaries(st.sampled_from(sorted(before)), VALUES, min_size=1)) | data.draw(
        st.dictionaries(st.text("abcde", min_size=1, max_size=2), VALUES, max_size=2)
    )
    try:
        changed = rewrite(text, as_data(after))
    except MisconfiguredError as error:
        assert "layout" in str(error)
        return
    assert read(changed) == as_data(after)
    assert changed.startswith("# first\n") and changed.endswith("# last\n")


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (SetCriterion("greeting", "weight", 7.5), ["-    - {id: greeting, weight: 5}", "+    - {id: greeting, weight: 7.5}"]),
        (SetCriterion("night_rule", "weight", 3), ["-    - {id: night_rule, weight: 6}  # asked only where hours are set", "+    - {id: night_rule, weight: 3}  # asked only where hours are set"]),
        (SetCriterion("farewell", "auto_fail", True), ["-    - {id: farewell, weight: 5}", "+    - {id: farewell, weight: 5, auto_fail: true}"]),
        (SetCriterion("good_impression", "severity", None), ["-      severity: major"]),
        (SetCriterion("request_taken", "title", "Order: taken", "en"), ["-      title: {en: Request taken, ru: Заявка принята, uk: Заявку прийнято, hu: Igény felvéve}", '+      title: {en: "Order: taken", ru: Заявка принята, uk: Заявку прийнято, hu: Igény felvéve}']),
        (RemoveCriterion("night_rule"), ["-    - {id: night_rule, weight: 6}  # asked only where hours are set"]),
        (SetScorecard("version", "2"), ['-  version: "1"', '+  version: "2"']),
    ],
)  # fmt: skip
def test_the_diff_of_an_edit_is_its_line(change: Change, lines: list[str]) -> None:
    changed = edit(KREDO, [change])
    assert changed_lines(KREDO, changed) == lines
    parse_centre(changed, "kredo", "a draft")


def test_one_language_of_a_shared_title_keeps_the_others() -> None:
    changed = parse_centre(edit(KREDO, [SetCriterion("greeting", "title", "Says hello", "en")]), "kredo", "a draft")
    before = parse_centre(KREDO, "kredo", "a draft").scorecard.criteria[0].title
    assert changed.scorecard.criteria[0].title == {**before, "en": "Says hello"}


def test_criteria_and_topics_come_and_go() -> None:
    changed = edit(
        KREDO,
        [
            AddCriterion(SAID),
            SetTopic("debt", "examples", ["I have a debt that is not mine", "What do I owe you now?"]),
            AddTopic({"id": "parcel", "description": "Where a parcel is"}),
            RemoveTopic("prank"),
        ],
    )
    centre = parse_centre(changed, "kredo", "a draft")
    assert centre.scorecard.criteria[-1].criterion_id == "pick_up_code" and centre.scorecard.criteria[-1].weight == 8
    assert "parcel" in centre.topic_ids and "prank" not in centre.topic_ids
    assert centre.topic_examples["debt"] == ("I have a debt that is not mine", "What do I owe you now?")
    assert [line for line in changed_lines(KREDO, changed) if line[0] == "-"] == [
        next(f"-{li}" for li in KREDO.splitlines() if li.startswith("topics:"))
    ]
    assert edit(changed, [RemoveCriterion("pick_up_code")]).count("\n") == KREDO.count("\n")


def test_an_example_more_is_one_line_more(tmp_path: Path) -> None:
    text = edit(KREDO, [AddCriterion(SAID)])
    more = edit(text, [SetCriterion("pick_up_code", "said_like", [*SAID["said_like"], "The code comes by e-mail"])])  # type: ignore[misc]
    assert changed_lines(text, more) == ["+        - The code comes by e-mail"]


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(MisconfiguredError, match=r"“greting” is no longer in the draft; .* The draft has: greeting, "):
        edit(KREDO, [SetCriterion("greting", "weight", 1)])


def test_a_question_in_braces_is_changed_in_place() -> None:
    text = KREDO.replace("  criteria:\n", "  criteria:\n    - {id: asked, rule: question, question: {en: Did it go well?}, weight: 3}\n", 1)
    changed = edit(
        text, [SetCriterion("asked", "question", {"en": "Did it go on?", "uk": "Чи все добре?"}), SetCriterion("greeting", "weight", 7)]
    )
    assert '    - {id: asked, rule: question, question: {en: "Did it go on?", uk: "Чи все добре?"}, weight: 3}' in changed.splitlines()
    assert len(changed_lines(text, changed)) == 4
