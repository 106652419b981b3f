"""Abuse is found in real telephone language, and not in what only looks like it."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.core.records import Finding, Role, Token, Turn
from pipelines.score.abuse import abuse_in_turn, find_abuse

SHARED_TEXT = Path(__file__).resolve().parents[3] / "shared" / "data" / "text"


def turn_of(text: str, language: str = "ru", role: Role = "client", turn_no: int = 1) -> Turn:
    """A turn of half a second a word."""
    tokens = tuple(Token(word, i * 0.5, i * 0.5 + 0.4, 0.9) for i, word in enumerate(text.split()))
    end_s = tokens[-1].end_s if tokens else 0.0
    return Turn("call-1", turn_no, 0, "A", role, 0.95, 0.0, end_s, tokens, language, 0.9, None, False, 0.0, False)


def severities(text: str, language: str = "ru", role: Role = "client") -> set[str | None]:
    """The severities found in a turn."""
    return {f.severity for f in abuse_in_turn(turn_of(text, language, role))}


def only(text: str, language: str = "ru", role: Role = "client") -> Finding:
    """The only finding of a turn."""
    found = abuse_in_turn(turn_of(text, language, role))
    assert len(found) == 1, found
    return found[0]


HARMLESS = {
    "ru": [
        "Я хочу застраховать квартиру, подстрахуйте меня, пожалуйста.",
        "Это оскорбление, я считаю, так писать в квитанции.",
        "Купил хлеб, мебель и учебник, потребляем мало, требую пересчёта.",
        "Команда приехала, мандат показали, мандарин дали ребёнку.",
        "Моя фамилия Козлов, а живу в Екатеринбурге, в Ебурге, как говорят.",
        "Фамилия Дураков, имя Сукнов Пётр, город Херсон.",
        "Я психолог, скотч закончился, поэтому опломбировать не могу.",
        "Он назвал меня дураком и бросил трубку.",
        "Сосед сказал, что я идиот, раз плачу по счетам.",
        "Мне вчера говорят: ты дура, звони сама.",
        "Блин, опять не туда нажала.",
        "Жду тут как дурак с самого утра.",
        "Хрен его знает, какой там автомат стоит.",
        "Почта иванов собака яндекс точка ру.",
        "Холод собачий, батареи еле тёплые.",
        "Вы посчитали неправильно, я буду жаловаться и подам в суд.",
        "Дом глухой, связь тупо пропадает.",
        "Я купила курицу, молоко и сыр, всё пропало без света.",
        "Рубли, корабли, сабля, ансамбль, употреблять.",
        "Художник рисует хуже, чем хулиган.",
    ],
    "uk": [
        "Хочу застрахувати будинок, підстрахуйте мене.",
        "Це образа, я вважаю, хліб дорожчає, а мандрівка ні.",
        "Сусід назвав мене дурнем і пішов.",
        "Він каже: ти ідіот, плати мовчки.",
        "Собака крапка укр крапка нет, так пишеться пошта.",
        "Дурниці, нічого страшного, я почекаю.",
        "Я хворію, тому не можу прийти, обід у мене о першій.",
        "Чорт його знає, що там за лічильник.",
        "Живу в Херсоні, прізвище Козлова.",
        "Треба перевірити напругу, себе я вже перевірив.",
    ],
    "hu": [
        "Baszkföldről jöttem, basszus, elfelejtettem a kódot.",
        "A szarvas és a szarka, a faszén meg a kurzus.",
        "Marhahúst vettem, az állatorvosnál voltam.",
        "A szomszéd azt mondta, hogy hülye vagyok.",
        "Hülyének néznek engem mindenhol.",
        "A szemetes mellett van a villanyóra, pici ház, francia ablak.",
        "Úgy álltam ott, mint egy barom.",
        "Köszönöm, segítsen legyen szíves.",
    ],
    "en": [
        "I live in Scunthorpe, Essex, next to the cockpit museum.",
        "The bloody internet's been down since lunch.",
        "He called me an idiot and hung up.",
        "I felt like a fool standing there.",
        "Sorry, silly question, where do I find your address?",
        "Where can I find you on the map?",
        "It's a pain in the neck, but fine.",
        "Please assess the class assignment and pass it to your assistant.",
        "I'll take you to court and write to the director.",
        "Give the old man a hand, he's my father.",
    ],
}


@pytest.mark.parametrize(("language", "text"), [(code, text) for code, texts in HARMLESS.items() for text in texts])
def test_look_alikes_quotes_and_mild_words_are_no_abuse(language: str, text: str) -> None:
    assert abuse_in_turn(turn_of(text, language)) == []


ABUSIVE = [
    ("ru", "Да пошёл ты на хер со своей заявкой!", "profanity"),
    ("ru", "Вы там совсем охренели, что ли?", "profanity"),
    ("ru", "Какого чёрта, бл***, я жду?", "profanity"),
    ("ru", "Иди ты в сраку!", "profanity"),
    ("ru", "Заебали вы меня своими квитанциями.", "profanity"),
    ("ru", "Слышь, урод, включи свет!", "insult"),
    ("ru", "Ты дура или прикидываешься?", "insult"),
    ("ru", "Овца безмозглая!", "insult"),
    ("ru", "Заткнись и слушай меня.", "insult"),
    ("ru", "Я тебя найду и ноги тебе переломаю.", "threat"),
    ("ru", "Приеду и разнесу вашу контору!", "threat"),
    ("uk", "Та йди ти на хрін зі своїм тарифом!", "profanity"),
    ("uk", "Пішли ви всі в дупу!", "profanity"),
    ("uk", "Ти шо, дебіл?", "insult"),
    ("uk", "Ви там зовсім подуріли, ідіоти!", "insult"),
    ("uk", "Стули пельку, корово!", "insult"),
    ("uk", "Я вас знайду, чуєш, голову відірву!", "threat"),
    ("hu", "Menjen a picsába a számlájával!", "profanity"),
    ("hu", "Baszd meg, kapcsold vissza!", "profanity"),
    ("hu", "Te idióta, hányszor mondjam?", "insult"),
    ("hu", "Fogja be a száját!", "insult"),
    ("hu", "Odamegyek és szétverem a fejedet!", "threat"),
    ("en", "What the fuck are you doing over there?", "profanity"),
    ("en", "Go fuck yourself.", "profanity"),
    ("en", "You stupid moron, listen to me!", "insult"),
    ("en", "Are you deaf or what?", "insult"),
    ("en", "I'll come over there and break your neck.", "threat"),
]


@pytest.mark.parametrize(("language", "text", "severity"), ABUSIVE)
def test_inflected_softened_masked_and_plain_abuse_is_found(language: str, text: str, severity: str) -> None:
    assert severity in severities(text, language)


@pytest.mark.parametrize(
    ("language", "text", "target"),
    [
        ("ru", "Ты идиот!", "operator"),
        ("ru", "Вы там все ворьё!", "company"),
        ("ru", "Эти козлы в телевизоре опять врут.", "other"),
        ("ru", "Матч идёт, блять, а экран чёрный!", "other"),
        ("uk", "Ти козел!", "operator"),
        ("uk", "Ви там усі шахраї!", "company"),
        ("en", "You idiot!", "operator"),
        ("hu", "Te barom!", "operator"),
    ],
)
def test_the_target_is_the_one_who_is_addressed(language: str, text: str, target: str) -> None:
    assert only(text, language).target == target


def test_an_operator_who_insults_has_the_client_as_target() -> None:
    assert only("А вы просто старая дура, женщина.", role="operator").target == "client"
    assert only("You are just a stupid cow.", "en", role="operator").target == "client"


def test_an_operator_who_helps_is_never_taken_for_abusive() -> None:
    for text in ("Застрахуйте оборудование, если хотите.", "Прошу без оскорблений, иначе я завершу разговор.", "Минуточку, я посмотрю."):
        assert abuse_in_turn(turn_of(text, role="operator")) == []


def test_evidence_is_the_words_that_did_it_with_their_times() -> None:
    finding = only("Ну и где мои деньги, урод?")
    assert (finding.quote, finding.start_s, finding.end_s) == ("урод?", 2.5, 2.9)
    assert finding.kind == "abuse" and 0.5 < finding.confidence <= 1 and finding.detector


def test_one_finding_a_turn_and_severity() -> None:
    found = abuse_in_turn(turn_of("Ты идиот, дебил, урод! Пошёл ты на хер, сука, иди на хуй!"))
    assert len(found) == len({f.severity for f in found}) == 2


def test_what_the_recogniser_half_guessed_is_less_sure() -> None:
    sure = turn_of("Ты идиот!")
    doubtful = Turn(*(getattr(sure, n) for n in ("call_id", "turn_no", "track", "speaker", "role", "role_confidence", "start_s", "end_s")),
                    tuple(Token(t.text, t.start_s, t.end_s, 0.2) for t in sure.tokens),
                    *(getattr(sure, n) for n in ("language", "asr_confidence", "voice_level_db", "raised_voice", "overlap_s", "interrupts")))  # fmt: skip
    assert abuse_in_turn(doubtful)[0].confidence < abuse_in_turn(sure)[0].confidence


def test_masked_personal_data_and_silence_are_no_words() -> None:
    assert find_abuse([turn_of("[NAME] [ACCOUNT]"), turn_of("")], None) == []


def test_a_language_without_a_lexicon_is_still_graded() -> None:
    assert abuse_in_turn(turn_of("Guten Tag, mein Internet geht nicht.", "de")) == []


def test_the_shipped_calls_have_their_abuse_found_and_little_else(calls_folder: Path) -> None:
    hits = misses = false = 0
    for path in sorted((calls_folder / "reference").glob("*.json")):
        for number, turn in enumerate(json.loads(path.read_text(encoding="utf-8"))["turns"], 1):
            found = abuse_in_turn(turn_of(turn["text"], turn["lang"], turn["role"], number))
            is_abusive = bool(turn["abuse"]) or "operator_abuse" in turn["marks"]
            hits += is_abusive and bool(found)
            misses += is_abusive and not found
            false += bool(found) and not is_abusive
    assert hits / (hits + misses) > 0.9
    assert hits / (hits + false) > 0.9


@pytest.mark.skipif(not SHARED_TEXT.is_dir(), reason="the labelled text is not part of the repository")
def test_thousands_of_neutral_sentences_hardly_ever_fire() -> None:
    with (SHARED_TEXT / "dialogue/en_banking77/banking_data/test.csv").open(encoding="utf-8") as file:
        english = [row["text"] for row in csv.DictReader(file)]
    with (SHARED_TEXT / "asr_text/uk_cv10_testset_labels/labels_absolute.csv").open(encoding="utf-8") as file:
        ukrainian = [row["text"] for row in csv.DictReader(file)]
    for language, texts in (("en", english), ("uk", ukrainian)):
        fired = [text for text in texts if abuse_in_turn(turn_of(text, language))]
        assert len(fired) / len(texts) < 0.004, fired[:20]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ru", "Толку от вас никакого, дарма еды."),
        ("ru", "Ваша шарега, а не компания."),
        ("ru", "Сами вы идеот!"),
        ("uk", "Ти що, де біл?"),
        ("uk", "Ідіотти, ось хто."),  # a word and the "you" beside it recognised as one
        ("ru", "Тыкретин, понял?"),
        ("hu", "Hülyete vagy."),
    ],
)
def test_insults_that_recognition_wrote_in_another_way_are_understood(language: str, text: str) -> None:
    assert severities(text, language) == {"insult"}


@pytest.mark.parametrize(("language", "text"), [("uk", "Прошу платити вчасно."), ("ru", "Маты на полу."), ("hu", "A szeretete elmúlt.")])
def test_a_word_that_merely_ends_like_a_pronoun_is_no_insult(language: str, text: str) -> None:
    assert not severities(text, language)


def test_an_operator_is_never_accused_by_a_misheard_word() -> None:
    assert abuse_in_turn(turn_of("Сами вы идеот.", role="operator")) == []


@pytest.mark.parametrize(("pause_s", "tracks", "role"), [(0.0, 1, "unknown"), (0.5, 1, "operator"), (0.0, 2, "operator")])
def test_words_torn_from_the_next_voice_of_a_mono_call_accuse_no_operator(pause_s: float, tracks: int, role: str) -> None:
    operator = replace(turn_of("Сейчас всё заблокируем. Идиот!", role="operator"), speaker="A")
    end_s = operator.end_s
    client = replace(
        turn_of("Какой же вор, прямо из рук вытащил.", turn_no=2),
        speaker="B",
        track=tracks - 1,
        start_s=end_s + pause_s,
        end_s=end_s + pause_s + 3,
    )
    (found,) = find_abuse([operator, client])
    assert found.role == role
    assert (found.target == "client") == (role == "operator")


@pytest.mark.parametrize(
    ("language", "text"),
    [("ru", "Утащил велосипед, вот мерзавец какой, прямо со двора."), ("uk", "Забрав гаманець, ось негідник який, просто в метро.")],
)
def test_what_a_scoundrel_somebody_else_is_accuses_nobody_in_the_call(language: str, text: str) -> None:
    assert {f.target for f in abuse_in_turn(turn_of(text, language))} <= {"other"}
    assert {f.target for f in abuse_in_turn(turn_of(text.replace("вот ", "вы ").replace("ось ", "ви "), language))} == {"operator"}


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ru", "утащил велосипед, вот мерзавец какой, прямо со двора, спасибо вам, держитесь, есть ещё вопросы"),
        ("uk", "забрав гаманець, ось негідник який, просто в метро, дякую вам, тримайтеся"),
    ],
)
def test_thanks_in_the_same_breath_do_not_make_it_the_operator(language: str, text: str) -> None:
    """Recognition often writes a whole answer as one sentence."""
    assert {f.target for f in abuse_in_turn(turn_of(text, language))} <= {"other"}


def test_an_operator_is_not_accused_by_a_word_that_recognition_was_unsure_of() -> None:
    clear = replace(turn_of("Ну вы и дура.", turn_no=2), role="operator")
    tokens = tuple(replace(token, probability=0.5 if "дура" in token.text else 0.95) for token in clear.tokens)
    (sure,), (unsure,) = find_abuse([clear]), find_abuse([replace(clear, tokens=tokens)])
    assert sure.confidence > 0.6 > unsure.confidence
    (client,) = find_abuse([replace(clear, role="client", tokens=tokens)])
    assert client.confidence > 0.6


@pytest.mark.parametrize(
    ("believed", "accused"), [((0.9, 0.9, 0.9, 0.9, 0.3, 0.2, 0.8), False), ((0.9, 0.9, 0.9, 0.9, 0.7, 0.3, 0.8), True)]
)
def test_a_word_among_hardly_recognised_words_accuses_no_operator(believed: tuple[float, ...], accused: bool) -> None:
    """What stands at the end of a misheard name of a company is a piece of that name."""
    clear = replace(turn_of("Thank you for calling Hotel, a con.", "en"), role="operator")
    tokens = tuple(replace(token, probability=p) for token, p in zip(clear.tokens, believed, strict=True))
    (found,) = find_abuse([replace(clear, tokens=tokens)])
    assert (found.confidence >= 0.6) == accused


@pytest.mark.parametrize(
    ("text", "language", "severity"),
    [
        ("Мы вашего мастера с лестницы скинем.", "ru", "threat"),
        ("Взорву вас всех там.", "ru", "threat"),
        ("Пристрелил бы, да ладно, убью каждого, кто подойдёт к щитку.", "ru", "threat"),
        ("Рот свой закрой!", "ru", "insult"),
        ("Понабрали там идиотов.", "ru", "insult"),
        ("Собаку спустимо на вашого контролера.", "uk", "threat"),
        ("Закопаю вас, чуєш?", "uk", "threat"),
        ("Де вас таких тупих узяли?", "uk", "insult"),
        ("Замовкни вже!", "uk", "insult"),
        ("Nézzen a háta mögé holnaptól.", "hu", "threat"),
        ("Baszd meg a számládat.", "hu", "profanity"),
        ("I'll be waiting for you outside.", "en", "threat"),
        ("You are a joke.", "en", "insult"),
    ],
)
def test_threats_and_insults_without_a_bad_word_are_known(text: str, language: str, severity: str) -> None:
    assert severity in severities(text, language)


@pytest.mark.parametrize(
    "text",
    [
        "Megkeresem az igazgatót a papírokkal.",
        "Megtalálom a honlapon, köszönöm.",
        "Hülye program, nem indul el.",
        "A szomszéd szerint csalók.",
    ],
)
def test_hungarian_words_of_looking_for_something_threaten_nobody(text: str) -> None:
    assert abuse_in_turn(turn_of(text, "hu")) == []
