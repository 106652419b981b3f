"""Invented centres with topics and what clients say who call about them: training data of the example matcher.

`topics/w<number of the writer>.jsonl`, one topic a line: id, centre, topic, description, and by language the utterances `said`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

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
    found = []
    for path in sorted(folder.glob("w*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                data = json.loads(line)
                said = {code: tuple(some) for code, some in data["said"].items()}
                found.append(ExampleTopic(f"{path.stem}-{data['centre']}", data["topic"], int(path.stem[1:]), data["description"], said))
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise ValueError(f"{path} line {number}: {error!r}") from error
    return found
