from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.core.records import AudioFacts, Hold, Interval
from pipelines.score.conversation import dead_air, find_events, measure, sentiment_trend
from tests.score.spoken import audio_of, sentiments_of, turns_of


def test_talk_ratios_and_rates() -> None:
    turns = turns_of(("operator", "раз два три четыре"), ("client", "пять шесть семь восемь"))
    measured = measure(audio_of(turns), turns, [])
    assert measured.operator_talk_ratio == measured.client_talk_ratio == pytest.approx(0.5)
    assert measured.operator_words_per_min == pytest.approx(150.0)
    assert measured.overlap_ratio == 0.0
    assert measured.client_sentiment_start is None


def test_a_call_where_nobody_with_a_role_speaks_has_no_ratios() -> None:
    measured = measure(AudioFacts("c", 10.0, 8000, "x", 1, 1, (), (), 0.1, ((),)), [], [])
    assert measured.operator_talk_ratio is None and measured.operator_words_per_min is None and measured.dead_air_s == 0


def test_dead_air_is_silence_between_words_outside_holds() -> None:
    turns = turns_of(("operator", "раз два"), ("client+8", "три"), ("operator+20", "четыре"))
    hold = Hold(turns[1].end_s + 0.5, turns[2].start_s - 0.5, "silence")
    gaps = dead_air(audio_of(turns, [hold]), turns, 5.0)
    assert gaps == [(pytest.approx(turns[0].end_s), pytest.approx(turns[1].start_s))]
    assert len(dead_air(audio_of(turns), turns, 5.0)) == 2


def test_speech_that_nobody_transcribed_is_not_dead_air() -> None:
    turns = turns_of(("operator", "раз"), ("client+10", "два"))
    audio = replace(audio_of(turns), speech=(Interval(0, 1.0, 30.0),))
    assert dead_air(audio, turns, 5.0) == []


def test_only_a_clients_raised_voice_is_a_finding() -> None:
    operator, client = turns_of(("operator", "что такое"), ("client", "да сколько можно"))
    loud = [replace(operator, raised_voice=True), replace(client, raised_voice=True, interrupts=True)]
    found = find_events(audio_of(loud), loud)
    assert [(f.kind, f.role) for f in found] == [("interruption", "client"), ("raised_voice", "client")]
    assert all(f.quote and f.quote in client.displayed_text for f in found)
    assert measure(audio_of(loud), loud, []).interruptions_by_client == 1


def test_sentiment_goes_from_the_first_third_to_the_last() -> None:
    turns = turns_of(("client", "плохо"), ("operator", "да"), ("client", "так"), ("operator", "да"), ("client", "спасибо"))
    start, end = sentiment_trend(turns, sentiments_of(turns, t1="negative", t5="positive"))
    assert (start, end) == (pytest.approx(-0.9), pytest.approx(0.9))
