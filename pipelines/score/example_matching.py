"""Matches what is said in a call with the example sentences of a centre's own criteria, topics and client types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from models.text.example_matcher import NEAR, ExampleMatcher, get_example_matcher
from models.text.loading import MODELS_DIR
from pipelines.centres.known_topics import known_sentences
from pipelines.centres.profile import Centre
from pipelines.core.records import Turn
from pipelines.score.quotes import sentences_of
from pipelines.score.speech_acts import LEAST_SEEN, Act

OPENING_WORDS = 60  # of the client, in which the topic is said
OTHER = "other"
ACT = "example"  # the name of the acts that are found by examples


@dataclass(frozen=True, slots=True)
class ExampleMatches:
    """The sentences of a call that do what examples do."""

    criteria: Mapping[str, tuple[Act, ...]] = field(default_factory=dict)  # by criterion id: sentences of the operator
    topics: Mapping[str, float] = field(
        default_factory=dict
    )  # the similarity (-1 to 1) of what the client says first to each topic but `other`
    client_types: Mapping[str, float] = field(default_factory=dict)  # the probability (0 to 1) that the client says such a sentence


NO_MATCHES = ExampleMatches()


def match_examples(
    calls: Sequence[Sequence[Turn]], centres: Sequence[Centre], profile: str = "offline", models_dir: Path | None = None
) -> list[ExampleMatches]:
    """The matches of each call with the examples of its centre; no model is loaded where no centre has examples."""
    if not any(has_examples(centre) for centre in centres):
        return [NO_MATCHES] * len(calls)
    matcher = get_example_matcher(profile, models_dir or MODELS_DIR)
    return [match_with(matcher, turns, centre) for turns, centre in zip(calls, centres, strict=True)]


def match_with(matcher: ExampleMatcher, turns: Sequence[Turn], centre: Centre) -> ExampleMatches:
    """The matches of one call by a given matcher."""
    if not has_examples(centre):
        return NO_MATCHES
    by_operator = [(turn, *sentence) for turn in turns if turn.role != "client" for sentence in sentences_of(turn)]
    by_client = [" ".join(t.text for t in turn.tokens[slice(*s)]) for turn in turns if turn.role == "client" for s in sentences_of(turn)]
    texts = [" ".join(token.text for token in turn.tokens[first:last]) for turn, first, last in by_operator]
    criteria: dict[str, tuple[Act, ...]] = {}
    for criterion in centre.scorecard.criteria:
        if criterion.said_like:
            chances = matcher.chances(texts, matcher.examples(criterion.said_like, criterion.not_like))
            criteria[criterion.criterion_id] = tuple(
                Act(ACT, turn.turn_no, first, last, round(float(chance), 3))
                for (turn, first, last), chance in zip(by_operator, chances, strict=True)
                if chance >= LEAST_SEEN
            )
    client_types = {
        kind.type_id: float(matcher.chances(by_client, matcher.examples(kind.said_like, kind.not_like)).max(initial=0.0))
        for kind in centre.client_types
        if kind.said_like
    }
    return ExampleMatches(criteria, _similar_topics(matcher, turns, centre), client_types)


def _similar_topics(matcher: ExampleMatcher, turns: Sequence[Turn], centre: Centre) -> dict[str, float]:
    """Only for centres with topics of their own: of the known ones the turn model knows more."""
    if not centre.has_own_topics:
        return {}
    said = " ".join([token.text for turn in turns if turn.role == "client" for token in turn.tokens][:OPENING_WORDS])
    (opening,) = matcher.vectors([said])
    found = {}
    for topic in centre.topics:
        sentences = (*topic.sentences, *known_sentences().get(topic.topic_id, ()))
        if sentences and topic.topic_id != OTHER:
            to_each = np.sort(matcher.vectors(sentences) @ opening)
            found[topic.topic_id] = float(to_each[-NEAR:].mean())
    return found


def has_examples(centre: Centre) -> bool:
    """Whether a centre teaches anything by examples."""
    return (
        centre.has_own_topics or any(c.said_like for c in centre.scorecard.criteria) or any(kind.said_like for kind in centre.client_types)
    )
