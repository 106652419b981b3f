from __future__ import annotations

import numpy as np
import pytest

from models.text.loading import MODELS_DIR
from models.text.prototypes import Prototypes
from models.text.turn_model import TurnModel
from pipelines.centres.profile import load_centre
from pipelines.centres.vocabulary import Topic
from pipelines.score.abuse import find_abuse
from pipelines.score.speech_acts import find_acts
from pipelines.score.topic import judge_client_type, judge_topic
from pipelines.turns.model_reading import read_calls
from tests.score.spoken import call_of, sentiments_of, turns_of


@pytest.mark.parametrize(
    ("centre", "language", "client", "topic"),
    [
        ("irkutsk", "ru", "Девушка, примите показания, счётчик шестьсот двадцать.", "meter_reading"),
        ("irkutsk", "ru", "У нас во всём подъезде электричество пропало, сидим в темноте.", "outage"),
        ("irkutsk", "ru", "Батареи совсем холодные, отопление когда дадите?", "heating"),
        ("irkutsk", "ru", "Счётчик старый, надо поменять и опломбировать.", "meter_install"),
        ("kyiv", "uk", "Чому тариф знову підняли, скільки тепер кіловат?", "tariff"),
        ("kyiv", "uk", "Мені прийшло попередження про борг і відключення.", "debt"),
        ("kyiv", "uk", "Не можу зайти в особистий кабінет, пароль невірний.", "portal"),
        ("kredo", "ru", "Хочу подключить интернет на даче, это возможно?", "connection"),
        ("kredo", "ru", "Роутер постоянно зависает, скорость совсем низкая.", "technical"),
        ("motiv", "ru", "Я завтра лечу в Турцию, что с роумингом?", "roaming"),
        ("motiv", "ru", "Потеряла телефон, заблокируйте сим-карту.", "sim"),
        ("motiv", "hu", "Külföldre utazom, mennyibe kerül a barangolás?", "roaming"),
        ("kredo", "en", "I'd like to get home internet in my new flat.", "connection"),
    ],
)
def test_the_topic_is_what_the_client_asks_for(centre: str, language: str, client: str, topic: str) -> None:
    turns = turns_of(("operator", "Слушаю вас."), ("client", client), language=language)
    found = judge_topic(call_of(centre), turns, load_centre(centre))
    assert found.best == topic
    assert sum(p for _, p in found.labels) == pytest.approx(1.0)


def test_the_menu_helps_when_the_words_say_little() -> None:
    turns = turns_of(("operator", "Слушаю."), ("client", "Да вот, как обычно."))
    assert (
        judge_topic(call_of("irkutsk", ivr_path="main/readings", queue="readings"), turns, load_centre("irkutsk")).best == "meter_reading"
    )
    vague = judge_topic(call_of("irkutsk"), turns, load_centre("irkutsk"))
    assert vague.best == "other" and vague.confidence < 0.5


@pytest.mark.parametrize(
    ("client", "kind"),
    [
        ("Примите показания, пожалуйста.", "addressed"),
        ("Ты дура тупая, сволочь!", "rude"),
        ("Я вам плачу деньги, вы обязаны, я свои права знаю!", "opinionated"),
        ("Не разбираюсь я в этом, объясните, где это найти?", "uninformed"),
        ("Третий раз звоню, никто не приехал, буду писать жалобу!", "complainer"),
    ],
)
def test_client_types(client: str, kind: str) -> None:
    turns = turns_of(("operator", "Слушаю вас."), ("client", client), ("operator", "Сейчас."), ("client", "Жду."))
    centre = load_centre("irkutsk")
    topic = judge_topic(call_of("irkutsk"), turns, centre, find_acts(turns, centre))
    mood = {} if kind in ("addressed", "uninformed") else {"t2": "negative"}
    assert judge_client_type(turns, topic, find_abuse(turns, centre), sentiments_of(turns, **mood), centre).best == kind


def test_on_a_call_back_the_operator_says_what_it_is_about() -> None:
    said = (
        ("client", "Да, слушаю."),
        ("operator", "Здравствуйте, Кредо-Телеком, Олег. Звоню по поводу подключения интернета на даче."),
        ("client", "Ага, спасибо, что перезвонили."),
    )
    turns = turns_of(*said)
    called_back = judge_topic(call_of("kredo", direction="callback"), turns, load_centre("kredo"))
    assert called_back.best == "connection"
    called_in = judge_topic(call_of("kredo"), turns, load_centre("kredo"))
    assert called_in.probability(lambda t: t == "connection") < called_back.probability(lambda t: t == "connection")


def test_a_client_who_is_sent_to_another_company_again_and_again_called_the_wrong_one() -> None:
    lines = [
        ("operator", "Добрий день, слухаю."),
        ("client", "Запишіть показання лічильника, дванадцять тисяч сімсот."),
        ("operator", "Показання приймає Одесаобленерго, зверніться до них."),
        ("client", "А ви хто?"),
        ("operator", "Ми постачальник. З цим питанням зверніться до оператора мережі, Одесаобленерго."),
        ("client", "Ясно."),
        ("operator", "Показання приймає Одесаобленерго, їхній номер на сайті."),
    ]
    turns, centre = turns_of(*lines, language="uk"), load_centre("odesa")
    assert judge_topic(call_of("odesa"), turns, centre, find_acts(turns, centre)).best == "wrong_company"


OWN = {
    "pet_lost": ("Клиент потерял животное", "У меня собака убежала.", "Кот пропал, третий день нет дома."),
    "booking": ("Клиент записывается на приём", "Хочу записаться к врачу.", "Можно к терапевту на четверг?"),
}


@pytest.mark.skipif(not (MODELS_DIR / "multilingual-e5-small").is_dir(), reason="the text encoder is not installed: make setup")
@pytest.mark.parametrize(
    ("client", "topic"),
    [
        ("Здравствуйте, у нас щенок потерялся во дворе, помогите найти.", "pet_lost"),
        ("Запишите меня, пожалуйста, к хирургу на завтра утром.", "booking"),
        ("Добрий день, зникла кішка, сіра така.", "pet_lost"),  # the sentences were in another language
    ],
)
def test_a_centres_own_topic_is_learned_from_a_description_and_a_few_sentences(client: str, topic: str) -> None:
    centre = load_centre("irkutsk").model_copy(
        update={"topics": (*(Topic(id=name, examples=some) for name, some in OWN.items()), Topic(id="other"))}
    )
    turns = turns_of(("operator", "Слушаю вас."), ("client", client))
    (reading,) = read_calls([turns], topic_examples=[centre.topic_examples])
    assert OWN.keys() <= reading.topics.keys()
    assert judge_topic(call_of("irkutsk"), turns, centre, reading=reading).best == topic


def test_examples_of_a_known_topic_move_it_and_leave_the_others() -> None:
    plain = Prototypes(np.zeros(2), np.ones(2), ("debt", "tariff"), np.eye(2))
    taught = plain.with_examples({"debt": [np.array([0.0, 5.0])], "own": [np.array([-1.0, 0.0]), np.array([-3.0, 0.0])]})
    assert taught.names == ("debt", "tariff", "own")
    assert np.allclose(taught.directions, [[0.5**0.5, 0.5**0.5], [0, 1], [-1, 0]])
    assert taught.scores(np.array([0.0, 2.0]))["tariff"] == 2.0


@pytest.mark.skipif(not (MODELS_DIR / "multilingual-e5-small").is_dir(), reason="the text encoder is not installed: make setup")
def test_the_topics_of_a_centre_are_learned_once_for_all_of_its_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    learned: list[object] = []
    once = TurnModel.prototypes
    monkeypatch.setattr(TurnModel, "prototypes", lambda model, examples: learned.append(examples) or once(model, examples))
    turns = turns_of(("client", "Здравствуйте, у нас щенок потерялся."))
    read_calls([turns] * 3, topic_examples=[dict(OWN) for _ in range(3)])
    assert len(learned) == 1
