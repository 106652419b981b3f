"""Dictated but unrecognised data is beeped together with the recognised part; other words of other people are not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core.records import AudioFacts, Interval, PersonalData, Token, Turn
from pipelines.redact.audio_tail import AT_ONCE_S, MOST_S, with_tails


def turn(number: int, track: int, *words: tuple[str, float, float]) -> Turn:
    tokens = tuple(Token(text, start_s, end_s, 0.9) for text, start_s, end_s in words)
    return Turn("c", number, track, f"s{track}", "client", 0.9, words[0][1], words[-1][2], tokens, "ru", 0.9, 0.0, False, 0.0, False)


def end_of(speech: list[tuple[int, float, float]], *turns: Turn, card_end_s: float = 5.0) -> float:
    facts = AudioFacts("c", 60.0, 8000, "opus", 2, 2, tuple(Interval(*one) for one in speech), (), 0.1, ((), ()))
    return with_tails([PersonalData("c", 1, "card", 3.0, card_end_s)], turns, facts)[0].end_s


CARD = turn(1, 1, ("карты", 2.0, 2.5), ("[CARD]", 3.0, 5.0))


@pytest.mark.parametrize(
    ("speech", "others", "until_s"),
    [
        ([(1, 2.0, 5.0), (1, 5.2, 6.4), (1, 6.6, 7.2)], [], 7.2),  # "... сорок, сем-"
        ([(1, 2.0, 5.0), (1, 5.2, 6.4)], [turn(2, 0, ("нет,", 5.3, 5.6), ("нет", 5.7, 6.0))], 6.4),  # while the other one speaks
        ([(1, 2.0, 5.0), (1, 5.2, 6.4)], [turn(2, 1, ("и", 5.5, 5.6), ("всё", 5.7, 6.0))], 5.5),  # up to what was understood again
        ([(1, 2.0, 5.0), (1, 5.8, 6.4)], [], 5.0),  # after a pause it is something else
        ([(1, 2.0, 5.0), (0, 5.1, 8.0)], [], 5.0),  # the other track is another person
        ([(1, 2.0, 30.0)], [], 5.0 + MOST_S),
        ([(1, 2.0, 5.1)], [], 5.0),
    ],
)
def test_speech_that_goes_on_and_is_not_understood_is_covered(
    speech: list[tuple[int, float, float]], others: list[Turn], until_s: float
) -> None:
    assert end_of(speech, CARD, *others) == pytest.approx(until_s)


_SPANS = st.lists(st.tuples(st.integers(0, 1), st.floats(0, 20), st.floats(0.05, 5)).map(lambda s: (s[0], s[1], s[1] + s[2])), max_size=8)


@given(_SPANS, _SPANS)
def test_a_piece_only_grows_and_reaches_no_word_of_its_track(
    speech: list[tuple[int, float, float]], said: list[tuple[int, float, float]]
) -> None:
    others = [turn(n, track, ("слово", start_s, end_s)) for n, (track, start_s, end_s) in enumerate(said, 2) if start_s >= 5.2]
    end_s = end_of(speech, CARD, *others)
    assert 5.0 <= end_s <= 5.0 + MOST_S
    assert all(end_s <= other.start_s for other in others if other.track == 1)
    if all(start_s > 5.0 + AT_ONCE_S for _, start_s, _ in speech):
        assert end_s == 5.0
