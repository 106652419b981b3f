from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipelines.core.errors import BadRecordingError
from pipelines.core.records import AudioFacts, Hold, Segment, Word
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch
from pipelines.turns.roles import StraySentence
from pipelines.turns.step import RAISED_DB, assign_speakers, build_turns, reassign, run, turns_of_call
from tests.spoken import audio, audio_of, call_of, references, segments_of, words_of


def say(text: str, start_s: float, track: int = 0, each_s: float = 0.3) -> list[Word]:
    return [Word("c", track, start_s + n * each_s, start_s + (n + 1) * each_s - 0.05, w, 0.9, "ru") for n, w in enumerate(text.split())]


def seg(start_s: float, end_s: float, speaker: str, track: int = 0) -> Segment:
    return Segment("c", track, start_s, end_s, speaker)


def test_each_word_of_a_mono_call_goes_to_the_speaker_whose_segment_covers_it() -> None:
    words = say("добрый день слушаю вас.", 0.0) + say("здравствуйте у меня вопрос", 2.0)
    turns = build_turns("c", audio(5), words, [seg(0, 1.3, "a"), seg(1.9, 3.5, "b")])
    assert [(t.speaker, t.text) for t in turns] == [("a", "добрый день слушаю вас."), ("b", "здравствуйте у меня вопрос")]


def test_a_word_outside_every_segment_goes_to_the_nearest_speaker() -> None:
    words = [*say("да конечно.", 0.0), *say("хорошо", 3.0)]
    assert assign_speakers(words, [seg(0, 0.6, "a"), seg(3.4, 4, "b")]) == ["a", "a", "b"]


def test_a_single_word_torn_out_of_a_phrase_goes_back() -> None:
    words = say("назовите пожалуйста номер лицевого счёта", 0.0)
    segments = [seg(0, 0.6, "a"), seg(0.6, 0.85, "b"), seg(0.85, 1.6, "a"), seg(5, 6, "b")]
    assert set(assign_speakers(words, segments)) == {"a"}


def test_the_speaker_changes_at_the_end_of_the_sentence_when_the_diarization_is_a_word_late() -> None:
    words = say("вам удобно говорить? да удобно спасибо", 0.0)
    assert assign_speakers(words, [seg(0, 1.15, "a"), seg(1.15, 2, "b")]) == ["a"] * 3 + ["b"] * 3


def test_a_short_answer_between_the_sentences_of_the_other_keeps_its_own_turn() -> None:
    words = [*say("сейчас проверю ваш адрес.", 0.0), *say("угу.", 1.6), *say("вижу его", 2.2)]
    turns = build_turns("c", audio(4), words, [seg(0, 1.3, "a"), seg(1.6, 1.9, "b"), seg(2.2, 3, "a")])
    assert [(t.speaker, t.text) for t in turns] == [("a", "сейчас проверю ваш адрес."), ("b", "угу."), ("a", "вижу его")]


def test_in_stereo_the_track_is_the_speaker_and_a_backchannel_does_not_cut_the_turn() -> None:
    words = say("один два три четыре пять шесть семь восемь", 0.0) + say("угу", 1.0, track=1)
    turns = build_turns("c", audio(4, tracks=2), words, [])
    assert [(t.track, t.text) for t in turns] == [(0, "один два три четыре пять шесть семь восемь"), (1, "угу")]
    assert turns[1].overlap_s == pytest.approx(0.25, abs=0.02)


def test_talking_over_the_other_until_he_stops_is_an_interruption() -> None:
    words = say("я хотел бы вам рассказать о нашем тарифе", 0.0) + say("нет не надо мне ничего рассказывать", 1.6, track=1)
    first, second = build_turns("c", audio(6, tracks=2), words, [])
    assert second.interrupts and not first.interrupts
    assert first.overlap_s == second.overlap_s > 0.5


def test_a_backchannel_and_an_answer_after_a_pause_are_no_interruptions() -> None:
    words = say("один два три четыре пять шесть семь восемь", 0.0) + say("угу", 1.0, track=1) + say("понятно", 2.6, track=1)
    assert not any(t.interrupts for t in build_turns("c", audio(5, tracks=2), words, []))


def test_in_mono_the_diarization_tells_the_overlap() -> None:
    words = say("назовите адрес я проверю", 0.0) + say("сколько можно", 1.3)
    turns = build_turns("c", audio(4), words, [seg(0, 1.4, "a"), seg(1.0, 2.0, "b")])
    assert [t.overlap_s > 0.05 for t in turns] == [True, True]


def test_a_hold_and_a_long_silence_split_a_turn() -> None:
    words = say("одну минуту", 0.0) + say("спасибо за ожидание", 12.0)
    with_hold = build_turns("c", audio(15, holds=[Hold(1.0, 11.5, "music")]), words, [seg(0, 1, "a"), seg(12, 13, "a")])
    short = build_turns("c", audio(15), say("одну минуту", 0.0) + say("вот", 2.0), [seg(0, 1, "a"), seg(2, 3, "a")])
    assert [len(with_hold), len(short)] == [2, 1]


def test_a_voice_is_raised_against_its_own_median_only() -> None:
    words = say("тихо тихо тихо", 0.0) + say("громко громко", 2.0, track=1) + say("и ещё тихо", 4.0)
    words += say("да", 5.2, track=1) + say("КРИК КРИК", 6.0)
    level = [[-30.0] * 200, [-10.0] * 200]
    level[0][120:140] = [-30.0 + RAISED_DB + 1] * 20
    facts = replace(audio(9, tracks=2), level_db=tuple(tuple(t) for t in level))
    raised = {t.text: t.raised_voice for t in build_turns("c", facts, words, [])}
    assert raised == {"тихо тихо тихо": False, "громко громко": False, "и ещё тихо": False, "да": False, "КРИК КРИК": True}


def test_no_words_reject_the_call_and_the_others_go_on(settings: Settings, calls_folder: Path) -> None:
    first, second = references(calls_folder)[:2]
    batch = Batch(settings.stage / "b")
    batch.write("calls", [call_of(first), call_of(second)])
    batch.write_rejected("intake", [])
    batch.write("audio", [audio_of(first), audio_of(second)])
    batch.write("words", words_of(second))
    batch.write("segments", segments_of(first) + segments_of(second))
    run(batch, settings)
    assert [(p.call_id, p.status) for p in batch.rejected()] == [(first["id"], "unscoreable")]
    assert {t.call_id for t in batch.read("spoken_turns")} == {r.call_id for r in batch.read("roles")} == {second["id"]}


def test_a_call_without_words_says_what_to_do() -> None:
    call = call_of({"id": "c", "centre": "irkutsk", "direction": "inbound"})
    with pytest.raises(BadRecordingError, match="listen to the recording"):
        turns_of_call(call, audio(5), [], [])


def test_the_turns_of_the_shipped_calls_are_those_of_the_reference(calls_folder: Path) -> None:
    for reference in references(calls_folder):
        turns = build_turns(reference["id"], audio_of(reference), words_of(reference), segments_of(reference))
        assert abs(len(turns) - len(reference["turns"])) <= 2, reference["id"]


moments = st.floats(0, 60, allow_nan=False).map(lambda x: round(x, 2))


@st.composite
def conversations(draw: st.DrawFn) -> tuple[AudioFacts, list[Word], list[Segment]]:
    tracks = draw(st.sampled_from([1, 2]))
    words = [
        Word(
            "c",
            draw(st.integers(0, tracks - 1)),
            start,
            start + draw(st.floats(0, 1.5)),
            f"w{n}" + draw(st.sampled_from(["", ".", "?", ","])),
            0.5,
            "ru",
        )
        for n, start in enumerate(draw(st.lists(moments, min_size=1, max_size=40)))
    ]
    segments = [
        seg(start, start + draw(st.floats(0.05, 8)), draw(st.sampled_from("abc")), draw(st.integers(0, tracks - 1)))
        for start in draw(st.lists(moments, max_size=12))
    ]
    holds = [Hold(start, start + 5, "silence") for start in draw(st.lists(moments, max_size=2))]
    return audio(70, tracks, holds), words, segments


@given(conversations())
@hypothesis_settings(max_examples=120, deadline=None)
def test_no_word_is_lost_or_doubled_and_time_runs_forward(conversation: tuple[AudioFacts, list[Word], list[Segment]]) -> None:
    facts, words, segments = conversation
    turns = build_turns("c", facts, words, segments)
    assert Counter(t.text for turn in turns for t in turn.tokens) == Counter(w.text for w in words)
    assert [t.turn_no for t in turns] == list(range(1, len(turns) + 1))
    assert [t.start_s for t in turns] == sorted(t.start_s for t in turns)
    for turn in turns:
        starts = [token.start_s for token in turn.tokens]
        assert starts == sorted(starts) and turn.start_s == starts[0]
        assert turn.end_s == max(token.end_s for token in turn.tokens)
        assert 0 <= turn.overlap_s <= turn.end_s - turn.start_s + 0.02
        assert facts.tracks == 1 or {w.track for w in words if w.text in turn.text.split()} == {turn.track}


def test_a_stretch_is_handed_over_whole_and_nothing_else_changes() -> None:
    before = [seg(0, 10, "a"), seg(12, 15, "b")]
    after = reassign(before, [StraySentence("c", 4.0, 6.0, "b")])
    assert [(s.start_s, s.end_s, s.speaker) for s in after] == [(0, 4.0, "a"), (4.0, 6.0, "b"), (6.0, 10, "a"), (12, 15, "b")]
