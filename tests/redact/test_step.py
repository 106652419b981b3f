from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pipelines.core.records import Turn
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch
from pipelines.redact.step import mask_text, redact_turns, run, wipe
from pipelines.turns.step import build_turns
from pipelines.turns.words import CUES
from tests.spoken import Line, audio_of, call_of, dialogue, references, segments_of, words_of


def masked(*lines: Line, language: str = "ru") -> list[str]:
    return [t.text for t in redact_turns(dialogue(*lines, language=language))[0]]


ASKED = {
    "ru": (
        "Назовите, пожалуйста, номер лицевого счёта.",
        "Ваш номер телефона?",
        "Назовите кодовое слово.",
        "Назовите адрес.",
        "Фамилия, имя, отчество?",
    ),
    "uk": ("Назвіть особовий рахунок.", "Ваш номер телефону?", "Назвіть кодове слово.", "Яка у вас адреса?", "Назвіть прізвище та ім'я."),
    "hu": ("Kérem az ügyfélszámát.", "Melyik telefonszámról van szó?", "Mi a kódszó?", "Kérem a címét.", "Kérem a teljes nevét."),
    "en": (
        "What is your account number?",
        "And your phone number?",
        "Your code word, please?",
        "Could you tell me the address?",
        "Your full name?",
    ),
}
ANSWERED = {
    "ru": ("Семьдесят два, сорок пять, ноль три.", "Восемь, девятьсот два, 555-03-07.", "Подсолнух.", "Братск, улица Мира, дом семь.", "Орлов Пётр Ильич."),
    "uk": ("Сім два, чотири п'ять, нуль три.", "Нуль шістдесят сім, 412 55 09.", "Слово калина.", "Вулиця Шевченка, сорок два.", "Бондар Василь."),
    "hu": ("Hatvannégy, huszonhárom, nyolcvan.", "Kilencszáz, kétszáztizenkettő, ötvenhat.", "A kódszó napraforgó.", "Fasor utca tizenkettő.", "Nagy Péter."),
    "en": ("Three three zero, double one five.", "Oh seven seven, 555 12 34.", "It is bluebell.", "Forty two Lenin Street, flat six.", "John Hill."),
}  # fmt: skip
KINDS = ("[ACCOUNT]", "[PHONE]", "[CODE_WORD]", "[ADDRESS]", "[NAME]")


@pytest.mark.parametrize("language", list(ASKED))
@pytest.mark.parametrize("which", range(len(KINDS)))
def test_the_answer_to_a_question_for_personal_data_is_masked(language: str, which: int) -> None:
    _, answer = masked(("operator", ASKED[language][which]), ("client", ANSWERED[language][which]), language=language)
    assert KINDS[which] in answer
    left = [w for w in re.findall(r"\w{4,}", answer.replace(KINDS[which], "")) if w.lower() not in ("слово", "kódszó")]
    assert not left


@pytest.mark.parametrize("role", ["client", "unknown"])
def test_a_long_number_is_masked_though_nobody_asked(role: Line) -> None:
    assert masked((role, "Пишите: сорок два 76, 3801, пятьдесят пять двенадцать, ноль девять сорок четыре.")) == ["Пишите: [CARD]"]  # type: ignore[arg-type]
    assert masked((role, "my number is 8 (914) 555-03-07"), language="en") == ["my number is [PHONE]"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ru", "У меня долг четыре тысячи двести рублей, с пятого июня, второй месяц."),
        ("ru", "Дневные шесть тысяч двести девять, ночные 3140. Звоните с девяти до трёх."),
        ("ru", "Весь дом без света, на улице минус тридцать, квартира холодная."),
        ("uk", "Тариф чотири гривні тридцять дві копійки за кіловат-годину, з першого червня."),
        ("hu", "Kétszáz rubelt fizettem tegnap, húsz giga ajándékot ígértek két hete."),
        ("en", "I paid six hundred roubles on Monday at nine, and the bill says one hundred and twenty."),
        ("en", "I shut the dog in the shed at the end of the garden."),
        ("ru", "Меня собака укусила на вашей подстанции."),
    ],
)
def test_prices_readings_dates_and_plain_talk_stay(language: str, text: str) -> None:
    assert masked(("client", text), language=language) == [text]


def test_the_hot_line_that_the_operator_gives_stays_also_when_the_client_repeats_it() -> None:
    lines: list[Line] = [
        ("operator", "Телефон гарячої лінії: нуль вісімсот, п'ятсот, чотириста дев'яносто один."),
        ("client", "Нуль вісімсот, п'ятсот, а далі?"),
    ]
    assert masked(*lines, language="uk") == [text for _, text in lines]


def test_what_the_client_dictated_is_masked_when_the_operator_reads_it_back() -> None:
    texts = masked(
        ("operator", "Назовите лицевой счёт и ваше имя."),
        ("client", "Сорок один, восемнадцать, ноль шесть. Лебедева Ирина Сергеевна."),
        ("operator", "Ирина Сергеевна, счёт 411806, верно?"),
        ("operator", "Ирина, оставайтесь на линии."),
    )
    assert texts[1:] == ["[ACCOUNT] [NAME]", "[NAME] счёт [ACCOUNT] верно?", "[NAME] оставайтесь на линии."]


def test_a_number_said_in_pieces_over_several_turns_is_masked_whole() -> None:
    texts = masked(
        ("operator", "Диктуйте номер договора."),
        ("client", "Пятьсот двенадцать."),
        ("operator", "Так, дальше."),
        ("client", "Тридцать четыре."),
    )
    assert texts[1] == texts[3] == "[ACCOUNT]"


def test_a_reading_that_was_asked_for_stays() -> None:
    lines: list[Line] = [("operator", "Диктуйте показания."), ("client", "Ноль четыре пять шесть семь."), ("operator", "Записала: 04567.")]
    assert masked(*lines) == [text for _, text in lines]


def test_the_name_that_the_operator_gives_as_his_own_stays_and_the_clients_goes() -> None:
    texts = masked(
        ("operator", "Здравствуйте, меня зовут Олеся, слушаю вас."), ("client", "Меня зовут Борис, у меня вопрос."), ("operator", "Слушаю, Борис."),
        ("client", "Спасибо, Олеся."),
    )  # fmt: skip
    assert texts == ["Здравствуйте, меня зовут Олеся, слушаю вас.", "Меня зовут [NAME] у меня вопрос.", "Слушаю, [NAME]", "Спасибо, Олеся."]


@pytest.mark.parametrize(
    ("language", "question", "name", "answer"),
    [
        ("ru", "скажите, фамилия, имя, отчества и дата прождения", "вологтин, стипам и рилович", "{}, а дальше что?"),
        ("uk", "Назвіть прізвище та ім'я.", "кавльчук марена", "Так, {}, записали?"),
        ("ru", "фамилия, имя, очество и серия с номером поспорта пожалуйста", "кажевнекова анна", "{}"),
    ],
)
def test_a_name_that_was_misheard_is_masked_in_the_answer_and_where_it_is_read_back(
    language: str, question: str, name: str, answer: str
) -> None:
    """Recognition writes names in lower case and in words that no dictionary knows, and loses the question mark."""
    lines: list[Line] = [("operator", question), ("client", answer.format(name)), ("operator", f"так, {name}, одну хвилину")]
    _, said, back = masked(*lines, language=language)
    for word in re.findall(r"\w{2,}", name):
        assert word not in said
    assert "[NAME]" in said and "[NAME]" in back and name not in back


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ru", "да, запишите, заречная улица, дом семнадцц, спасибо"),
        ("uk", "пишіть, вулиця зарічна, будинок вісімнадц, дякую"),
    ],
)
def test_an_address_whose_number_was_misheard_is_masked(language: str, text: str) -> None:
    (said,) = masked(("client", text), language=language)
    assert "[ADDRESS]" in said
    assert "зар" not in said and "дц" not in said


@pytest.mark.parametrize("reply", ["Зачекайте, зараз знайду.", "А навіщо вам це?", "Ну, кудтась, яку я вам?"])
def test_what_does_not_answer_the_question_for_a_name_stays(reply: str) -> None:
    assert masked(("operator", "Назвіть прізвище та ім'я."), ("client", reply), language="uk")[1] == reply


def test_an_insult_that_is_also_a_family_name_stays_for_the_judge() -> None:
    assert masked(("client", "Я про этих козлов говорю. Козлы! Ты, баран!")) == ["Я про этих козлов говорю. Козлы! Ты, баран!"]
    assert masked(("operator", "Ваша фамилия?"), ("client", "Козлов Иван Петрович."))[1] == "[NAME]"


def test_an_employee_who_is_asked_for_his_name_stays_readable() -> None:
    assert (
        masked(("operator", "Слухаю."), ("client", "Как вас зовут?"), ("operator", "Віталій. Скаржтеся."), language="uk")[2]
        == "Віталій. Скаржтеся."
    )


@pytest.mark.parametrize(
    ("text", "language", "wanted"),
    [
        ("Татьяна точка белых собака почта точка ру.", "ru", "[EMAIL]"),
        ("Моя почта ivan.petrov@mail.ru", "ru", "Моя почта [EMAIL]"),
        ("гринько крапка сергій равлик укр крапка нет", "uk", "[EMAIL]"),
        ("john dot hill at mail dot com", "en", "[EMAIL]"),
        ("Паспорт шестьдесят пять ноль девять, номер четыреста двадцать, сто семнадцать.", "ru", "Паспорт [PASSPORT]"),
        ("Я родился пятого марта тысяча девятьсот восемьдесят шестого года", "ru", "Я родился [BIRTH_DATE]"),
    ],
)
def test_a_free_text_is_masked(text: str, language: str, wanted: str) -> None:
    assert mask_text(text, language) == wanted


def test_words_that_recognition_spoiled_are_masked_with_the_rest_of_the_number() -> None:
    texts = masked(("operator", "Назовите номер лицевого счёта."), ("client", "Двадцать шесть, ноль воаемь, сурок четыре, семнадцать."))
    assert texts[1] == "[ACCOUNT]"


def test_nothing_personal_of_the_shipped_calls_stays_readable_and_little_else_is_masked(calls_folder: Path) -> None:
    readable, wrongly, words = [], 0, 0
    for reference in references(calls_folder):
        turns, _ = redact_turns(true_turns(reference), keep_raw=True, centre=(reference["centre"], None))
        shown = bare(" ".join(t.text for t in turns))
        personal = [p for t in reference["turns"] for p in t["pii"]]
        for p in personal:
            said = [w for w in bare(p["text"]) if len(w) > 2]
            if sum(w in shown for w in said) > len(said) / 2:
                readable.append((reference["id"], p["text"]))
        known = {w for p in personal for w in bare(p["text"])}
        wrongly += sum(w not in known for t in turns for token in t.tokens if token.raw for w in bare(token.raw))
        words += sum(len(t["text"].split()) for t in reference["turns"])
    assert readable == []
    assert wrongly / words < 0.02


def test_the_step_writes_masked_turns_and_wipes_the_unmasked_ones(settings: Settings, calls_folder: Path) -> None:
    batch = staged(settings, calls_folder)
    run(batch, settings)
    wipe(batch, settings)
    assert not batch.has("spoken_turns")
    assert all(token.raw is None for turn in batch.read("turns") for token in turn.tokens)
    assert batch.read("personal_data")


def test_raw_text_is_kept_only_when_it_was_asked_for_and_judgement_reads_the_same(settings: Settings, calls_folder: Path) -> None:
    raw = settings.with_(keep_text="raw")
    batch = staged(raw, calls_folder)
    spoken = {t.turn_no: t.text for t in batch.read("spoken_turns")}
    run(batch, raw)
    kept = batch.read("turns")
    assert {t.turn_no: t.displayed_text for t in kept} == spoken
    other = staged(settings, calls_folder)
    run(other, settings)
    assert [t.text for t in kept] == [t.text for t in other.read("turns")]


def true_turns(reference: dict) -> list[Turn]:  # type: ignore[type-arg]
    turns = build_turns(reference["id"], audio_of(reference), words_of(reference), segments_of(reference))
    role = {"voice-operator": "operator", "voice-client": "client", "track0": "operator", "track1": "client"}
    return [replace(t, role=role[t.speaker], role_confidence=0.98) for t in turns]  # type: ignore[arg-type]


def staged(settings: Settings, calls_folder: Path) -> Batch:
    reference = next(r for r in references(calls_folder) if any(t["pii"] for t in r["turns"]))
    batch = Batch(settings.stage / settings.keep_text)
    batch.write("calls", [call_of(reference)])
    batch.write_rejected("intake", [])
    batch.write("audio", [])
    batch.write("spoken_turns", true_turns(reference))
    return batch


def bare(text: str) -> list[str]:
    return re.findall(r"[\w']+", text.lower().replace("ё", "е"))


FRAGMENTS = (
    "Назовите лицевой счёт.", "сорок один, восемнадцать, ноль шесть,", "411806", "8 914 555-03-07", "Иван Петрович Сидоров", "спасибо", "двести рублей",
    "улица Мира, дом семь", "кодовое слово ромашка", "телефон горячей линии 0 800 500 491", "ваш номер", "показания 04567", "собака почта точка ру", "угу",
    "родился пятого марта", "паспорт 4509 123456", "карта 4276 3801 5512 0944", "Ирина, слушаю вас", "так, дальше?", "[ACCOUNT]", "тысяча двести", "[NAME]",
)  # fmt: skip
lines = st.lists(
    st.tuples(
        st.sampled_from(["operator", "client", "unknown"]), st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=4).map(" ".join)
    ),
    min_size=1,
    max_size=6,
)


@given(lines)
@hypothesis_settings(max_examples=150, deadline=None)
def test_masking_twice_changes_nothing_and_each_mask_is_on_record(spoken: Sequence[Line]) -> None:
    turns = dialogue(*spoken)
    once, found = redact_turns(turns, keep_raw=True)
    again, _ = redact_turns(once, keep_raw=True)
    assert [t.text for t in again] == [t.text for t in once]
    assert [t.displayed_text for t in once] == [" ".join(k.text for k in t.tokens) for t in turns]
    placed = [(t.turn_no, token.text, token.start_s) for t in once for token in t.tokens if token.raw]
    assert placed == [(f.turn_no, f"[{f.kind.upper()}]", f.start_s) for f in found]
    for turn in once:
        starts = [token.start_s for token in turn.tokens]
        assert starts == sorted(starts) and turn.quote(0, len(turn.tokens)) == turn.displayed_text


@given(st.lists(st.text("0123456789", min_size=1, max_size=5), min_size=1, max_size=6), st.sampled_from(["client", "unknown"]))
@hypothesis_settings(max_examples=80, deadline=None)
def test_no_six_digits_in_a_row_survive_of_what_a_client_says(pieces: list[str], role: str) -> None:
    said = masked((role, "вот " + " ".join(pieces) + " вот"))[0]  # type: ignore[arg-type]
    assert len(re.sub(r"\D", "", said)) < 6 or "".join(pieces).startswith(("0800", "8800"))  # free of charge: a hot line


def test_every_kind_that_can_be_asked_for_has_its_words() -> None:
    assert set(KINDS) <= {f"[{c.upper()}]" for c in CUES}
