"""The prompts: what a language model is given about a call, and nothing else.

The model sees masked turns with their number and role. It never sees who the operator is, times, scores or other verdicts.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from pipelines.centres.profile import Centre
from pipelines.centres.scorecard import Criterion
from pipelines.core.records import Turn
from pipelines.questions.language_model import Messages

PATH = Path(__file__).with_name("prompts.yaml")


@dataclass(frozen=True, slots=True)
class Question:
    """The question of a criterion as the model is asked it."""

    text: str
    applies_if: str
    role: str  # operator or client: whose words must prove the answer
    can_be_not_applicable: bool

    @property
    def version(self) -> str:
        """A digest that changes with the question; not with the verdicts of its answers."""
        return _digest("\n".join((self.text, self.applies_if, self.role, str(self.can_be_not_applicable))))

    @property
    def answers(self) -> tuple[str, ...]:
        """The answers that the model may give."""
        return ("yes", "no", *(("not_applicable",) if self.can_be_not_applicable else ()), "unsure")


def question_of(criterion: Criterion, centre: Centre) -> Question:
    """The question of a criterion, in the main language of the centre where it has that, else in English, else in its first language."""
    return Question(
        _in_language(criterion.question, centre),
        _in_language(criterion.applies_if, centre),
        criterion.asks,
        bool(criterion.applies_if) or "not_applicable" in criterion.answers,
    )


def prompt_version() -> str:
    """The digest of the prompts."""
    return _digest(PATH.read_text(encoding="utf-8"))


def transcript_of(turns: Sequence[Turn]) -> str:
    """The masked turns with words, one a line, as the model sees them."""
    return "\n".join(f"[{turn.turn_no}] {turn.role}: {_one_line(turn.text)}" for turn in turns if turn.tokens)


def transcript_version(turns: Sequence[Turn]) -> str:
    """A digest of what the model sees of a call, and of the positions of its words."""
    return _digest("\n".join(f"{turn.turn_no} {turn.role} {len(turn.tokens)} {turn.text}" for turn in turns))


def ask(question: Question, turns: Sequence[Turn]) -> Messages:
    """The request for an answer with its quote."""
    said, mark = _said("answer"), _mark()
    condition = said["condition"].format(applies_if=question.applies_if) if question.applies_if else said["no_condition"]
    answers = " or ".join(f'"{answer}"' for answer in question.answers)
    return _chat(
        said["system"].format(mark=mark, role=question.role, answers=answers),
        said["user"].format(
            mark=mark, role=question.role, question=question.text, transcript=transcript_of(turns),
            condition=condition + "\n" if question.can_be_not_applicable else "",
        ),
    )  # fmt: skip


def claim(question: Question, answer: str) -> str:
    """What a quote must prove, for an answer to a question."""
    said = _said("proof")
    if answer == "not_applicable":
        return said["not_applicable_if" if question.applies_if else "not_applicable"].format(
            applies_if=question.applies_if, question=question.text
        )
    return said["answered"].format(question=question.text, answer=answer)


def claim_of_sentence(text: str) -> str:
    """What a quote must prove, for a sentence of a summary."""
    return _said("proof")["said"].format(text=text)


def control_claim(answer: str) -> str:
    """A claim about something of which no call speaks, with the same answer; random, so that nobody can prepare for it."""
    text = secrets.choice(_prompts()["controls"])
    return _said("proof")["answered"].format(question=text, answer="no" if answer == "no" else "yes")


def prove(claimed: str, role: str, statement: str) -> Messages:
    """The request whether a quote, without its call, proves a claim."""
    said, mark = _said("proof"), _mark()
    return _chat(said["system"].format(mark=mark), said["user"].format(mark=mark, claim=claimed, role=role, statement=_one_line(statement)))


def summarise(turns: Sequence[Turn], language: str) -> Messages:
    """The request for a summary of two sentences, each with its quote."""
    said, mark = _said("summary"), _mark()
    return _chat(said["system"].format(mark=mark, language=language), said["user"].format(mark=mark, transcript=transcript_of(turns)))


def repair(problem: str, **values: str) -> str:
    """What a model is told about a response that does not count."""
    return str(_prompts()["repair"][problem]).format(**values)


def _in_language(texts: Mapping[str, str], centre: Centre) -> str:
    return next((texts[code] for code in (centre.languages[0], "en", *texts) if code in texts), "")


def _chat(system: str, user: str) -> Messages:
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def _mark() -> str:
    return f"=== {secrets.token_hex(8)} ==="


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _said(part: str) -> Mapping[str, str]:
    found: Mapping[str, str] = _prompts()[part]
    return found


@cache
def _prompts() -> Mapping[str, Any]:
    found: Mapping[str, Any] = yaml.safe_load(PATH.read_text(encoding="utf-8"))
    return found


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
