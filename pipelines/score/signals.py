"""What the words of a call show, whatever a scorecard asks of it: speech acts, abuse, sentiment and topic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pipelines.centres.profile import Centre
from pipelines.core.records import Call, Finding, Turn, TurnSentiment
from pipelines.score.abuse import find_abuse
from pipelines.score.sentiment import judge_sentiment
from pipelines.score.speech_acts import Act, find_acts
from pipelines.score.topic import Ranking, judge_topic
from pipelines.turns.model_reading import ModelReading


@dataclass(frozen=True, slots=True)
class Signals:
    """What the words of a call show."""

    acts: tuple[Act, ...]
    abuse: tuple[Finding, ...]
    sentiments: tuple[TurnSentiment, ...]
    topic: Ranking


def find_signals(
    call: Call,
    turns: Sequence[Turn],
    centre: Centre,
    reading: ModelReading,
    sentiments: Sequence[TurnSentiment] | None = None,
    similar: Mapping[str, float] | None = None,
) -> Signals:
    """The signals of one call.

    Args:
        call: the call.
        turns: its turns in order.
        centre: its profile.
        reading: the turn model's output, with the topics of this profile.
        sentiments: the sentiment of the turns, if already known.
        similar: the similarity to the examples of each topic, see `judge_topic`.
    """
    acts = find_acts(turns, centre, reading)
    abuse = find_abuse(turns, centre, reading)
    found_sentiments = judge_sentiment(turns, reading, abuse) if sentiments is None else sentiments
    return Signals(tuple(acts), tuple(abuse), tuple(found_sentiments), judge_topic(call, turns, centre, acts, reading, similar))


def with_topics_of(
    centre: Centre,
    signals: Signals,
    call: Call,
    turns: Sequence[Turn],
    reading: ModelReading,
    similar: Mapping[str, float] | None = None,
) -> Signals:
    """The same signals with the topics of another profile; arguments as of `find_signals`."""
    return replace(signals, topic=judge_topic(call, turns, centre, signals.acts, reading, similar))


def words_depend_on(centre: Centre) -> tuple[object, ...]:
    """The parts of a profile that acts, abuse and sentiment depend on."""
    return centre.languages, centre.company_names


def topic_depends_on(centre: Centre, call: Call) -> tuple[object, ...]:
    """The parts of a profile and of the call log that the topic depends on, beside those of `words_depend_on`."""
    return centre.topics, centre.menu_topics, call.direction, call.queue, call.ivr_path
