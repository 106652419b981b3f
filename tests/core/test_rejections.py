"""Rejection reasons: displayed in the reader's language, whichever step rejected the call; analysts get the English sentence."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from pipelines.audio.step import decode
from pipelines.core.errors import BadRecordingError
from pipelines.core.rejections import Key, Reason, places, read_reason, sentences
from pipelines.core.settings import ROOT, Settings
from pipelines.core.staging import Batch
from pipelines.i18n.wording import LANGUAGES, wording
from tests.staged import call, stage

OWN_ALPHABET = {"ru": "абвгдежзийклмнопрстуфхцчшщъыьэюя", "uk": "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя", "hu": "áéíóöőúüű"}
ONLY_VALUES = (Key.AT_LINE, Key.OF_FILE, Key.BAD_ID, Key.BAD_PRIVATE_ID)
ERRORS = ("BadRecordingError", "ChangedRecordingError", "_Conflict")
ROW_MAKERS = ("pipelines/warehouse/forgetting.py",)  # a row without a reason, which only represents a call id


def calls_of(*names: str) -> Iterator[tuple[str, ast.Call]]:
    """Every place in the product that calls one of these names."""
    for file in sorted(ROOT.glob("pipelines/**/*.py")):
        where = str(file.relative_to(ROOT))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in names:
                yield f"{where}:{node.lineno}", node


MADE = [(where, node) for where, node in calls_of("Reason") if not where.startswith("pipelines/core/rejections.py")]


@pytest.mark.parametrize(("where", "node"), MADE, ids=[where for where, _ in MADE])
def test_a_reason_is_made_of_a_key_and_the_values_of_its_sentence(where: str, node: ast.Call) -> None:
    (key,) = node.args
    assert isinstance(key, ast.Attribute) and ast.unparse(key.value) == "Key", "the key must stand there, as Key.NAME"
    assert {one.arg for one in node.keywords} == places(sentences()[Key[key.attr]]["en"])


def test_no_rejection_is_free_text_and_no_reason_is_never_used() -> None:
    free = [where for where, node in calls_of(*ERRORS) if isinstance(node.args[0], ast.Constant | ast.JoinedStr | ast.BinOp)]
    rows = [where for where, _ in calls_of("Rejection") if where.partition(":")[0] not in ROW_MAKERS]
    assert free == rows == []
    assert {ast.unparse(node.args[0]) for _, node in MADE} == {f"Key.{key.name}" for key in Key}


def test_every_reason_has_its_sentence_in_every_language() -> None:
    assert list(sentences()) == list(Key)
    for key, texts in sentences().items():
        assert set(texts) == set(LANGUAGES), key
        assert len({frozenset(places(text)) for text in texts.values()}) == 1, f"{key}: a value is lost"
        for language, letters in OWN_ALPHABET.items():
            assert key in ONLY_VALUES or set(texts[language].lower()) & set(letters), (key, language)


def at_line(line: int, reason: Reason) -> Reason:
    return Reason(Key.AT_LINE, place="calls.csv", line=line, reason=reason)


ID = Reason(Key.BAD_ID, column="call_id", name="'c\\u202e1'", problem=Reason(Key.INVISIBLE_CHARACTER, character="U+202E (X)"))
LONG = Reason(Key.BAD_PRIVATE_ID, column="client_ref", problem=Reason(Key.LONG_ID, most=200))


@pytest.mark.parametrize(
    ("reason", "english", "russian"),
    [
        (
            at_line(12, Reason(Key.MISSING, name="'a.wav'")),
            "calls.csv line 12: recording 'a.wav' is not in the folder; add the file or correct the name.",
            "calls.csv, строка 12: записи 'a.wav' нет в папке; добавьте файл или исправьте имя.",
        ),
        (
            at_line(3, Reason(Key.ROW_IS_WRONG, problems=(Reason(Key.NO_CALL_ID), Reason(Key.NEAR_CENTRE, name="'kiev'", near="kyiv", allowed="kyiv, odesa")))),
            "calls.csv line 3: call_id is empty; centre 'kiev' is not known (did you mean kyiv?), allowed are kyiv, odesa. Correct the row and grade again.",
            "calls.csv, строка 3: поле call_id пусто; центр 'kiev' неизвестен (возможно, kyiv?), допустимы: kyiv, odesa. "
            "Исправьте строку и оцените ещё раз.",
        ),
        (
            at_line(4, Reason(Key.ROW_IS_WRONG, problems=(ID, LONG))),
            "calls.csv line 4: call_id 'c\\u202e1' holds the invisible character U+202E (X); client_ref has more than 200 characters. "
            "Correct the row and grade again.",
            "calls.csv, строка 4: call_id 'c\\u202e1' содержит невидимый символ U+202E (X); client_ref длиннее 200 символов. "
            "Исправьте строку и оцените ещё раз.",
        ),
        (
            Reason(
                Key.NO_ROW_AND_MORE, file="x/b.wav", place="calls.csv", reason=Reason(Key.OF_FILE, file="x/b.wav", problem=Reason(Key.EMPTY_FILE))
            ),
            "x/b.wav: no row in the call log names this recording; add its row to calls.csv. Besides, x/b.wav: the file is empty (0 bytes).",
            "x/b.wav: в журнале звонков нет строки с этой записью; добавьте её в calls.csv. Кроме того: x/b.wav: файл пуст (0 байт).",
        ),
        (
            Reason(Key.TOO_SHORT, seconds=1.25, least=3.0),
            "The recording lasts 1.2 s; a call needs at least 3 s.",
            "Запись длится 1,2 с; звонку нужно не меньше 3 с.",
        ),
        (
            Reason(Key.SILENT, loudest=-80.0),
            "The recording is silent: it never rises above -80 dBFS. Check the recorder.",
            "Запись беззвучна: громкость нигде не выше -80 dBFS. Проверьте записывающее устройство.",
        ),
        (
            Reason(Key.MUSIC_ONLY),
            "Nobody speaks in the recording: it holds music or a steady noise only.",
            "В записи нет речи: только музыка или ровный шум.",
        ),
        (
            at_line(9, Reason(Key.ID_WITH_OTHER_RECORDING, call="k-1", first=2)),
            "calls.csv line 9: call_id k-1 stands in line 2 already, and here with another recording; the first counts. Give each call its own id.",
            "calls.csv, строка 9: call_id k-1 уже есть в строке 2, а здесь с ним другая запись; учитывается первый. Дайте каждому звонку свой номер.",
        ),
        (
            Reason(Key.GRADED_FROM_ANOTHER, call="a", sha256="0123abcd"),
            "Call a was graded from another recording (sha256 0123abcd ...); give each call its own id.",
            "Звонок a был оценён по другой записи (sha256 0123abcd ...); дайте каждому звонку свой номер.",
        ),
        (
            Reason(Key.FORGOTTEN_ON_REQUEST),
            "Forgotten on request; remove the recording and its row in the log.",
            "Звонок удалён по запросу; удалите запись и её строку в журнале.",
        ),
    ],
)  # fmt: skip
def test_a_stored_reason_is_read_in_any_language_with_its_values(reason: Reason, english: str, russian: str) -> None:
    assert (reason.text(), reason.text("ru")) == (english, russian)
    assert wording("ru").rejected(reason.key, reason.values_json, english) == russian
    assert read_reason(reason.key, json.loads(reason.values_json)) == reason


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("of_a_newer_version", {}),
        ("empty", {}),
        ("empty", {"file": "a.wav", "more": 1}),
        ("empty", {"file": None}),
        ("too_short", {"seconds": "many", "least": 3}),
        ("of_file", {"file": "a.wav", "problem": {"key": "empty_file", "values": "x"}}),
        ("of_file", {"file": "a.wav", "problem": {"name": "empty_file"}}),
    ],
)
def test_a_reason_of_another_version_is_displayed_as_its_english_sentence(key: str, values: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        read_reason(key, values)
    assert wording("hu").rejected(key, json.dumps(values), "A newer version said so.") == "A newer version said so."
    assert wording("hu").rejected(None, None, "An older version said so.") == "An older version said so."
    assert all(wording(code).rejected(None, None, None) for code in LANGUAGES)


def test_a_recording_that_was_rejected_is_reported_in_the_readers_language(tmp_path: Path) -> None:
    file = tmp_path / "call.wav"
    file.write_bytes(b"")
    with pytest.raises(BadRecordingError) as error:
        decode(file)
    assert error.value.reason.text("uk") == "Файл call.wav порожній (0 байтів)."


def test_a_batch_that_an_older_version_staged_keeps_what_was_rejected(settings: Settings) -> None:
    from pipelines.core.records import Rejection

    row = Rejection.of_call(call("a"), "audio", Reason(Key.NO_WORD))
    batch = Batch(stage(settings, "b", [call("a")], [row]).folder)
    assert batch.rejected() == [row]
    (file,) = batch.folder.glob("put_aside/intake.parquet")
    pl.read_parquet(file).drop("reason_key", "reason_values").write_parquet(file)
    (found,) = batch.rejected()
    assert (found.call_id, found.reason, found.reason_key) == ("a", str(Reason(Key.NO_WORD)), None)
