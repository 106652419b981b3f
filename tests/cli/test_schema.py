"""The JSON Schemas for editors: they accept the shipped files and the documented examples, and reject the usual mistakes."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from pipelines.__main__ import main
from pipelines.centres.profile import CENTRES, SHARED_CRITERIA
from pipelines.cli.schema import FILES, schema
from pipelines.core.profile_files import centre_ids
from pipelines.core.settings import ROOT


def problems(name: str, text: str) -> list[str]:
    """What an editor would underline."""
    return [error.message for error in Draft202012Validator(schema(name)).iter_errors(yaml.safe_load(text))]


def documented(page: str, first: str) -> str:
    """The YAML on a page of the documentation that begins with a word."""
    (found,) = re.findall(rf"```yaml\n({first}:.*?)```", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.DOTALL)
    return str(found)


@pytest.mark.parametrize("centre_id", centre_ids())
def test_every_packaged_profile_is_valid(centre_id: str) -> None:
    assert problems("profile", (CENTRES / f"{centre_id}.yaml").read_text(encoding="utf-8")) == []


def test_the_shared_criteria_and_the_examples_of_the_documentation_are_valid() -> None:
    assert problems("criteria", SHARED_CRITERIA.read_text(encoding="utf-8")) == []
    assert problems("alerts", documented("alerts.md", "link")) == []
    assert problems("openid", documented("web.md", "issuer")) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("id: greeting, weight", "id: greating, weight", "'greating'"),
        ("id: greeting, weight", "id: greeting, wieght", "'wieght' was unexpected"),
        ("weight: 5}", "weight: lots}", "'lots' is not of type 'number'"),
        ("weight: 5}", "weight: 500}", "500 is greater than the maximum of 100"),
        ("languages: [ru]", "languages: [rus]", "'rus' is not one of"),
        ("phrases: {ru:", "phrases: {rus:", "is not valid under any"),
        ("procedure: {warnings: 1", "procedure: {warning: 1", "'warning' was unexpected"),
        ("timezone: Asia/Irkutsk\n", "", "'timezone' is a required property"),
    ],
)
def test_a_usual_mistake_in_a_profile_is_underlined(old: str, new: str, said: str) -> None:
    text = (CENTRES / "irkutsk.yaml").read_text(encoding="utf-8")
    assert old in text
    (problem,) = problems("profile", text.replace(old, new, 1))
    assert said in problem


def fields(part: Any) -> dict[str, Any]:
    """All fields below a part of a schema, except languages and topics."""
    found: dict[str, Any] = {}
    for name, value in part.items() if isinstance(part, dict) else ():
        if name == "properties" and part.get("title"):
            found |= value
        found |= fields(value)
    return found


@pytest.mark.parametrize("name", FILES)
def test_the_command_prints_a_schema_in_which_every_field_is_explained(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", name]) == 0
    printed = json.loads(capsys.readouterr().out)
    Draft202012Validator.check_schema(printed)
    assert fields(printed) and [field for field, value in fields(printed).items() if not value.get("description")] == []
