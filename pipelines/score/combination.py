"""Combines the turn model, phrases and lexicons, and the position in the call into one probability.

One logistic regression each, fitted to dialogues that the model was not fitted to (`pipelines.quality.fit_combination`);
`combination.yaml` has the weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from models.languages.phrases import LOADER
from pipelines.score.calibration import log_odds

PATH = Path(__file__).with_name("combination.yaml")
ACT_FEATURES = ("model", "phrase", "opening", "closing")
ABUSE_FEATURES = ("model", "lexicon")
NEGATIVE_FEATURES = ("model",)
_NEAR_0 = 0.0005


@dataclass(frozen=True, slots=True)
class CallPosition:
    """The position of an operator's turn in the call."""

    is_opening: bool = False
    is_closing: bool = False


@dataclass(frozen=True, slots=True)
class LogOdds:
    """Log odds as a weighted sum of features."""

    offset: float
    weights: Mapping[str, float]

    def chance(self, features: Mapping[str, float]) -> float:
        """The probability (0 to 1) for these features."""
        odds = self.offset + sum(weight * features[name] for name, weight in self.weights.items())
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, odds))))


@dataclass(frozen=True, slots=True)
class Combination:
    """The fitted weights that combine the turn model with phrases and lexicons."""

    acts: Mapping[str, LogOdds]
    abuse: LogOdds  # of a client's turn
    operator_abuse: LogOdds
    several_negative: LogOdds  # that at least two turns of a client are negative
    topic: Mapping[str, float]  # weight of the points of phrases and menus, and of the model's similarity

    def act(self, act: str, model: float, phrase: float, place: CallPosition) -> float:
        """The probability of an act in a turn: `model` is the model's own, `phrase` the score of the best phrase, 0 where there is none."""
        return self.acts[act].chance(act_features(model, phrase, place))


def act_features(model: float, phrase: float, place: CallPosition) -> dict[str, float]:
    """The features of a speech act."""
    return {"model": log_odds(model, _NEAR_0), "phrase": phrase, "opening": float(place.is_opening), "closing": float(place.is_closing)}


def abuse_features(model: float, lexicon: float) -> dict[str, float]:
    """The features of abuse: the model's probability of any, and the confidence of the lexicon's best finding, 0 where there is none."""
    return {"model": log_odds(model, _NEAR_0), "lexicon": lexicon}


def negative_features(independent: float) -> dict[str, float]:
    """The features of several negative turns of a client: the probability if each turn were independent of the others."""
    return {"model": log_odds(independent, _NEAR_0)}


@cache
def load_combination(path: Path = PATH) -> Combination:
    """The shipped combination."""
    data = yaml.load(path.read_text(encoding="utf-8"), LOADER)
    acts = {act: _line(ACT_FEATURES, values) for act, values in data["acts"].items()}
    abuse, by_operator = _line(ABUSE_FEATURES, data["abuse"]), _line(ABUSE_FEATURES, data["operator_abuse"])
    negative = _line(NEGATIVE_FEATURES, data["several_negative"])
    return Combination(acts, abuse, by_operator, negative, {name: float(value) for name, value in data["topic"].items()})


def _line(names: Sequence[str], values: Sequence[float]) -> LogOdds:
    offset, *weights = (float(value) for value in values)
    return LogOdds(offset, dict(zip(names, weights, strict=True)))
