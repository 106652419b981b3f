from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core.errors import MisconfiguredError
from pipelines.core.records import Call, Turn
from pipelines.turns.roles import LEAST_CONFIDENCE, WEIGHTS, decide_roles, mistaken_stretches, operator_chances
from pipelines.turns.step import build_turns
from tests.spoken import audio_of, call_of, dialogue, references, segments_of, words_of

CALL = call_of({"id": "c", "centre": "kredo", "direction": "inbound"})
PLAIN = (
    ("operator", "Здравствуйте, Кредо-Телеком, меня зовут Олеся, чем могу помочь?"),
    ("client", "Добрый вечер. У меня интернет пропал, хочу узнать, когда починят."),
    ("operator", "Назовите, пожалуйста, номер договора."),
    ("client", "Сто восемнадцать, сорок два, ноль шесть."),
    ("operator", "Спасибо, вижу. Мастер приедет завтра. Остались ещё вопросы?"),
    ("client", "Нет, спасибо вам большое."),
)


def voices(*lines: tuple[str, str], language: str = "ru") -> list[Turn]:
    """Turns whose speakers say nothing of their role: the first name is a voice, not a role."""
    return [replace(t, speaker=f"voice-{t.role}", role="unknown") for t in dialogue(*lines, language=language)]  # type: ignore[arg-type]


def roles(call: Call, turns: list[Turn], stereo: bool = False) -> dict[str, str]:
    return {speaker.removeprefix("voice-"): role for speaker, (role, _) in decide_roles(call, turns, stereo).of.items()}


def test_the_words_of_the_shipped_calls_tell_the_roles(calls_folder: Path) -> None:
    for reference in references(calls_folder):
        turns = build_turns(reference["id"], audio_of(reference), words_of(reference), segments_of(reference))
        names = ("track0", "track1") if reference["layout"] == "stereo" else ("operator", "client")
        assert roles(call_of(reference), turns) == dict(zip(names, ("operator", "client"), strict=True)), reference["id"]


@pytest.mark.parametrize(
    ("language", "lines"),
    [
        ("ru", (("client", "Алло."), ("operator", "Добрый день, вас беспокоит Сбыт. Вы оставляли заявку, удобно говорить?"), ("client", "Да, говорите."))),
        ("uk", (("operator", "Вітаю, технічна підтримка, слухаю вас."), ("client", "В мене світла нема з ранку, шо робить?"))),
        ("hu", (("operator", "Jó napot, ügyfélszolgálat, miben segíthetek?"), ("client", "Jó napot. Szeretném megtudni az egyenlegemet."))),
        ("en", (("operator", "Hello, customer support, Kate speaking. How can I help you?"), ("client", "Hi, my internet is down again."))),
    ],
)  # fmt: skip
def test_each_language_has_its_evidence(language: str, lines: tuple[tuple[str, str], ...]) -> None:
    call = replace(CALL, direction="outbound") if lines[0][0] == "client" else CALL
    assert roles(call, voices(*lines, language=language)) == {"operator": "operator", "client": "client"}


def test_who_says_nothing_telling_stays_unknown() -> None:
    turns = voices(("client", "Угу."), ("operator", "Так."), ("client", "Вот."))
    assert set(roles(replace(CALL, direction="outbound"), turns).values()) == {"unknown"}


def test_a_transfer_has_two_operators_and_a_client() -> None:
    turns = voices(*PLAIN)
    second = voices(("operator", "Здравствуйте, вторая линия, меня зовут Иван, слушаю вас. Назовите, пожалуйста, номер договора."))[0]
    late = replace(second, speaker="voice-second", turn_no=7, start_s=100.0, end_s=110.0)
    assert roles(CALL, [*turns, late]) == {"operator": "operator", "client": "client", "second": "operator"}


def stereo(operator_track: int) -> list[Turn]:
    return [replace(t, track=operator_track if "operator" in t.speaker else 1 - operator_track) for t in voices(*PLAIN)]


def test_the_log_names_the_channel_when_the_words_are_silent() -> None:
    quiet = [replace(t, track=int("client" in t.speaker)) for t in voices(("operator", "Так."), ("client", "Вот."), ("operator", "Ага."))]
    assert roles(replace(CALL, operator_channel=0), quiet, stereo=True) == {"operator": "operator", "client": "client"}
    assert roles(replace(CALL, operator_channel=1), quiet, stereo=True) == {"operator": "client", "client": "operator"}


def test_words_that_clearly_contradict_the_log_are_reported() -> None:
    right = decide_roles(replace(CALL, operator_channel=0), stereo(0), stereo=True)
    wrong = decide_roles(replace(CALL, operator_channel=0), stereo(1), stereo=True)
    assert not right.summary.is_mapping_suspect and right.of["voice-operator"][0] == "operator"
    assert wrong.summary.is_mapping_suspect and wrong.of["voice-operator"][0] in ("operator", "unknown")
    assert "not on the channel" in wrong.summary.explanation


def test_a_wrong_channel_in_the_log_is_detected_in_the_shipped_calls_and_never_used(calls_folder: Path) -> None:
    for reference in references(calls_folder):
        if reference["layout"] == "stereo":
            turns = build_turns(reference["id"], audio_of(reference), words_of(reference), segments_of(reference))
            right = decide_roles(replace(call_of(reference), operator_channel=0), turns, stereo=True)
            wrong = decide_roles(replace(call_of(reference), operator_channel=1), turns, stereo=True)
            assert not right.summary.is_mapping_suspect and wrong.summary.is_mapping_suspect, reference["id"]
            assert {s: role for s, (role, _) in right.of.items()} == {"track0": "operator", "track1": "client"}
            assert wrong.of["track0"][0] != "client" and wrong.of["track1"][0] != "operator"


def test_a_mono_recording_ignores_the_channel_of_the_log() -> None:
    assert roles(replace(CALL, operator_channel=1), voices(*PLAIN)) == {"operator": "operator", "client": "client"}


def test_a_misspelt_kind_of_evidence_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.turns import roles as module

    (tmp_path / "ru.yaml").write_text("servise: [слушаю]\n", encoding="utf-8")
    monkeypatch.setattr(module, "PHRASES", tmp_path)
    with pytest.raises(MisconfiguredError, match=r"ru\.yaml.*servise.*service"):
        module._role_phrases.__wrapped__("ru")


odds = st.dictionaries(st.sampled_from("abcdef"), st.floats(-30, 30), min_size=1, max_size=6)


@given(odds)
def test_chances_are_chances_and_follow_the_odds(odds_of: dict[str, float]) -> None:
    chance = operator_chances(odds_of)
    assert chance.keys() == odds_of.keys() and all(0 <= p <= 1 for p in chance.values())
    if len(chance) > 1:
        assert 1 - 1e-6 <= sum(chance.values()) <= len(chance) - 1 + 1e-6
    ranked = sorted(odds_of, key=lambda s: odds_of[s])
    assert all(chance[a] <= chance[b] + 1e-9 for a, b in pairwise(ranked))


def test_the_thresholds_are_sane() -> None:
    assert 0.6 <= LEAST_CONFIDENCE < 0.95 and WEIGHTS["company"] > 0 > WEIGHTS["need"]


def test_a_sentence_that_only_an_operator_says_goes_back_to_the_operator() -> None:
    turns = voices(*PLAIN)
    decided = decide_roles(CALL, turns, stereo=False)
    mixed = voices(("client", "Да, телефон украли. Назовите, пожалуйста, номер договора и адрес. Сто восемнадцать."))
    (stretch,) = mistaken_stretches(CALL, [*turns, *mixed], decided)
    assert (stretch.start_s, stretch.speaker) == (mixed[0].tokens[3].start_s, "voice-operator")
    assert mistaken_stretches(CALL, turns, decided) == []


def test_one_voice_in_mono_is_nobody() -> None:
    turns = [replace(t, speaker="voice-both") for t in voices(*PLAIN)]
    assert roles(CALL, turns) == {"both": "unknown"}
