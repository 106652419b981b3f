from __future__ import annotations

import itertools
import json
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from models import asr
from pipelines import audio, chunks, crosstalk, spoken_language, transcribe
from pipelines.records import Call, Finding, Interval, Word
from pipelines.settings import Settings

RATE = asr.RATE_HZ


def words(text: str) -> list[Word]:
    return [Word("c", 0, float(i), i + 0.8, word, 0.9, "ru") for i, word in enumerate(text.split())]


def kept(text: str) -> str:
    return " ".join(word.text for word in transcribe.guard(words(text))[0])


class Recogniser:
    """Stands for the engine where a test is about what is done around it: says one word a second of sound, in the languages it is told."""

    def __init__(self, *likely: dict[str, float]) -> None:
        self.likely = list(likely)

    def language_probabilities(self, sounds: Sequence[asr.Samples], languages: Sequence[str]) -> list[dict[str, float]]:
        return [self.likely.pop(0) for _ in sounds]

    def transcribe_chunks(self, sounds: Sequence[asr.Chunk]) -> list[dict[str, asr.Heard]]:
        def heard(c: asr.Chunk) -> asr.Heard:
            return asr.Heard(tuple(asr.HeardWord(s + 0.1, s + 0.9, f"w{s}", 0.9) for s in range(len(c.samples) // RATE)), -0.2, 0.1)

        return [{language: heard(c) for language in c.languages} for c in sounds]


speech = st.lists(st.tuples(st.floats(0.1, 20), st.floats(0.1, 40)), max_size=12).map(
    lambda steps: [
        Interval(0, round(sum(g + n for g, n in steps[:i]) + steps[i][0], 3), round(sum(g + n for g, n in steps[: i + 1]), 3))
        for i in range(len(steps))
    ]
)


@hypothesis_settings(deadline=None)
@given(speech)
def test_chunks_hold_all_speech_once_and_never_more_than_the_window(intervals: list[Interval]) -> None:
    end_s = intervals[-1].end_s if intervals else 1.0
    packed_chunks = chunks.pack(np.zeros(int((end_s + 1) * RATE), np.float32), 0, intervals)
    assert all(len(c.samples) / RATE <= asr.CHUNK_S + 0.01 for c in packed_chunks)
    packed = sum(p.end_s - p.start_s for c in packed_chunks for p in c.pieces)
    assert packed == pytest.approx(sum(i.end_s - i.start_s for i in intervals), abs=0.01)
    for chunk in packed_chunks:
        for piece in chunk.pieces:
            assert piece.chunk_start_s + piece.end_s - piece.start_s <= len(chunk.samples) / RATE + 0.01


@hypothesis_settings(deadline=None)
@given(speech)
def test_words_lie_inside_the_speech_and_in_order(intervals: list[Interval]) -> None:
    end_s = intervals[-1].end_s if intervals else 1.0
    packed_chunks = chunks.pack(np.zeros(int((end_s + 1) * RATE), np.float32), 0, intervals)
    found, _ = transcribe._hear("c", [(c, ("ru",)) for c in packed_chunks], Recogniser())  # type: ignore[arg-type]
    for word in found:
        assert word.start_s <= word.end_s
        assert any(i.start_s - 0.01 <= word.start_s and word.end_s <= i.end_s + 0.01 for i in intervals)
    assert [w.start_s for w in found] == sorted(w.start_s for w in found)


@pytest.mark.parametrize(
    "credits",
    [
        "Субтитры сделал DimaTorzok",
        "Продолжение следует...",
        "Дякую за перегляд!",
        "Спасибо за просмотр.",
        "Thanks for watching!",
        "Feliratok: valaki",
    ],
)
def test_subtitle_credits_are_never_words_and_are_recorded(credits: str) -> None:
    left, stretches = transcribe.guard(words(f"До свидания. {credits}"))
    assert [w.text for w in left][:2] == ["До", "свидания."]
    assert len(left) <= 3
    assert [why for _, why in stretches] == ["credits"]


@pytest.mark.parametrize(
    "said",
    [
        "спасибо за звонок до свидания",
        "дякую за очікування",
        "ноль ноль ноль ноль три",
        "да да да слушаю",
        "thanks for calling and thanks for waiting",
        "продолжение ремонта следует ждать завтра",
    ],
)
def test_what_people_really_say_is_kept(said: str) -> None:
    assert kept(said) == said


def test_a_loop_is_cut_after_its_second_time() -> None:
    assert kept("ну вот " + "я не знаю " * 9 + "хорошо") == "ну вот я не знаю я не знаю хорошо"
    assert kept("алло " * 30) == "алло алло"


@hypothesis_settings(deadline=None)
@given(st.lists(st.sampled_from("абвг"), max_size=60))
def test_cutting_loops_ends_and_only_takes_away(letters: list[str]) -> None:
    spans = transcribe.loops(letters)
    assert all(0 <= a < b <= len(letters) for a, b in spans)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))


def test_words_in_what_the_engine_takes_for_silence_are_left_out() -> None:
    left, stretches = transcribe.guard(words("спасибо"), is_doubtful=True)
    assert left == []
    assert [why for _, why in stretches] == ["silence"]


def test_each_side_of_a_call_is_heard_in_its_own_language() -> None:
    tracks = np.zeros((2, 40 * RATE), np.float32)
    spoken = [Interval(0, 1, 9), Interval(1, 10, 19)]
    recogniser = Recogniser({"ru": 0.97, "hu": 0.03}, {"ru": 0.02, "hu": 0.98})
    packed = spoken_language.pack_by_language(tracks, spoken, recogniser, ["ru", "hu"])  # type: ignore[arg-type]
    assert [(chunk.track, languages) for chunk, languages in packed] == [(0, ("ru",)), (1, ("hu",))]


def test_a_mixed_chunk_is_split_and_a_doubtful_stretch_stays_in_the_calls_language() -> None:
    tracks = np.zeros((1, 40 * RATE), np.float32)
    spoken = [Interval(0, 1, 6), Interval(0, 7, 12), Interval(0, 13, 18)]
    recogniser = Recogniser({"ru": 0.6, "en": 0.4}, {"ru": 0.95, "en": 0.05}, {"ru": 0.05, "en": 0.95}, {"ru": 0.45, "en": 0.55})
    packed = spoken_language.pack_by_language(tracks, spoken, recogniser, ["ru", "en"])  # type: ignore[arg-type]
    assert [([p.start_s for p in chunk.pieces], languages) for chunk, languages in packed] == [([1, 13], ("ru",)), ([7], ("en",))]


def test_languages_that_sound_alike_are_told_by_the_words() -> None:
    """A Russian client of a Ukrainian centre, with a Ukrainian's voice: the detector says Ukrainian, the words say Russian."""
    tracks = np.zeros((1, 40 * RATE), np.float32)
    recogniser = Recogniser({"uk": 0.95, "ru": 0.04, "en": 0.01})
    packed = spoken_language.pack_by_language(tracks, [Interval(0, 1, 6), Interval(0, 7, 12)], recogniser, ["uk", "ru", "en"])  # type: ignore[arg-type]
    assert [languages for _, languages in packed] == [("uk", "ru")]

    def said(language: str, *belief: float) -> list[Word]:
        return [
            Word("c", 0, p / 2, p / 2 + 0.4, language, belief[0] if p < 12 else belief[1], language)
            for p in range(2, 24)
            if p not in (12, 13)
        ]

    chosen = spoken_language.choose([packed[0][0]], [{"uk": said("uk", 0.9, 0.4), "ru": said("ru", 0.4, 0.9)}])
    assert [w.language for w in chosen[0]] == ["uk"] * 10 + ["ru"] * 10


def test_speech_without_words_is_found_again() -> None:
    chunk = chunks.pack(np.zeros(30 * RATE, np.float32), 0, [Interval(0, 1, 11), Interval(0, 12, 13)])[0]
    heard = [Word("c", 0, s, s + 0.9, "слово", 0.9, "ru") for s in (1.0, 2.0, 3.0)]
    gaps = chunks.uncovered(chunk, heard, [])
    assert [(g.start_s, g.end_s) for g in gaps] == [(pytest.approx(4.25), 11)]
    nothing_said = Finding("c", "dropped_speech", "unknown", None, 4.0, 11.0, None)
    assert chunks.uncovered(chunk, heard, [nothing_said]) == []


def plain(text: str) -> list[str]:
    text = unicodedata.normalize("NFC", text.lower().replace("ё", "е").replace("’", "'"))
    return re.findall(r"[\w']+", text)


@pytest.mark.slow
def test_a_call_becomes_words_with_times(calls_folder: Path, settings: Settings) -> None:
    import jiwer

    path = calls_folder / "audio" / "kredo-en-002.wav"
    reference = json.loads((calls_folder / "reference" / "kredo-en-002.json").read_text(encoding="utf-8"))
    call = Call("c", "kredo", str(path), "", 0, None)
    facts = audio.facts_of("c", audio.decode(path))
    recogniser = asr.get_recogniser("offline", settings.models_dir)
    found, dropped = transcribe.words_of_call(call, facts, recogniser, ("ru", "en"))
    assert {w.language for w in found} == {"en"}
    said = plain(" ".join(t["text"] for t in reference["turns"]))
    assert jiwer.wer(" ".join(said), " ".join(plain(" ".join(w.text for w in found)))) < 0.3
    for word in found:
        assert 0 < word.probability <= 1
        assert any(t["start_s"] - 0.5 <= word.start_s and word.end_s <= t["end_s"] + 0.5 for t in reference["turns"])
    assert dropped == []
    assert transcribe.words_of_call(call, facts, recogniser, ("ru", "en"))[0] == found


@pytest.mark.parametrize("kind", ["music", "noise", "ringing"])
def test_what_nobody_says_gives_no_words(kind: str) -> None:
    t = np.arange(30 * RATE) / RATE
    sounds = {
        "music": 0.05 * sum(np.sin(2 * np.pi * f * t) for f in (262, 330, 392, 523)) * (0.6 + 0.4 * np.sin(2 * np.pi * 2 * t)),
        "noise": 0.03 * np.random.default_rng(3).standard_normal(len(t)),
        "ringing": 0.1 * np.sin(2 * np.pi * 425 * t) * ((t % 5) < 1),
    }
    assert crosstalk.speech_intervals(sounds[kind].astype(np.float32)[None], RATE) == []
