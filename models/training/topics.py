"""Invented centres with topics and what clients say who call about them: training data of the example matcher.

`topics/w<number of the writer>.jsonl`, one topic a line: id, centre, topic, description, and by language the utterances `said`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.training.jsonl import by_language, read_items, writer_of

FOLDER = Path(__file__).parent / "topics"


@dataclass(frozen=True, slots=True)
class ExampleTopic:
    """One topic of a centre; utterances by language."""

    centre_id: str
    topic: str
    writer: int
    description: str
    said: Mapping[str, tuple[str, ...]]


def read_topics(folder: Path = FOLDER) -> list[ExampleTopic]:
    """Every topic of a folder, in order of the files. Raises ValueError with the file and line of a wrong one."""

    def topic_of(data: dict[str, Any], path: Path) -> ExampleTopic:
        return ExampleTopic(f"{path.stem}-{data['centre']}", data["topic"], writer_of(path), data["description"], by_language(data["said"]))

    return read_items(folder, topic_of)
