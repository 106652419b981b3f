"""Whoever asks why a call was not graded reads it in his own language, whichever step put it aside."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.core.settings import ROOT
from pipelines.i18n.rejections import told
from pipelines.i18n.wording import LANGUAGES, wording

STEPS = (
    "audio.py",
    "decoding/processes.py",
    "decoding/reading.py",
    "transcribe.py",
    "turns.py",
    "intake/folder.py",
    "intake/call_log.py",
    "intake/transcripts.py",
    "score/evaluate.py",
)
OWN_ALPHABET = {"ru": "абвгдежзийклмнопрстуфхцчшщъыьэюя", "uk": "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя", "hu": "áéíóöőúüű"}


def sentences() -> Iterator[tuple[str, str]]:
    """Every reason that the steps' code writes, with a value in each place, and where it stands."""
    for name in STEPS:
        for node in ast.walk(ast.parse((ROOT / "pipelines" / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and _is_reason(node.func):
                text = _sample(node.args[0])
                if text:
                    yield f"{name}:{node.lineno}", text
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("reason", "reason, sha256"):
                value = node.value.elts[0] if isinstance(node.value, ast.Tuple) else node.value
                text = _sample(value)
                if text and not text.startswith("7"):  # a sentence around another one
                    yield f"{name}:{node.lineno}", text


def _is_reason(called: ast.expr) -> bool:
    return ast.unparse(called) in ("BadRecordingError", "ChangedRecordingError", "_Conflict", "problems.errors.append")


def _sample(node: ast.expr) -> str | None:
    """The text of a string with 7 in its places; None where the text is not written there."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if not isinstance(node, ast.JoinedStr):
        return None
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in node.values)


WRITTEN = list(sentences())


@pytest.mark.parametrize("language", ["ru", "uk", "hu"])
@pytest.mark.parametrize(("where", "text"), [one for one in WRITTEN if one[1].strip("7:. ,") and not one[1].startswith("7, ")])
def test_every_reason_that_a_step_writes_is_told_in_every_language(where: str, text: str, language: str) -> None:
    if text == "7: 7.":
        pytest.skip("its second half is one of the others")
    said = told(text, language)
    assert said != text and set(said.lower()) & set(OWN_ALPHABET[language]), where
    assert said.count("7") >= text.count("7"), "a value is lost"


def test_the_code_was_read() -> None:
    assert len(WRITTEN) > 25 and {where.partition(":")[0] for where, _ in WRITTEN} == set(STEPS)


@pytest.mark.parametrize(
    ("reason", "told_so"),
    [
        (
            "calls.csv line 12: recording 'a.wav' is not in the folder; add the file or correct the name.",
            "calls.csv, строка 12: записи 'a.wav' нет в папке; добавьте файл или исправьте имя.",
        ),
        (
            "calls.csv line 3: call_id is empty; centre 'kiev' is not known (did you mean kyiv?), allowed are kyiv, odesa. Correct the row and grade again.",
            "calls.csv, строка 3: поле call_id пусто; центр 'kiev' неизвестен (может быть, kyiv?), возможны: kyiv, odesa. "
            "Исправьте строку и оцените ещё раз.",
        ),
        (
            "x/b.wav: no row in the call log names this recording; add its row to calls.csv. Besides, x/b.wav: the file is empty (0 bytes).",
            "x/b.wav: в журнале звонков нет строки с этой записью; добавьте её в calls.csv. Кроме того: x/b.wav: файл пуст (0 байт).",
        ),
        ("The recording lasts 1.2 s; a call needs at least 3 s.", "Запись длится 1.2 с; звонку нужно не меньше 3 с."),
        (
            "Nobody speaks in the recording: it holds music or a steady noise only.",
            "На записи никто не говорит: там только музыка или ровный шум.",
        ),
        ("No step came to a result for this call; grade it again.", "Ни один шаг не дал результата по этому звонку; оцените его ещё раз."),
        (
            "calls.csv line 9: call_id k-1 stands in line 2 already, and here with another recording; the first counts. Give each call its own id.",
            "calls.csv, строка 9: call_id k-1 уже есть в строке 2, а здесь с ним другая запись; учитывается первый. Дайте каждому звонку свой номер.",
        ),
        (
            "calls.csv line 4: call_id 'c\\u202e1' holds the invisible character U+202E (RIGHT-TO-LEFT OVERRIDE); "
            "client_ref has more than 200 characters. Correct the row and grade again.",
            "calls.csv, строка 4: call_id 'c\\u202e1' содержит невидимый символ U+202E (RIGHT-TO-LEFT OVERRIDE); "
            "client_ref длиннее 200 знаков. Исправьте строку и оцените ещё раз.",
        ),
        (
            "calls.csv line 5: operator_id '..' cannot be an id: in the address of a page it means a folder. Correct the row and grade again.",
            "calls.csv, строка 5: operator_id '..' не может быть номером: в адресе страницы это означает папку. Исправьте строку и оцените ещё раз.",
        ),
        (
            "a\\u200b.wav: its name holds the invisible character U+200B (ZERO WIDTH SPACE). Rename the file: its name is the id of the call.",
            "a\\u200b.wav: имя файла содержит невидимый символ U+200B (ZERO WIDTH SPACE). Переименуйте файл: его имя служит номером звонка.",
        ),
    ],
)
def test_a_reason_keeps_its_values(reason: str, told_so: str) -> None:
    assert told(reason, "ru") == told_so
    assert told(reason, "en") == reason
    assert wording("ru").put_aside(reason) == told_so


def test_what_nobody_wrote_is_shown_as_it_stands() -> None:
    assert told("An older version said so: really.", "hu") == "An older version said so: really."
    assert all(wording(code).put_aside(None) for code in LANGUAGES)


def test_a_recording_that_was_put_aside_is_told_in_the_readers_language(tmp_path: Path) -> None:
    from pipelines.audio.step import decode
    from pipelines.core.errors import BadRecordingError

    file = tmp_path / "call.wav"
    file.write_bytes(b"")
    with pytest.raises(BadRecordingError) as error:
        decode(file)
    assert told(error.value.reason, "uk") == "Файл call.wav порожній (0 байтів)."
