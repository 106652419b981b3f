"""Topic and client type of a call, by phrases, the selected menu item, findings and the turn model."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from models.languages.language import find_phrase, load
from models.text.turn_model import CLIENT_TYPES
from pipelines.centres.profile import Centre
from pipelines.core.records import Call, Finding, Turn, TurnSentiment
from pipelines.score.combination import load_combination
from pipelines.score.speech_acts import OPENING_TURNS, SURE, Act, read_turn, spoken_languages
from pipelines.turns.model_reading import NOTHING_READ, ModelReading

_SHARPNESS = 1.1  # how fast a lead in points becomes certainty
_EARLY = (2.4, 1.8, 1.4, 0.7)  # clients state their topic in their first turns with content
_LATE = 0.7  # for other speakers, and later words
_MENU = 2.2  # points of a menu item with a single topic; clients do press the wrong key
_FIRST_MEANT = 1.2  # a menu item's first topic is the usual one
_SENT_AWAY = 2.0  # maximum points for referring the client to another company, however often it is said
_MOST_SAID = 4.0  # maximum points for the phrases of a client type
_PLAIN = 1.5  # points of a client who simply states a request: less than one clear phrase of another type in the first words
_HOW_TO = ("settings", "portal")  # topics of calls by clients who do not know how to do something
_SIMILAR, _OTHER_SIMILAR = 30.0, 0.6  # weight of the similarity to examples, and that of `other`, which has none
_OTHER = 0.9  # points of "other": less than one clear phrase


@dataclass(frozen=True, slots=True)
class Ranking:
    """Labels with their probabilities, the likeliest first."""

    labels: tuple[tuple[str, float], ...]

    @property
    def best(self) -> str:
        return self.labels[0][0]

    @property
    def confidence(self) -> float:
        return round(self.labels[0][1], 3)

    def probability(self, is_meant: Callable[[str], bool]) -> float:
        """The probability that the right label is one of these."""
        return sum(p for label, p in self.labels if is_meant(label))


def judge_topic(
    call: Call,
    turns: Sequence[Turn],
    centre: Centre,
    acts: Iterable[Act] = (),
    reading: ModelReading = NOTHING_READ,
    similar: Mapping[str, float] | None = None,
) -> Ranking:
    """The topics of this centre by probability, for one call, from phrases, the menu and the turn model.

    `acts` show whether the client was referred to another company; `similar` has the similarity of the client's first words to the
    examples of each topic, for a centre with topics of its own, see `match_examples`.
    """
    points = topic_points(call, turns, centre, acts)
    known = {topic: reading.topics[topic] for topic in points if topic in reading.topics}
    if similar:
        weight = load_combination().topic["model"] if known else 0.0
        return _rank(
            {topic: p + _SIMILAR * similar.get(topic, _OTHER_SIMILAR) + weight * known.get(topic, 0.0) for topic, p in points.items()}
        )
    if not known:
        return _rank(points)
    return combined(points, known, load_combination().topic)


def combined(points: Mapping[str, float], known: Mapping[str, float], weights: Mapping[str, float]) -> Ranking:
    """The topics by phrases and the menu (`points`) and by similarity to the model's prototypes (`known`), with these weights."""
    unknown = min(known.values())  # a topic without a prototype: only phrases and the menu count
    return _rank({topic: weights["points"] * p + weights["model"] * known.get(topic, unknown) for topic, p in points.items()})


def topic_points(call: Call, turns: Sequence[Turn], centre: Centre, acts: Iterable[Act] = ()) -> dict[str, float]:
    """The points of phrases and the menu for each topic."""
    points = dict.fromkeys(centre.topic_ids, 0.0)
    points["other"] = _OTHER
    for topic in centre.topics:
        phrases = {code: (*load(code).topics.get(topic.topic_id, ()), *topic.phrases.get(code, ())) for code in centre.languages}
        points[topic.topic_id] += _points(turns, phrases, centre, _telling(call, turns))
    for name in {call.queue or "", *(call.ivr_path or "").split("/")}:
        meant = [label for label in centre.menu_topics.get(name, ()) if label in points]
        for n, label in enumerate(meant):
            points[label] += _MENU / math.sqrt(len(meant)) * (_FIRST_MEANT if n == 0 else 1.0)
    if "wrong_company" in points:
        points["wrong_company"] += min(sum(a.confidence for a in acts if a.act == "redirect" and a.confidence >= SURE), _SENT_AWAY)
    return points


def judge_client_type(
    turns: Sequence[Turn],
    topic: Ranking,
    findings: Iterable[Finding],
    sentiments: Iterable[TurnSentiment],
    centre: Centre,
    reading: ModelReading = NOTHING_READ,
    by_examples: Mapping[str, float] | None = None,
) -> Ranking:
    """The client types of this centre by probability, for one call: by the turn model, or by phrases where it did not run.

    `by_examples` has the probability of each type that the centre teaches by examples, see `match_examples`.
    """
    ranking = _known_client_type(turns, topic, findings, sentiments, centre, reading)
    allowed = {kind.type_id for kind in centre.client_types}
    taught = by_examples or {}
    if not taught and allowed >= set(CLIENT_TYPES):
        return ranking
    known = {label: p for label, p in ranking.labels if label in allowed - taught.keys()}
    rest = max(0.0, 1 - max(taught.values(), default=0.0)) / (sum(known.values()) or 1.0)
    whole = [*taught.items(), *((label, p * rest) for label, p in known.items())]
    total = sum(p for _, p in whole) or 1.0
    return Ranking(tuple(sorted(((label, p / total) for label, p in whole), key=lambda x: (-x[1], x[0]))))


def _known_client_type(
    turns: Sequence[Turn],
    topic: Ranking,
    findings: Iterable[Finding],
    sentiments: Iterable[TurnSentiment],
    centre: Centre,
    reading: ModelReading,
) -> Ranking:
    """The types that the model knows."""
    if reading.client_type:
        return Ranking(tuple(sorted(reading.client_type.items(), key=lambda x: (-x[1], x[0]))))
    points = dict.fromkeys(CLIENT_TYPES, 0.0)
    clients = [t for t in turns if t.role == "client"]
    for kind in CLIENT_TYPES:
        points[kind] = min(_points(clients, {c: load(c).client_types.get(kind, ()) for c in centre.languages}, centre), _MOST_SAID)
    client_turns = {t.turn_no for t in clients}
    negative = sum(s.confidence for s in sentiments if s.sentiment == "negative" and s.turn_no in client_turns)
    abusive = [f for f in findings if f.kind == "abuse" and f.role != "operator" and f.target in ("operator", "company")]
    points["rude"] = 2.2 * len({f.turn_no for f in abusive if f.confidence >= 0.5})
    points["uninformed"] += 2.0 * topic.probability(lambda t: t == "wrong_company")
    points["uninformed"] += topic.probability(lambda t: t in _HOW_TO)
    points["complainer"] += 2.0 * topic.probability(lambda t: t == "complaint")
    points["addressed"] = max(0.3, _PLAIN - 0.3 * negative)
    for kind in ("venting", "complainer", "opinionated"):
        points[kind] += 0.2 * min(negative, 4.0)
    return _rank(points)


def _telling(call: Call, turns: Sequence[Turn]) -> frozenset[int]:
    """The operator's turns that state the topic when the operator made the call: the first two."""
    if call.direction == "inbound":
        return frozenset()
    return frozenset([t.turn_no for t in turns if t.role == "operator" and t.tokens][:OPENING_TURNS])


def _points(turns: Sequence[Turn], phrases: Mapping[str, Sequence[str]], centre: Centre, telling: frozenset[int] = frozenset()) -> float:
    """The sum of the phrases' points: early words of the client weigh most, and repetitions add little.

    `telling` are operator's turns that weigh like the client's first words.
    """
    total = 0.0
    best: dict[str, list[float]] = {}
    clients = 0
    for turn in turns:
        said = read_turn(turn.tokens)
        if turn.role == "client":
            clients += len(said.words) >= 3
            weight = _EARLY[min(clients, len(_EARLY)) - 1] if clients else _LATE
        else:
            weight = _EARLY[0] if turn.turn_no in telling else _LATE
        for code in spoken_languages(turn, centre):
            for phrase in phrases.get(code, ()):
                for _, _, score in find_phrase(said.words, phrase, code):
                    best.setdefault(phrase, []).append(score * weight)
    for scores in best.values():
        total += sum(score * 0.35**n for n, score in enumerate(sorted(scores, reverse=True)))
    return total


def _rank(points: Mapping[str, float]) -> Ranking:
    top = max(points.values())
    weights = {label: math.exp(_SHARPNESS * (p - top)) for label, p in points.items()}
    whole = sum(weights.values())
    return Ranking(tuple(sorted(((label, w / whole) for label, w in weights.items()), key=lambda x: (-x[1], x[0]))))
