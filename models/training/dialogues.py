"""Labelled dialogues: fictional calls as turns, with speech acts, sentiment, abuse and personal data.

Each file is one call, as `FORMAT.md` beside the files describes; `writer` is the number of the person or model that wrote it, so that a
whole writer can be held out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from models.languages.phrases import LOADER

FOLDER = Path(__file__).parent / "dialogues"


@dataclass(frozen=True, slots=True)
class LabelledTurn:
    """One turn: its words and its labels."""

    role: Literal["operator", "client"]
    words: tuple[str, ...]
    language: str
    acts: tuple[str, ...]  # of an operator
    sentiment: str  # negative | neutral | positive
    severity: str  # none | profanity | insult | threat
    target: str | None  # operator | company | other
    personal: tuple[str, ...]  # the kind of personal data of each word, or ""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One labelled call."""

    call_id: str
    writer: int
    centre_id: str
    language: str
    topic: str
    client_type: str
    turns: tuple[LabelledTurn, ...]


def read_dialogues(folder: Path = FOLDER) -> list[Dialogue]:
    """Every labelled dialogue below a folder, in order of the file names. Raises ValueError with the file and the error in it."""
    return [read_dialogue(path) for path in sorted(folder.rglob("*.yaml"))]


def read_dialogue(path: Path) -> Dialogue:
    """One labelled dialogue. Raises ValueError with the file and the error in it."""
    data = yaml.load(path.read_text(encoding="utf-8"), LOADER)
    try:
        turns = tuple(_turn(turn, data["language"]) for turn in data["turns"] if "hold" not in turn)
        return Dialogue(data["id"], int(data["writer"]), data["centre"], data["language"], data["topic"], data["client_type"], turns)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error!r}") from error


def _turn(turn: dict[str, Any], language: str) -> LabelledTurn:
    text = turn["text"]
    words = [(match.start(), match.end()) for match in re.finditer(r"\S+", text)]
    personal = [""] * len(words)
    for piece in turn.get("pii") or ():
        for start, end in _places(text, piece["text"]):
            for n, (first, last) in enumerate(words):
                if first < end and last > start:
                    personal[n] = piece["kind"]
    abuse = (turn.get("abuse") or {}) if turn["who"] == "client" else {}
    return LabelledTurn(
        role=turn["who"],
        words=tuple(text[first:last] for first, last in words),
        language=turn.get("lang") or language,
        acts=tuple(turn.get("marks") or ()),
        sentiment=turn.get("sentiment") or "neutral",
        severity=abuse.get("severity", "none"),
        target=abuse.get("target"),
        personal=tuple(personal),
    )


def _places(text: str, piece: str) -> Iterator[tuple[int, int]]:
    at = text.find(piece)
    if at < 0:
        raise ValueError(f"personal data {piece!r} does not occur in its turn")
    while at >= 0:
        yield at, at + len(piece)
        at = text.find(piece, at + len(piece))


def without_writers(dialogues: Sequence[Dialogue], writers: Sequence[int]) -> tuple[list[Dialogue], list[Dialogue]]:
    """The dialogues of all other writers, and those of these writers."""
    out = set(writers)
    return [d for d in dialogues if d.writer not in out], [d for d in dialogues if d.writer in out]
