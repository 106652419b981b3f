"""Topic prototypes: a topic is a direction in the space of call vectors, the mean of a few examples.

Topics are therefore an open set. Those of the training dialogues come with the weights; a centre's own are learned from a description
and a few sentences each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.floating[Any]]

OWN_WEIGHT = 0.5  # weight of a centre's own examples where the weights have a topic of the same name


@dataclass(frozen=True, slots=True)
class Prototypes:
    """Topic prototypes: names and directions.

    Attributes:
        center: mean of the call vectors of training, [width].
        spread: their standard deviation, [width].
        names: the topics.
        directions: of unit length, [topics, width].
    """

    center: Vector
    spread: Vector
    names: tuple[str, ...]
    directions: Vector

    def scores(self, vector: Vector) -> dict[str, float]:
        """The similarity of a call vector [width] to each topic; only topics of one centre are comparable."""
        return dict(zip(self.names, (self.directions @ ((vector - self.center) / self.spread)).tolist(), strict=True))

    def with_examples(self, examples: Mapping[str, Sequence[Vector]]) -> Prototypes:
        """These topics plus those of some examples, topic → call vectors; where both have a name, the direction is a weighted mean."""
        known = dict(zip(self.names, self.directions, strict=True))
        for topic, vectors in examples.items():
            own = direction((np.asarray(vectors) - self.center) / self.spread)
            known[topic] = direction(np.array([OWN_WEIGHT * own, (1 - OWN_WEIGHT) * known[topic]])) if topic in known else own
        return replace(self, names=tuple(known), directions=np.array(list(known.values())))


def direction(rows: Vector) -> Vector:
    """The mean of some rows, scaled to unit length; zeros where they cancel out."""
    mean = rows.mean(axis=0)
    length = float(np.linalg.norm(mean))
    found: Vector = mean / length if length else mean
    return found
