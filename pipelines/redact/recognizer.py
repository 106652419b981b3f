"""The recognizer interface, and its input: the turns of a call, the turn model's reading, and earlier findings.

A recognizer finds some kinds of personal data. `step.RECOGNIZERS` is their order: what an earlier one found is taken, and a later one
may depend on it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from models.text.turn_model import TurnReading
from pipelines.turns.words import TurnContext

LEAST_TO_KEEP = 0.02  # minimum probability by the turn model for data that only phrases suggest


@dataclass(frozen=True, slots=True)
class PersonalSpan:
    """Personal data: tokens first..last-1 of one turn (by its index in the list of turns)."""

    turn: int
    first: int
    last: int
    kind: str
    is_certain: bool = False  # proven by a check digit or a format: the model cannot rule it out


@dataclass(slots=True)
class CallContext:
    """The input of the recognizers for a call.

    Attributes:
        turns: its turns, in order.
        readings: the turn model's output, one row of `personal` per token; empty where it did not run.
        public_words: words of companies and products, which are not personal names.
        taken: for each turn, the indices of tokens that belong to a span.
        spans: the spans so far; none overlaps another.
    """

    turns: Sequence[TurnContext]
    readings: Sequence[TurnReading] = ()
    public_words: frozenset[str] = frozenset()
    taken: list[set[int]] = field(init=False)
    spans: list[PersonalSpan] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.taken = [set() for _ in self.turns]

    def keep(self, spans: Iterable[PersonalSpan]) -> None:
        """Add the spans that do not overlap earlier ones."""
        for span in spans:
            own = set(range(span.first, span.last))
            if not own & self.taken[span.turn]:
                self.taken[span.turn] |= own
                self.spans.append(span)

    def believes(self, span: PersonalSpan) -> bool:
        """Whether the turn model does not rule the span out."""
        if span.is_certain or not self.readings:
            return True
        chances = 1 - self.readings[span.turn].personal[span.first : span.last, 0]
        return bool(chances.max(initial=0.0) >= LEAST_TO_KEEP)


class Recognizer(ABC):
    """The base class of recognizers: finds some kinds of personal data in a call."""

    can_be_ruled_out = True  # by the turn model, see `CallContext.believes`

    @abstractmethod
    def recognize(self, call: CallContext) -> list[PersonalSpan]:
        """The recognizer's personal data in the call; spans that are already taken are dropped afterwards."""
