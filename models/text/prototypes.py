"""Topics as prototypes: a topic is a direction in the space of call vectors, the mean of a few examples.

So topics are no closed list. Those of the training dialogues come with the weights; a centre's own are learned from a description and a few sentences each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.floating[Any]]

OWN_WEIGHT = 0.5  # of a centre's own examples where the weights know a topic of that name as well


@dataclass(frozen=True, slots=True)
class Prototypes:
    """Topics with their directions.

    Attributes:
        center: mean of the call vectors of training, [width].
        spread: their standard deviation, [width].
        names: the topics.
        directions: of length one, [topics, width].
    """

    center: Vector
    spread: Vector
    names: tuple[str, ...]
    directions: Vector

    def scores(self, vector: Vector) -> dict[str, float]:
        """How near a call vector [width] lies to each topic; only the topics of one centre can be compared."""
        return dict(zip(self.names, (self.directions @ ((vector - self.center) / self.spread)).tolist(), strict=True))

    def with_examples(self, examples: Mapping[str, Sequence[Vector]]) -> Prototypes:
        """These topics and those of some examples, topic → call vectors; where both know a name, its direction lies between."""
        known = dict(zip(self.names, self.directions, strict=True))
        for topic, vectors in examples.items():
            own = direction((np.asarray(vectors) - self.center) / self.spread)
            known[topic] = direction(np.array([OWN_WEIGHT * own, (1 - OWN_WEIGHT) * known[topic]])) if topic in known else own
        return replace(self, names=tuple(known), directions=np.array(list(known.values())))


def direction(rows: Vector) -> Vector:
    """The mean of some rows, of length one; zeros where they cancel out."""
    mean = rows.mean(axis=0)
    length = float(np.linalg.norm(mean))
    found: Vector = mean / length if length else mean
    return found
