"""Questions in a profile: what a manager writes, and what is said about a mistake, with its line and the nearest allowed value."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.centres.profile import CENTRES, read_centre
from pipelines.core.errors import MisconfiguredError
from pipelines.core.preflight import check
from pipelines.core.settings import ROOT, Settings
from pipelines.questions.prompt import question_of

LINE = "    - {id: greeting, weight: 5}\n"
DOCUMENTED = (ROOT / "docs" / "questions.md").read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]


def profile(folder: Path, criterion: str) -> Path:
    """The profile of Irkutsk with one more criterion at the top of its scorecard."""
    text = (CENTRES / "irkutsk.yaml").read_text(encoding="utf-8")
    assert LINE in text
    path = folder / "irkutsk.yaml"
    path.write_text(text.replace(LINE, criterion + LINE, 1), encoding="utf-8")
    return path


def test_the_documented_question_is_read_and_asked_in_the_language_of_the_centre(tmp_path: Path) -> None:
    indented = "".join(f"    {line}\n" for line in DOCUMENTED.splitlines())
    centre = read_centre(profile(tmp_path, indented))
    question = question_of(centre.scorecard.criteria[0], centre)
    assert (question.text, question.role) == ("Сказал ли оператор, когда придёт посылка?", "operator")
    assert question.answers == ("yes", "no", "unsure")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ("rule: question", "needs a question, such as {en: Did the operator ...?}"),
        ("rule: said, acts: [thanks], question: {en: Did it go well?}", "belong to the rule 'question'"),
        ("rule: question, question: {en: Was it?}, answers: {yess: pass}", "field 'yess' is not known. Did you mean 'yes'?"),
        ("rule: question, question: {en: Was it?}, answers: {yes: passed}", "Did you mean 'pass'?"),
        ("rule: question, question: {en: Was it?}, asks: operators", "Did you mean 'operator'?"),
        ("rule: question, question: {eng: Was it?}", "Did you mean 'en'?"),
        ("rule: question, questions: {en: Was it?}", "Did you mean 'question'?"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, fields: str, said: str) -> None:
    criterion = f"    - {{id: mine, weight: 1, title: {{en: Mine}}, description: {{en: Mine.}}, {fields}}}\n"
    path = profile(tmp_path, criterion)
    number = path.read_text(encoding="utf-8").splitlines().index(criterion.rstrip()) + 1
    with pytest.raises(MisconfiguredError) as error:
        read_centre(path)
    assert said in str(error.value) and f"irkutsk.yaml line {number}: " in str(error.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"questions_url": "https://8.8.8.8/v1", "questions_model": "m"}, "outside the private address space"),
        ({"questions_weights": ROOT / "docs"}, "no config.json"),
    ],
)
def test_what_would_fail_later_is_said_before_any_work(settings: Settings, changes: dict[str, object], said: str) -> None:
    with pytest.raises(MisconfiguredError, match=said):
        check(settings.with_(**changes), verify_models=False, job="text")
