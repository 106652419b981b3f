"""Invented criteria with sentences of operators that meet them and similar ones that do not: the training data of the example matcher.

`criteria/w<number of the writer>.jsonl`, one criterion a line: id, industry, description, and by language the sentences `like` and
`unlike`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.training.jsonl import by_language, read_items, writer_of

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

    def criterion_of(data: dict[str, Any], path: Path) -> ExampleCriterion:
        return ExampleCriterion(data["id"], writer_of(path), data["description"], by_language(data["like"]), by_language(data["unlike"]))

    return read_items(folder, criterion_of)
