"""Invented criteria with sentences of operators that meet them and similar ones that do not: the training data of the example matcher.

`criteria/w<number of the writer>.jsonl`, one criterion a line: id, industry, description, and by language the sentences `like` and
`unlike`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "criteria"


@dataclass(frozen=True, slots=True)
class ExampleCriterion:
    """One criterion; sentences by language."""

    criterion_id: str
    writer: int
    description: str
    like: Mapping[str, tuple[str, ...]]
    unlike: Mapping[str, tuple[str, ...]]


def read_criteria(folder: Path = FOLDER) -> list[ExampleCriterion]:
    """Every criterion of a folder, in order of the files. Raises ValueError with the file and line of a wrong one."""
    found = []
    for path in sorted(folder.glob("w*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                data = json.loads(line)
                like, unlike = ({code: tuple(some) for code, some in data[name].items()} for name in ("like", "unlike"))
                found.append(ExampleCriterion(data["id"], int(path.stem[1:]), data["description"], like, unlike))
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise ValueError(f"{path} line {number}: {error!r}") from error
    return found
