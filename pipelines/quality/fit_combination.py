"""Fits the combination of model, phrases and lexicon on held-out dialogues: `python -m pipelines.quality.fit_combination`.

Every dialogue of the writers that a fold's model has not seen (`folds`) is read as written and with simulated recognition errors;
`pipelines/score/combination.yaml` is fitted to both.
"""

from __future__ import annotations

import argparse
import math
import random
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from models.languages.phrases import LOADER
from models.text.turn_model import ACTS, TurnModel
from models.training.dialogues import FOLDER
from pipelines.centres.profile import Centre, load_centre
from pipelines.core.profile_files import centre_ids
from pipelines.quality.dialogue_calls import reference_of, write_calls
from pipelines.quality.fit_thresholds import regress
from pipelines.quality.folds import NOISES, add_folds, folds_in
from pipelines.quality.noise import misheard
from pipelines.quality.replay import replay, turns_of
from pipelines.redact.step import redact_turns
from pipelines.score.abuse import abuse_in_turn, find_abuse
from pipelines.score.applicability import several_negative
from pipelines.score.combination import (
    ABUSE_FEATURES,
    ACT_FEATURES,
    NEGATIVE_FEATURES,
    PATH,
    CallPosition,
    abuse_features,
    act_features,
    negative_features,
)
from pipelines.score.sentiment import judge_sentiment
from pipelines.score.speech_acts import CLOSING_TURNS, OPENING_TURNS, find_acts, phrases_of
from pipelines.score.topic import combined, topic_points
from pipelines.turns.model_reading import read_with

TOPIC_WEIGHTS = {
    "points": (0.5, 0.75, 1.0, 1.25, 1.5),
    "model": (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5),
}  # the likeliest values of the grid are chosen
_ANY_CENTRE = "irkutsk"  # substitute for a centre without a profile, whose names are ignored there
_NEED_A_PROFILE = ("company",)  # acts that depend on the centre's name
# Their dialogues were written about abuse, and most end in it: how often an ordinary act is done says nothing there about other calls. On
# writers left out, the other acts are right as often and their quotes more often (96.2 instead of 95.7 %) without them.
_WRITERS_ON_ABUSE = frozenset({59, 60})
_ACTS_OF_ABUSE = frozenset({"operator_abuse", "warn_abuse", "end_notice", "forbidden"})
_SPREAD = {"offset": 2.0, "model": 0.5, "phrase": 4.0, "lexicon": 4.0, "opening": 1.5, "closing": 1.5}  # priors: standard deviations


@dataclass(frozen=True, slots=True)
class FittingRow:
    """A training row of the combination: features and the true label."""

    name: str  # an act, `abuse` of a client, abuse `by_operator`, or `several_negative` turns of a client
    features: dict[str, float]
    is_so: bool


def fitting_rows(model: TurnModel, scripts: Sequence[dict[str, Any]], noise: float) -> Iterator[FittingRow]:
    """The training rows of these dialogues for acts, abuse and upset clients."""
    add_errors = partial(misheard, rate=noise, draw=random.Random(1))
    references = [reference_of(script) for script in scripts]
    centres = [_centre(script) for script in scripts]
    spoken = [[add_errors(turn) for turn in turns_of(r["id"], r)] for r in references]
    masked = [
        redact_turns(turns, centre=(c.centre_id, None), readings=r.turns)[0]
        for turns, c, r in zip(spoken, centres, read_with(model, spoken), strict=True)
    ]
    for script, reference, centre, turns, read in zip(scripts, references, centres, masked, read_with(model, masked), strict=True):
        operator = [turn for turn in turns if turn.role == "operator"]
        by_client = [turn["sentiment"] == "negative" for turn in reference["turns"] if turn["role"] == "client"]
        sentiments = judge_sentiment(turns, read, find_abuse(turns, centre, read))
        yield FittingRow("several_negative", negative_features(several_negative(turns, sentiments)), sum(by_client) >= 2)
        for turn in turns:
            true, found = reference["turns"][turn.turn_no - 1], read.turns[turn.turn_no]
            lexicon = max((f.confidence for f in abuse_in_turn(turn, centre.languages)), default=0.0)
            if turn.role == "client":
                yield FittingRow("abuse", abuse_features(1 - found.severity["none"], lexicon), bool(true["abuse"]))
                continue
            n = operator.index(turn)
            place = CallPosition(n < OPENING_TURNS, n >= len(operator) - CLOSING_TURNS)
            spans = phrases_of(turn, centre, place.is_opening)
            yield FittingRow("by_operator", abuse_features(found.acts["operator_abuse"], lexicon), "operator_abuse" in true["marks"])
            for act in ACTS:
                if act not in _ACTS_OF_ABUSE and script["writer"] in _WRITERS_ON_ABUSE:
                    continue
                if script["centre"] in centre_ids() or act not in _NEED_A_PROFILE:
                    phrase = max((s[3] for s in spans if s[0] == act), default=0.0)
                    yield FittingRow(act, act_features(found.acts[act], phrase, place), act in true["marks"])


def _centre(script: dict[str, Any]) -> Centre:
    if script["centre"] in centre_ids():
        return load_centre(script["centre"])
    return load_centre(_ANY_CENTRE).model_copy(update={"languages": (script["language"],), "company_names": {}, "centre_id": ""})


@dataclass(frozen=True, slots=True)
class TopicFittingRow:
    """The scores of phrases and the model for the topics of a call, and the right one."""

    points: dict[str, float]
    known: dict[str, float]
    right: str


def topic_rows(model: TurnModel, scripts: Sequence[dict[str, Any]], noise: float) -> Iterator[TopicFittingRow]:
    """The training rows of these dialogues for topics, where the centre has a profile."""
    with tempfile.TemporaryDirectory() as folder:
        writers = {script["writer"] for script in scripts}
        add_errors = partial(misheard, rate=noise, draw=random.Random(1))
        for one in replay(write_calls(FOLDER, Path(folder), writers), add_errors=add_errors, model=model):
            centre = load_centre(one.call.centre_id)
            points = topic_points(one.call, one.turns, centre, find_acts(one.turns, centre, one.reading))
            yield TopicFittingRow(points, {t: one.reading.topics[t] for t in points if t in one.reading.topics}, one.reference["topic"])


def topic_weights(some: Sequence[TopicFittingRow]) -> dict[str, float]:
    """The weights of the grid with the highest likelihood of the right topics."""

    def unlikeliness(weights: Iterable[float]) -> float:
        named = dict(zip(TOPIC_WEIGHTS, weights, strict=True))
        return -sum(math.log(_probability_of(one, named) + 1e-6) for one in some)

    grid: list[tuple[float, ...]] = list(product(*TOPIC_WEIGHTS.values()))
    return dict(zip(TOPIC_WEIGHTS, min(grid, key=unlikeliness), strict=True))


def _probability_of(one: TopicFittingRow, weights: dict[str, float]) -> float:
    return combined(one.points, one.known, weights).probability(lambda topic: topic == one.right)


def fitted(some: Sequence[FittingRow], names: Sequence[str]) -> list[float]:
    """Offset and weights of a logistic regression whose prior is the model's own probability."""
    x = np.array([[1.0, *(one.features[name] for name in names)] for one in some])
    base = np.array([one.features["model"] for one in some])
    spread = np.array([_SPREAD[name] for name in ("offset", *names)])
    found = regress(x, base, np.array([float(one.is_so) for one in some]), spread)
    found[1 + list(names).index("model")] += 1
    return [round(float(value), 3) for value in found]


def main() -> None:
    """Fit and write the file."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.quality.fit_combination", description="Fit the combination of model, phrases and lexicon."
    )
    add_folds(parser)
    given = parser.parse_args()
    by_name: dict[str, list[FittingRow]] = defaultdict(list)
    topics: list[TopicFittingRow] = []
    scripts = [yaml.load(path.read_text(encoding="utf-8"), LOADER) for path in sorted(FOLDER.rglob("*.yaml"))]
    for model, writers in folds_in(given.folds):
        own = [script for script in scripts if script["writer"] in writers]
        for noise in NOISES:
            for one in fitting_rows(model, own, noise):
                by_name[one.name].append(one)
            topics += topic_rows(model, own, noise)
    combination = {
        "acts": {act: fitted(by_name[act], ACT_FEATURES) for act in ACTS},
        "abuse": fitted(by_name["abuse"], ABUSE_FEATURES),
        "operator_abuse": fitted(by_name["by_operator"], ABUSE_FEATURES),
        "several_negative": fitted(by_name["several_negative"], NEGATIVE_FEATURES),
        "topic": topic_weights(topics),
    }
    head = f"# Made by `python -m pipelines.quality.fit_combination`: offset and weights of {', '.join(ACT_FEATURES)}; of abuse {', '.join(ABUSE_FEATURES)}; of several negative turns model.\n"
    PATH.write_text(head + yaml.safe_dump(combination, sort_keys=False, default_flow_style=None, width=120), encoding="utf-8")


if __name__ == "__main__":
    main()
