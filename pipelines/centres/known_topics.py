"""The topics that every centre may list by id, with what clients say who call about them (`topics.yaml`)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml

from models.languages.phrases import LOADER

PATH = Path(__file__).with_name("topics.yaml")


@cache
def known_sentences() -> Mapping[str, tuple[str, ...]]:
    """By topic: its description and sentences of clients in every language."""
    data = yaml.load(PATH.read_text(encoding="utf-8"), LOADER)
    return {topic: (facts["description"], *facts["examples"]) for topic, facts in data.items()}
