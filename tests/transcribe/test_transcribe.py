from __future__ import annotations

import dataclasses
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

from models.asr import engine, loading, whisper
from models.registry import sha256_of
from pipelines.audio import step as audio
from pipelines.core.records import AudioFacts, Call, Finding, Interval, Word
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch
from pipelines.transcribe import chunks, hallucinations, language_id
from pipelines.transcribe import step as transcribe

RATE = engine.RATE_HZ


def words(text: str) -> list[Word]:
    return [Word("c", 0, float(i), i + 0.8, word, 0.9, "ru") for i, word in enumerate(text.split())]


def kept(text: str) -> str:
    return " ".join(word.text for word in hallucinations.keep_said(words(text))[0])


class Recogniser:
    """Stands for the engine where a test is about what is done around it: says one word a second of sound, in the languages it is told."""

    longest_chunk_s = 28.0

    def __init__(self, *likely: dict[str, float]) -> None:
        self.likely = list(likely)

    def language_probabilities(self, sounds: Sequence[engine.Samples], languages: Sequence[str]) -> list[dict[str, float]]:
        return [self.likely.pop(0) for _ in sounds]

    def transcribe_chunks(self, sounds: Sequence[engine.Chunk]) -> list[dict[str, engine.ChunkTranscript]]:
        def recognised(c: engine.Chunk) -> engine.ChunkTranscript:
            return engine.ChunkTranscript(
                tuple(engine.ChunkWord(s + 0.1, s + 0.9, f"w{s}", 0.9) for s in range(len(c.samples) // RATE)), -0.2, 0.1
            )

        return [{language: recognised(c) for language in c.languages} for c in sounds]


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
    packed_chunks = chunks.pack(np.zeros(int((end_s + 1) * RATE), np.float32), 0, intervals, 28.0)
    assert all(len(c.samples) / RATE <= 28.01 for c in packed_chunks)
    packed = sum(p.end_s - p.start_s for c in packed_chunks for p in c.pieces)
    assert packed == pytest.approx(sum(i.end_s - i.start_s for i in intervals), abs=0.01)
    for chunk in packed_chunks:
        for piece in chunk.pieces:
            assert piece.chunk_start_s + piece.end_s - piece.start_s <= len(chunk.samples) / RATE + 0.01


@hypothesis_settings(deadline=None)
@given(speech)
def test_words_lie_inside_the_speech_and_in_order(intervals: list[Interval]) -> None:
    end_s = intervals[-1].end_s if intervals else 1.0
    sound = language_id.CallTracks(np.zeros((1, int((end_s + 1) * RATE)), np.float32), tuple(intervals), ("ru",))
    one = transcribe.CallTranscription(Call("c", "irkutsk", "", "", 0, None), sound)
    transcribe.listen([one], Recogniser())
    found = one.words
    for word in found:
        assert word.start_s <= word.end_s
        assert any(i.start_s - 0.01 <= word.start_s and word.end_s <= i.end_s + 0.01 for i in intervals)
    assert [w.start_s for w in found] == sorted(w.start_s for w in found)


def test_what_the_engine_gives_in_parts_is_one_word() -> None:
    """It begins a new item at each hyphen, apostrophe and comma, but a word begins with a space."""
    items = [" М", "'ясо", ",", " і", " що", "-то", " за", " 1", ",5", " кг", ",", " а", " -", " да", "!"]
    alignment = [{"word": item, "start": float(n), "end": n + 0.5, "probability": 0.9, "tokens": []} for n, item in enumerate(items)]
    found = whisper._words(alignment, 14.0)
    assert [word.text for word in found] == ["М'ясо,", "і", "що-то", "за", "1,5", "кг,", "а", "- да!"]
    assert [(word.start_s, word.end_s) for word in found][:3] == [(0.0, 1.5), (3.0, 3.5), (4.0, 5.5)]


@pytest.mark.parametrize(
    "credits",
    [
        "Субтитры сделал DimaTorzok",
        "Продолжение следует...",
        "Дякую за перегляд!",
        "Спасибо за просмотр.",
        "Редактор субтитров Н. А. Корректор В. Сухи",
        "Thanks for watching!",
        "Feliratok: valaki",
    ],
)
def test_subtitle_credits_are_never_words_and_are_recorded(credits: str) -> None:
    left, stretches = hallucinations.keep_said(words(f"До свидания. {credits}"))
    assert [w.text for w in left][:2] == ["До", "свидания."]
    assert len(left) <= 3
    assert [why for _, why in stretches] == ["credits"]


@pytest.mark.parametrize(
    "text",
    [
        "спасибо за звонок до свидания",
        "дякую за очікування",
        "ноль ноль ноль ноль три",
        "да да да слушаю",
        "thanks for calling and thanks for waiting",
        "продолжение ремонта следует ждать завтра",
    ],
)
def test_spoken_words_are_not_removed(text: str) -> None:
    assert kept(text) == text


def test_a_loop_is_cut_after_its_second_time() -> None:
    assert kept("ну вот " + "я не знаю " * 9 + "хорошо") == "ну вот я не знаю я не знаю хорошо"
    assert kept("алло " * 30) == "алло алло"


@hypothesis_settings(deadline=None)
@given(st.lists(st.sampled_from("абвг"), max_size=60))
def test_cutting_loops_ends_and_only_takes_away(letters: list[str]) -> None:
    spans = hallucinations.loops(letters)
    assert all(0 <= a < b <= len(letters) for a, b in spans)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))


def test_words_in_what_the_engine_takes_for_silence_are_left_out() -> None:
    left, stretches = hallucinations.keep_said(words("спасибо"), is_doubtful=True)
    assert left == []
    assert [why for _, why in stretches] == ["silence"]


def test_a_stretch_in_which_no_word_is_believed_is_left_out_and_recorded() -> None:
    def word(start_s: float, text: str, probability: float) -> Word:
        return Word("c", 0, start_s, start_s + 0.5, text, probability, "ru")

    words = [word(0, "слышно", 0.9), word(1, "вас", 0.3)]
    tone = [word(5, "Бип", 0.2), word(6, "бип", 0.95), word(7, "бип", 0.97)]
    left, stretches = hallucinations.keep_said(words + tone, pieces=[(0, 2), (5, 8)])
    assert left == words
    assert stretches == [(tone, "unsure")]


def test_each_side_of_a_call_is_heard_in_its_own_language() -> None:
    tracks = np.zeros((2, 40 * RATE), np.float32)
    spoken = [Interval(0, 1, 9), Interval(1, 10, 19)]
    recogniser = Recogniser({"ru": 0.97, "hu": 0.03}, {"ru": 0.02, "hu": 0.98})
    packed = language_id.pack_by_language([language_id.CallTracks(tracks, tuple(spoken), ("ru", "hu"))], recogniser)[0]
    assert [(chunk.track, languages) for chunk, languages in packed] == [(0, ("ru",)), (1, ("hu",))]


def test_a_mixed_chunk_is_split_and_a_doubtful_stretch_stays_in_the_calls_language() -> None:
    tracks = np.zeros((1, 40 * RATE), np.float32)
    spoken = [Interval(0, 1, 6), Interval(0, 7, 12), Interval(0, 13, 18)]
    recogniser = Recogniser({"ru": 0.6, "en": 0.4}, {"ru": 0.95, "en": 0.05}, {"ru": 0.05, "en": 0.95}, {"ru": 0.45, "en": 0.55})
    packed = language_id.pack_by_language([language_id.CallTracks(tracks, tuple(spoken), ("ru", "en"))], recogniser)[0]
    assert [([p.start_s for p in chunk.pieces], languages) for chunk, languages in packed] == [([1, 13], ("ru",)), ([7], ("en",))]


def test_languages_that_sound_alike_are_identified_by_the_words() -> None:
    """A Russian client of a Ukrainian centre, with a Ukrainian's voice: the detector says Ukrainian, the words say Russian."""
    tracks = np.zeros((1, 40 * RATE), np.float32)
    recogniser = Recogniser({"uk": 0.95, "ru": 0.04, "en": 0.01})
    packed = language_id.pack_by_language(
        [language_id.CallTracks(tracks, tuple([Interval(0, 1, 6), Interval(0, 7, 12)]), ("uk", "ru", "en"))], recogniser
    )[0]
    assert [languages for _, languages in packed] == [("uk", "ru")]

    def words_in(language: str, *belief: float) -> list[Word]:
        return [
            Word("c", 0, p / 2, p / 2 + 0.4, language, belief[0] if p < 12 else belief[1], language)
            for p in range(2, 24)
            if p not in (12, 13)
        ]

    chosen = language_id.choose([packed[0][0]], [{"uk": words_in("uk", 0.9, 0.4), "ru": words_in("ru", 0.4, 0.9)}])
    assert [w.language for w in chosen[0]] == ["uk"] * 10 + ["ru"] * 10


def test_speech_without_words_is_found_again() -> None:
    chunk = chunks.pack(np.zeros(30 * RATE, np.float32), 0, [Interval(0, 1, 11), Interval(0, 12, 13)], 28.0)[0]
    words = [Word("c", 0, s, s + 0.9, "слово", 0.9, "ru") for s in (1.0, 2.0, 3.0)]
    gaps = chunks.uncovered(chunk, words, [])
    assert [(g.start_s, g.end_s) for g in gaps] == [(pytest.approx(4.25), 11)]
    nothing_said = Finding("c", "dropped_speech", "unknown", None, 4.0, 11.0, None)
    assert chunks.uncovered(chunk, words, [nothing_said]) == []


def plain(text: str) -> list[str]:
    text = unicodedata.normalize("NFC", text.lower().replace("ё", "е").replace("’", "'"))
    return re.findall(r"[\w']+", text)


def listening(calls_folder: Path, name: str, facts: AudioFacts | None = None) -> transcribe.CallTranscription:
    path = next((calls_folder / "audio").glob(f"{name}.*"))
    call = Call(name, name.split("-")[0], str(path), "", 0, None)
    return transcribe.prepare(call, facts or audio.facts_of(name, audio.decode(path)))


@pytest.mark.slow
def test_a_call_becomes_words_with_times(calls_folder: Path, settings: Settings) -> None:
    import jiwer

    reference = json.loads((calls_folder / "reference" / "kredo-en-002.json").read_text(encoding="utf-8"))
    one = listening(calls_folder, "kredo-en-002")
    transcribe.listen([one], loading.get_recogniser("offline", settings.models_dir))
    assert {w.language for w in one.words} == {"en"}
    expected = plain(" ".join(t["text"] for t in reference["turns"]))
    assert jiwer.wer(" ".join(expected), " ".join(plain(" ".join(w.text for w in one.words)))) < 0.3
    for word in one.words:
        assert 0 < word.probability <= 1
        assert any(t["start_s"] - 0.5 <= word.start_s and word.end_s <= t["end_s"] + 0.5 for t in reference["turns"])
    assert one.dropped == []


@pytest.mark.slow
def test_words_do_not_depend_on_which_calls_are_transcribed_together(calls_folder: Path, settings: Settings) -> None:
    """The first half minute of calls of one, two and three possible languages: in one group, in another order, and each by itself."""
    recogniser = loading.get_recogniser("offline", settings.models_dir)
    together = [listening(calls_folder, name) for name in ("kredo-en-002", "kyiv-uk-001", "irkutsk-ru-003", "motiv-hu-003")]
    for one in together:
        one.sound = dataclasses.replace(one.sound, speech=tuple(i for i in one.sound.speech if i.end_s < 30))
    transcribe.listen(together, recogniser)
    in_another_order = [transcribe.CallTranscription(one.call, one.sound) for one in reversed(together)]
    transcribe.listen(in_another_order, recogniser)
    alone = [transcribe.CallTranscription(one.call, one.sound) for one in together]
    for one in alone:
        transcribe.listen([one], recogniser)
    for first, second, third in zip(together, reversed(in_another_order), alone, strict=True):
        assert len(first.words) > 15
        assert first.words == second.words == third.words
        assert first.dropped == second.dropped == third.dropped


def test_one_bad_call_does_not_spoil_its_group(
    calls_folder: Path, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = calls_folder / "audio" / "kredo-en-002.wav"
    gone = tmp_path / "gone.wav"
    facts = audio.facts_of("c", audio.decode(good))
    calls = [Call(f"c{n}", "kredo", str(path), sha256_of(good), 0, None) for n, path in enumerate([good, gone, good])]
    batch = Batch(tmp_path / "batch")
    batch.write("calls", calls)
    batch.write_rejected("intake", [])
    batch.write("audio", [dataclasses.replace(facts, call_id=call.call_id) for call in calls])
    recogniser = Recogniser()
    recogniser.language_probabilities = lambda sounds, languages: [dict.fromkeys(languages, 1.0) for _ in sounds]  # type: ignore[method-assign]
    monkeypatch.setattr(loading, "get_recogniser", lambda *_: recogniser)
    transcribe.run(batch, settings)
    assert {word.call_id for word in batch.read("words")} == {"c0", "c2"}
    assert [row.call_id for row in batch.rejected()] == ["c1"]


def test_the_engine_gets_the_names_of_the_centre_in_each_language(calls_folder: Path) -> None:
    one = listening(calls_folder, "kyiv-uk-001")
    recogniser = Recogniser()
    recogniser.language_probabilities = lambda sounds, languages: [{language: 1 / len(languages) for language in languages} for _ in sounds]  # type: ignore[method-assign]
    told: list[engine.Chunk] = []
    transcribe_chunks = recogniser.transcribe_chunks
    recogniser.transcribe_chunks = lambda chunks: told.extend(chunks) or transcribe_chunks(chunks)  # type: ignore[method-assign, func-returns-value]
    transcribe.listen([one], recogniser)
    assert told
    for chunk in told:
        hot_words = dict(zip(chunk.languages, chunk.hot_words, strict=True))
        assert "Київські енергетичні послуги" in hot_words.get("uk", "Київські енергетичні послуги")
        assert "Киевские энергетические услуги" in hot_words.get("ru", "Киевские энергетические услуги")
    assert any("uk" in chunk.languages for chunk in told)
