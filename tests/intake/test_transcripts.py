"""Transcripts delivered instead of recordings: accepted forms, rejections with their reasons, and the resulting turns."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core.errors import BadRecordingError
from pipelines.core.records import Call, Turn
from pipelines.intake.folder import read_folder
from pipelines.intake.transcripts import MAX_SIZE_BYTES, Transcript, read_transcript
from pipelines.turns.from_transcripts import turns_of_transcript

OPERATOR = {"role": "operator", "start_s": 0.0, "end_s": 3.0, "text": "Добрый день, Иркутскэнергосбыт, Анна, чем могу помочь?"}
CLIENT = {"role": "client", "start_s": 3.2, "end_s": 5.0, "text": "Хочу передать показания."}


def call(**changes: Any) -> Call:
    return Call(**({"call_id": "c-1", "centre_id": "irkutsk", "recording": "c-1.json", "recording_sha256": "0" * 64, "size_bytes": 1,
                    "started_at": None, "medium": "transcript"} | changes))  # fmt: skip


def transcript(*turns: dict[str, Any]) -> Transcript:
    return Transcript.model_validate({"turns": list(turns)})


def turns(*given: dict[str, Any], **changes: Any) -> list[Turn]:
    return turns_of_transcript(call(**changes), transcript(*given))[1]


def reason_of(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(BadRecordingError) as caught:
        read_transcript(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "line 1, column 1"),
        (b"not json", "line 1, column 1"),
        ("привет".encode("cp1251"), "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[]", "dictionary"),
        (b"{}", "turns: field required"),
        (b'{"turns": []}', "holds no words"),
        (b'{"turns": [{"role": "client", "start_s": 0, "end_s": 1, "text": "   "}]}', "holds no words"),
        (b'{"turns": [{"start_s": 0, "end_s": 1, "text": "a"}]}', "turns 1: needs role"),
        (b'{"turns": [{"role": "boss", "start_s": 0, "end_s": 1, "text": "a"}]}', "turns 1 role: must be one of operator"),
        (b'{"turns": [{"role": "client", "end_s": 1, "text": "a"}]}', "turns 1 start_s: field required"),
        (b'{"turns": [{"role": "client", "start_s": 2, "end_s": 1, "text": "a"}]}', "turns 1: end_s 1 is before start_s 2"),
        (b'{"turns": [{"role": "client", "start_s": -1, "end_s": 1, "text": "a"}]}', "turns 1 start_s"),
        (b'{"turns": [{"role": "client", "start_s": NaN, "end_s": 1, "text": "a"}]}', "turns 1 start_s"),
        (b'{"turns": [{"role": "client", "start_s": 0, "end_s": 1e300, "text": "a"}]}', "turns 1 end_s"),
        (b'{"turns": [{"role": "client", "start_s": 0, "end_s": 1, "text": 7}]}', "turns 1 text"),
        (b'{"turns": [{"role": "client", "start_s": 0, "end_s": 1, "text": "' + b"a" * 60_000 + b'"}]}', "turns 1 text"),
        (b" " * (MAX_SIZE_BYTES + 1), "larger than 32 MB"),
    ],
)
def test_what_is_no_transcript_is_rejected_with_the_place_and_the_reason(tmp_path: Path, content: bytes, words: str) -> None:
    assert words.lower() in reason_of(tmp_path / "c-1.json", content).lower()


def test_a_reason_never_repeats_spoken_words(tmp_path: Path) -> None:
    content = json.dumps({"turns": [CLIENT | {"text": "Карта 4111 1111 1111 1111", "start_s": "Иванова"}]}, ensure_ascii=False)

    reason = reason_of(tmp_path / "c-1.json", content.encode())

    assert "4111" not in reason and "Иванова" not in reason


def test_a_file_that_changed_after_it_was_received_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "c-1.json"
    path.write_text(json.dumps({"turns": [OPERATOR]}))
    received = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_text(json.dumps({"turns": [OPERATOR, CLIENT]}))

    with pytest.raises(BadRecordingError, match="changed after it was received"):
        read_transcript(path, received)


def test_control_and_direction_characters_do_not_reach_a_turn() -> None:
    (turn,) = turns(OPERATOR | {"text": "Добрый\x00 день\u202e,\nАнна\u200b"})

    assert turn.text == "Добрый день, Анна"


def test_roles_times_and_languages_are_those_of_the_transcript() -> None:
    found = turns(OPERATOR, CLIENT | {"role": "Customer", "lang": "uk-UA"}, language="ru")

    assert [(t.role, t.start_s, t.end_s, t.language) for t in found] == [("operator", 0.0, 3.0, "ru"), ("client", 3.2, 5.0, "uk")]
    assert all(t.voice_level_db is None and not t.raised_voice for t in found)


def test_times_and_confidence_of_words_are_kept_where_they_spell_the_text() -> None:
    said = [
        {"text": "Хочу", "start_s": 3.3, "end_s": 3.5, "probability": 0.4},
        {"text": "передать показания.", "start_s": 3.6, "end_s": 4.9},
    ]
    (turn,) = turns(CLIENT | {"words": said})

    assert [(t.text, t.start_s, t.probability) for t in turn.tokens] == [
        ("Хочу", 3.3, 0.4),
        ("передать", 3.6, 0.95),
        ("показания.", 3.6, 0.95),
    ]

    (other,) = turns(CLIENT | {"words": said[:1]})
    assert other.text == CLIENT["text"] and other.tokens[0].start_s == 3.2


def test_pieces_of_one_speaker_become_one_turn_and_a_long_silence_is_a_hold() -> None:
    again = OPERATOR | {"start_s": 20.0, "end_s": 21.0, "text": "Спасибо за ожидание."}
    facts, found, _ = turns_of_transcript(
        call(), transcript(OPERATOR, CLIENT, CLIENT | {"start_s": 5.3, "end_s": 6.0, "text": "Вот."}, again)
    )

    assert [t.text for t in found] == [OPERATOR["text"], f"{CLIENT['text']} Вот.", again["text"]]
    assert [(h.start_s, h.end_s, h.kind) for h in facts.holds] == [(6.0, 20.0, "silence")]
    assert facts.duration_s == 21.0


def test_roles_of_voices_without_a_name_are_decided_from_their_words() -> None:
    without = [{k: v for k, v in t.items() if k != "role"} | {"speaker": s} for t, s in ((OPERATOR, "SPEAKER_01"), (CLIENT, "SPEAKER_00"))]

    _, found, roles = turns_of_transcript(call(), transcript(*without))

    assert [t.role for t in found] == ["operator", "client"]
    assert roles.explanation.startswith("Operator by:")


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["turns", "text", "role", "start_s", "end_s", "words"]), inner)))  # fmt: skip
def test_any_json_is_a_transcript_or_rejected(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(value))

    try:
        turns_of_transcript(call(), read_transcript(path))
    except BadRecordingError as error:
        assert str(error).startswith("any.json")


def test_a_folder_of_transcripts_needs_no_column_of_recordings(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "c-1.json").write_text(json.dumps({"turns": [OPERATOR, CLIENT]}))
    (tmp_path / "stray.json").write_text("{}")
    (tmp_path / "c-1.wav").write_bytes(b"sound")
    (tmp_path / "calls.csv").write_text("call_id,centre\nc-1,irkutsk\nc-2,irkutsk\n")

    intake = read_folder(tmp_path, medium="transcript")

    assert [(c.call_id, c.medium, Path(c.recording).name) for c in intake.calls] == [("c-1", "transcript", "c-1.json")]
    assert {p.call_id.split("~")[0] for p in intake.rejected} == {"c-2", "no-row:stray.json"}


def test_without_a_log_each_file_is_a_call_of_the_named_centre(tmp_path: Path) -> None:
    (tmp_path / "c-7.json").write_text(json.dumps({"turns": [OPERATOR]}))

    (found,) = read_folder(tmp_path, centre="irkutsk", medium="transcript").calls

    assert (found.call_id, found.medium) == ("c-7", "transcript")
