"""A generated, already transcribed day of a small centre: recordings, call logs and words, for runs without a speech model.

What the slow steps (audio, transcribe, diarize) would leave in the stage is written here; everything after them is run for real, by the
`callgrade` command itself.
"""

from __future__ import annotations

import csv
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines import flow
from pipelines.core import versions
from pipelines.core.profile_files import centre_days
from pipelines.core.records import AudioFacts, Call, Interval, Segment, Word
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch
from pipelines.intake.folder import read_folder
from pipelines.redact.step import redact_turns
from pipelines.score.step import score_call
from pipelines.turns.step import turns_of_call

WORD_S = 0.4
COLUMNS = ("call_id", "recording", "centre", "started_at", "direction", "line", "operator_id", "client_ref", "wait_s", "disconnect_party")
SECRET = "Аксолотлева"  # said by one client only, and masked; must not occur in any file of the project

SAID: dict[str, list[str]] = {
    "d1-a": [
        "Добрый день, Иркутскэнергосбыт, оператор Анна, слушаю вас.",
        f"Здравствуйте, моя фамилия {SECRET}, я хочу узнать баланс по лицевому счету.",
        "Назовите, пожалуйста, номер лицевого счета.",
        "Четыре один один восемь ноль шесть два три.",
        "Спасибо. На вашем счете переплата двести рублей. Могу ли я еще чем-то помочь?",
        "Нет, спасибо.",
        "Спасибо за звонок, всего доброго, до свидания.",
    ],
    "d1-b": [
        "Слушаю.",
        "Вы что там, совсем тупые идиоты, третий день нет света!",
        "Прошу вас не оскорблять, иначе я завершу разговор.",
        "Хорошо, извините. Когда будет свет на улице Ленина?",
        "Бригада уже работает, свет будет через два часа. До свидания.",
    ],
    "d2-a": [
        "Добрый день, Иркутскэнергосбыт, оператор Анна, слушаю вас.",
        "Подскажите, как оплатить долг за январь?",
        "Оплатить можно в личном кабинете, на сайте или в любом отделении банка.",
        "Спасибо вам огромное.",
        "Спасибо за звонок, до свидания.",
    ],
}  # fmt: skip


def make_recordings(folder: Path, call_ids: Sequence[str], also_wrong: bool) -> Path:
    """A folder as an exchange would leave it: a low tone for each call, its log and, if asked for, a row whose recording is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for n, call_id in enumerate(call_ids):
        samples = 9000 * np.sin(2 * np.pi * (220 + 40 * n) * np.arange(int(_length_s(call_id) * 8000)) / 8000)
        with wave.open(str(folder / f"{call_id}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(samples.astype("<i2").tobytes())
        operator, client = f"op-{n % 2 + 1}", f"client-{call_id}"
        at = f"2026-03-{2 + n:02d} 1{n}:30:00"
        rows.append((call_id, f"{call_id}.wav", "irkutsk", at, "inbound", "first", operator, client, "20", "client"))
    if also_wrong:
        rows.append(
            (f"{folder.name}-lost", "lost.wav", "irkutsk", "2026-03-02 12:00:00", "inbound", "first", "op-1", "client-x", "5", "client")
        )
    with (folder / "calls.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return folder


def stage_recordings(settings: Settings, recordings: Path) -> list[Batch]:
    """Stage what intake accepts from the folder, with what the slow steps would have written of it."""
    intake = read_folder(recordings)
    batches = flow.receive(intake.calls, intake.rejected, settings)
    for batch in batches:
        write_recognised(batch)
        for step in ("audio", "transcribe", "diarize"):
            batch.set_version(step, versions.digests(step, settings.profile, centres=centre_days(batch.read("calls"))))
    return batches


def recognised(call: Call) -> tuple[AudioFacts, list[Word], list[Segment]]:
    """What the slow steps would say of a call: one line after the other, each voice its own."""
    words: list[Word] = []
    spoken: list[Segment] = []
    at_s = 1.0
    for n, line in enumerate(SAID[call.call_id]):
        start_s = at_s
        for word in line.split():
            words.append(Word(call.call_id, 0, round(at_s, 3), round(at_s + WORD_S - 0.05, 3), word, 0.9, "ru"))
            at_s += WORD_S
        spoken.append(Segment(call.call_id, 0, start_s, at_s, f"S{n % 2}"))
        at_s += 0.5
    length_s = _length_s(call.call_id)
    levels = (tuple(-30.0 for _ in range(int(length_s / 0.05))),)
    speech = tuple(Interval(0, s.start_s, s.end_s) for s in spoken)
    return AudioFacts(call.call_id, length_s, 8000, "pcm_s16le", 1, 1, speech, (), 0.05, levels), words, spoken


def judge_once(call_id: str) -> None:
    """Judge a call and keep nothing: what the judges load is loaded then."""
    call = Call(call_id, "irkutsk", f"{call_id}.wav", "0" * 64, 1, None)
    facts, words, segments = recognised(call)
    spoken, roles = turns_of_call(call, facts, words, segments)
    turns, personal = redact_turns(spoken, centre=(call.centre_id, None))
    score_call(call, facts, turns, roles, (), personal)


def write_recognised(batch: Batch) -> None:
    """Leave in a staged batch what the slow steps would."""
    made = [recognised(call) for call in batch.calls()]
    for step in ("audio", "transcribe", "diarize"):
        batch.write_rejected(step, [])
    batch.write("audio", [facts for facts, _, _ in made])
    batch.write("words", [word for _, words, _ in made for word in words])
    batch.write("dropped", [])
    batch.write("segments", [segment for _, _, segments in made for segment in segments])


def _length_s(call_id: str) -> float:
    return sum(len(line.split()) * WORD_S + 0.5 for line in SAID[call_id]) + 2.0
