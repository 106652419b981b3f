"""One interface for everything that finds personal data, and what it is given: the turns of a call, what the turn model made of them, and what was found before.

A recognizer finds some kinds of personal data. `step.RECOGNIZERS` lists them in the order in which they look: what an earlier one found is
taken, and a later one may rest on it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from models.text.turn_model import TurnReading
from pipelines.turns.words import TurnContext

LEAST_TO_KEEP = 0.02  # chance of personal data that the turn model must give to what only phrases take for such


@dataclass(frozen=True, slots=True)
class PersonalSpan:
    """Personal data: tokens first..last-1 of one turn (by its place in the list of turns)."""

    turn: int
    first: int
    last: int
    kind: str
    is_certain: bool = False  # a check digit or a format proves it: no model rules it out


@dataclass(slots=True)
class CallContext:
    """A call as recognizers see it.

    Attributes:
        turns: its turns, in order.
        readings: what the turn model made of them, one row of `personal` a token; empty where nothing read the call.
        public_words: words of companies and products, which are names of no person.
        taken: token numbers that belong to a span already, for each turn.
        spans: what was found so far; none overlaps another.
    """

    turns: Sequence[TurnContext]
    readings: Sequence[TurnReading] = ()
    public_words: frozenset[str] = frozenset()
    taken: list[set[int]] = field(init=False)
    spans: list[PersonalSpan] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.taken = [set() for _ in self.turns]

    def keep(self, spans: Iterable[PersonalSpan]) -> None:
        """Take the spans that touch none of those before them."""
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
    """Finds some kinds of personal data in a call."""

    can_be_ruled_out = True  # by the turn model, see `CallContext.believes`

    @abstractmethod
    def recognize(self, call: CallContext) -> list[PersonalSpan]:
        """The personal data of the call that this recognizer knows of; spans that are taken already are dropped afterwards."""
