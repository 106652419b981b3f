"""A few generated calls, loaded and published by the real warehouse, for tests of pages and clips.

`Made` builds the records of one call from short lines; `publish` stages, loads and publishes them.
"""

from __future__ import annotations

import hashlib
import wave
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from pipelines import warehouse
from pipelines.coaching import clip_extraction
from pipelines.core.published import open_published
from pipelines.core.records import (  # fmt: skip
    AudioFacts,
    Call,
    CallMetrics,
    CallRoles,
    Clip,
    Evaluation,
    Finding,
    Hold,
    PersonalData,
    Procedure,
    Rejection,
    SpeechAct,
    Token,
    Turn,
    TurnSentiment,
    Verdict,
)
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch
from pipelines.warehouse.loading import KINDS

WORD_S = 0.4


@dataclass
class Made:
    """One call, made of lines ("operator", "words ...") and what was judged of it."""

    call_id: str
    centre_id: str
    language: str
    lines: Sequence[tuple[str, str]]
    started_at: datetime = datetime(2026, 3, 2, 7, 30, tzinfo=UTC)
    operator_id: str | None = "op-1"
    topic: str = "tariff"
    client_type: str = "addressed"
    direction: str = "inbound"
    disconnect_party: str = "client"
    verdicts: Sequence[tuple[str, str, int | None, str]] = ()  # criterion, verdict, turn, words of the turn ("" for the whole turn)
    abuse: Sequence[tuple[int, str, str]] = ()  # turn, words, severity
    acts: Sequence[tuple[int, str, str]] = ()  # turn, words, act
    outcome: str = "not_needed"
    warned_turn: int | None = None
    hold_after: int | None = None
    sentiment: tuple[float, float] = (0.0, 0.2)
    auto_fail: str | None = None
    client_ref: str = "c-1"

    def turns(self) -> list[Turn]:
        made, at_s = [], 1.0
        for number, (role, text) in enumerate(self.lines, 1):
            start_s, tokens = at_s, []
            for word in text.split():
                tokens.append(Token(word, round(at_s, 3), round(at_s + WORD_S - 0.05, 3), 0.9))
                at_s += WORD_S
            level = 4.0 if any(a[0] == number for a in self.abuse) else (-1.0 if number % 3 else 1.0)
            made.append(
                Turn(
                    self.call_id, number, 0, "S1" if role == "operator" else "S2", role, 0.95, start_s, tokens[-1].end_s, tuple(tokens), self.language,  # type: ignore[arg-type]
                    0.88, level, level > 3, 0.4 if level > 3 else 0.0, level > 3,
                )
            )  # fmt: skip
            at_s += 0.3 if level <= 3 else -0.4
            if self.hold_after == number:
                at_s += 12.0
        return made

    def place(self, turns: list[Turn], number: int, words: str) -> tuple[str, float, float]:
        tokens = turns[number - 1].tokens
        wanted = words.split() or [t.text for t in tokens]
        for n in range(len(tokens)):
            if [t.text for t in tokens[n : n + len(wanted)]] == wanted:
                return " ".join(wanted), tokens[n].start_s, tokens[n + len(wanted) - 1].end_s
        raise ValueError(f"{words!r} does not stand in turn {number} of {self.call_id}")


def cut_clips(settings: Settings, recordings: Mapping[str, Path]) -> list[Clip]:
    """Cut the clips that the published copy suggests and remove all others, as publishing does; the rows of those that exist."""
    with open_published(settings) as published:
        clips = clip_extraction.cut(published, settings, recordings)
    clip_extraction.remove_others(settings, clips)
    return clips


def load_and_publish(settings: Settings, calls: Sequence[Made], rejected: Sequence[Rejection] = (), recordings: Path | None = None) -> None:
    """Stage the calls as one batch, load it and publish."""
    batch = Batch(settings.stage / "made")
    rows: dict[str, list[object]] = {name: [] for name in ("calls", *KINDS)}
    for made in calls:
        _add(rows, made, recordings)
    for kind, records in rows.items():
        batch.write(kind, records)
    batch.write_rejected("intake", rejected)
    warehouse.load(batch, settings)
    warehouse.publish(settings)


def pitch_hz(call_id: str) -> int:
    """The tone of a call's recording: no two are the same file."""
    return 300 + sum(call_id.encode()) % 50


def record(made: Made, folder: Path) -> Path:
    """A recording as long as the call: a low tone, so that a beep in it can be told."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{made.call_id}.wav"
    seconds = made.turns()[-1].end_s + 1.0
    samples = (9000 * np.sin(2 * np.pi * pitch_hz(made.call_id) * np.arange(int(seconds * 8000)) / 8000)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.tobytes())
    return path


def _add(rows: dict[str, list[object]], made: Made, recordings: Path | None) -> None:
    turns = made.turns()
    end_s = turns[-1].end_s + 1.0
    file = (recordings or Path("recordings")) / f"{made.call_id}.wav"
    sha = hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else (made.call_id.encode().hex() * 8)[:64].ljust(64, "0")
    rows["calls"].append(Call(
        made.call_id, made.centre_id, str(file), sha, 1000, made.started_at, made.direction, "first",
        "main", "main/tariffs", made.operator_id, "trainee" if made.operator_id == "op-2" else "experienced", made.client_ref, 24.0, made.disconnect_party, None, made.language,
    ))  # fmt: skip
    holds = ()
    if made.hold_after:
        holds = (Hold(turns[made.hold_after - 1].end_s + 0.3, turns[made.hold_after].start_s - 0.3, "music"),)
    rows["audio"].append(AudioFacts(made.call_id, end_s, 8000, "pcm_s16le", 1, 1, (), holds, 0.1, ((),)))
    rows["roles"].append(CallRoles(made.call_id, 0.95, "The first speaker greets for the company.", False))
    rows["turns"] += turns
    rows["personal_data"] += [
        PersonalData(made.call_id, t.turn_no, token.text.strip("[].,").lower(), token.start_s, token.end_s)
        for t in turns for token in t.tokens if token.text.startswith("[")
    ]  # fmt: skip
    rows["sentiments"] += [TurnSentiment(made.call_id, t.turn_no, "negative" if t.raised_voice else "neutral", 0.8) for t in turns]
    for number, words, severity in made.abuse:
        quote, start_s, finish_s = made.place(turns, number, words)
        rows["findings"].append(
            Finding(made.call_id, "abuse", turns[number - 1].role, number, start_s, finish_s, quote, severity, "operator", 0.9, "lexicon")
        )
    for number, words, act in made.acts:
        quote, start_s, finish_s = made.place(turns, number, words)
        rows["speech_acts"].append(SpeechAct(made.call_id, number, act, turns[number - 1].role, start_s, finish_s, quote, 0.95))
    warned_s = turns[made.warned_turn - 1].start_s if made.warned_turn else None
    rows["procedures"].append(Procedure(made.call_id, made.outcome, warned_s, None, 0.9, "Judged from the words of the operator."))
    decided = applicable = points = 0.0
    for criterion, verdict, number, words in made.verdicts:
        top = 10.0 if verdict != "na" else 0.0
        quote, start_s, finish_s = (None, None, None) if number is None else made.place(turns, number, words)
        if verdict == "fail" and number is None:
            start_s, finish_s = 0.0, min(8.0, end_s)
        applicable, decided = applicable + top, decided + (top if verdict in ("pass", "fail") else 0.0)
        points += top if verdict == "pass" else 0.0
        rows["verdicts"].append(Verdict(
            made.call_id, made.centre_id, "1", criterion, verdict, 0.9 if verdict != "unsure" else 0.4, top if verdict == "pass" else 0.0, top, quote,  # type: ignore[arg-type]
            "operator" if number else None, number, start_s, finish_s, "Why it was judged so.",
        ))  # fmt: skip
    score = None if not decided else 0.0 if made.auto_fail else 100 * points / decided
    rows["evaluations"].append(Evaluation(
        made.call_id, made.centre_id, "1", score, made.auto_fail is not None, made.auto_fail, 100 * decided / applicable if applicable else 0.0,
        decided < applicable,
    ))  # fmt: skip
    rows["metrics"].append(CallMetrics(
        made.call_id, made.language, made.topic, 0.8, made.client_type, 0.7, end_s, 0.48, 0.41, 0.03, 1.2, 12.0 if made.hold_after else 0.0, 128.0, 141.0, 0, 1,
        made.sentiment[0], made.sentiment[1], 0.88, "whisper-base", "rules-1",
    ))  # fmt: skip


def some_calls() -> list[Made]:
    """Seven calls in four languages and five centres: good ones, bad ones, abusive ones, one with personal data and a hold."""
    good = (
        ("greeting", "pass", 1, ""),
        ("company_named", "pass", 1, ""),
        ("solution_given", "pass", 3, ""),
        ("farewell", "fail", None, ""),
    )
    return [
        Made("kyiv-1", "kyiv", "uk", [
            ("operator", "Доброго дня, Київські енергетичні послуги, оператор Олена, чим можу допомогти?"),
            ("client", "Добрий день. Хочу дізнатися свій баланс, рахунок [ACCOUNT]"),
            ("operator", "Дякую. На вашому рахунку переплата двісті гривень."),
            ("client", "Дякую, гарного дня."),
        ], acts=[(1, "Доброго дня,", "greeting")], verdicts=[*good, ("anything_else", "unsure", None, ""), ("hold_announced", "na", None, "")], sentiment=(0.1, 0.6), topic="balance"),
        Made("kyiv-2", "kyiv", "uk", [
            ("operator", "Доброго дня, слухаю вас."),
            ("client", "Ви там зовсім здуріли з цими тарифами? Ідіоти ви всі!"),
            ("operator", "Прошу без образ, інакше я змушена буду завершити розмову."),
            ("client", "Добре. Вибачте. Поясніть, чому така сума."),
            ("operator", "Тариф змінився з червня, зараз усе поясню. Зачекайте хвилину, будь ласка."),
            ("operator", "Дякую за очікування. Перерахунок зроблено."),
            ("client", "Зрозуміло, дякую."),
        ], operator_id="op-2", client_type="opinionated", abuse=[(2, "Ідіоти ви всі!", "insult")], outcome="calmed", warned_turn=3, hold_after=5,
            acts=[(1, "Доброго дня,", "greeting"), (3, "Прошу без образ,", "warn_abuse"), (5, "Зачекайте хвилину, будь ласка.", "hold_ask"),
                  (6, "Дякую за очікування.", "hold_thanks")],
            verdicts=[("greeting", "pass", 1, "Доброго дня,"), ("company_named", "fail", None, ""), ("abuse_procedure", "pass", 3, "Прошу без образ,"),
                      ("hold_thanked", "pass", 6, "Дякую за очікування."), ("empathy_shown", "unsure", None, "")], sentiment=(-0.7, 0.1)),
        Made("irkutsk-1", "irkutsk", "ru", [
            ("operator", "Добрый вечер, Иркутскэнергосбыт, оператор Анна."),
            ("client", "Показания хочу передать, улица [ADDRESS]"),
            ("operator", "Ночью мы принимаем только сообщения об отключениях. Позвоните с восьми утра."),
            ("client", "Ясно, спасибо."),
        ], started_at=datetime(2026, 3, 3, 15, 10, tzinfo=UTC), topic="meter_reading",
            verdicts=[*good[:2], ("night_rule", "pass", 3, ""), ("self_service_offered", "unsure", None, "")]),
        Made("irkutsk-2", "irkutsk", "ru", [
            ("operator", "Слушаю."),
            ("client", "Сколько можно, придурки, третий раз звоню!"),
            ("operator", "До свидания."),
        ], operator_id="op-2", disconnect_party="operator", abuse=[(2, "придурки,", "insult")], outcome="ended_without_warning", client_type="rude",
            verdicts=[("abuse_procedure", "fail", 3, "До свидания."), ("greeting", "fail", None, "")], auto_fail="The client was hung up on without a warning.",
            sentiment=(-0.6, -0.6), topic="outage"),
        Made("odesa-1", "odesa", "uk", [
            ("operator", "Добрий день, ООЕК, оператор Ірина."),
            ("client", "Прийміть показники, будь ласка."),
            ("operator", "Показники приймає Одесаобленерго, телефон на вашій квитанції."),
            ("client", "Дякую."),
        ], topic="wrong_company", client_type="uninformed", verdicts=[*good[:2], ("redirected", "pass", 3, "")]),
        Made("kredo-1", "kredo", "en", [
            ("operator", "Good afternoon, this is Kredo Telecom, how can I help?"),
            ("client", "I would like a connection at my new flat, my name is [NAME] and my number is [PHONE]"),
            ("operator", "The engineer will come tomorrow at ten."),
            ("client", "Great, thank you so much."),
        ], topic="connection", verdicts=[*good[:3], ("request_taken", "pass", 3, "")], sentiment=(0.0, 0.8)),
        Made("motiv-1", "motiv", "hu", [
            ("operator", "Jó napot kívánok, MOTIV, Anton operátor."),
            ("client", "Az internet nem működik a telefonomon, a kódszó [CODE_WORD]"),
            ("operator", "Köszönöm, most újra beállítottam."),
            ("client", "Most már jó, köszönöm."),
        ], topic="settings", verdicts=[*good[:3], ("code_word_asked", "unsure", None, "")]),
    ]  # fmt: skip
